"""REST: the inbox, what is done to its items, and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.queries import datasets as dataset_queries
from feedback.api import serializers
from feedback.forms.inbox import STATES, VERDICTS, Narrow
from feedback.models import InboxItem
from feedback.queries import conversation, made_examples
from feedback.queries import inbox as queries
from feedback.services import examples, inbox
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.errors import Conflict, Invalid, NotFound
from llmops.projects import queries as project_queries
from llmops.projects.api import ProjectAPIView
from llmops.projects.models import Project
from llmops.projects.permissions import Permission

FILTERS = [
    OpenApiParameter("state", str, enum=[name for name, _ in STATES], description="`open` unless named"),
    OpenApiParameter("verdict", str, enum=[name for name, _ in VERDICTS if name]),
    OpenApiParameter("prompt", str, description="path of the prompt"),
    OpenApiParameter("version", int, description="number of the prompt's version"),
    OpenApiParameter("theme", str, description="id of the theme"),
    OpenApiParameter("model", str),
    OpenApiParameter("tag", str, description="of the call, of the feedback, or of the team"),
    OpenApiParameter("since", str, description="day in the project's time zone"),
    OpenApiParameter("until", str, description="day in the project's time zone, itself included"),
    OpenApiParameter("q", str, description="words in comments"),
    OpenApiParameter("mine", bool, description="assigned to the person of a personal key"),
    OpenApiParameter("needs_label", bool),
]


class Inbox(ProjectAPIView):
    """Calls that somebody said something about, newest feedback first."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ}
    serializer_class = serializers.Item

    @extend_schema(operation_id="inbox_list", parameters=FILTERS, responses=serializers.Item(many=True))
    def get(self, request: Request) -> Response:
        form = Narrow(request.query_params)
        if not form.is_valid():
            wrong = {name: str(errors[0]) for name, errors in form.errors.items()}
            raise Invalid("The filter is not acceptable.", fields=wrong)
        found = queries.items(self.project, form.narrowed(self.actor.user_id))
        self.paginator.ordering = queries.ORDER  # type: ignore[union-attr]
        page = self.paginate_queryset(found.select_related("assignee").prefetch_related("tags")) or []
        return self.get_paginated_response(serializers.Item(page, many=True).data)


class InboxDetail(ProjectAPIView):
    """One item with its call, what was said and what was made of it; PATCH triages it."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ, "PATCH": Permission.FEEDBACK_TRIAGE}
    serializer_class = serializers.TriageItem

    @extend_schema(operation_id="inbox_get", responses=serializers.WholeItem)
    def get(self, request: Request, uid: str) -> Response:
        return Response(_whole(self.project, uid))

    @extend_schema(operation_id="inbox_triage", responses=serializers.WholeItem)
    def patch(self, request: Request, uid: str) -> Response:
        item = queries.item_in(self.project, uid)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        changes = _changes(self.project, body.validated_data)
        inbox.triage(project=self.project, items=[item], changes=changes, by=self.actor)
        return Response(_whole(self.project, uid))


class InboxActions(ProjectAPIView):
    """Do the same to many items at once; one `POST /inbox/undo` takes all of it back."""

    permissions: ClassVar = {"POST": Permission.FEEDBACK_TRIAGE}
    serializer_class = serializers.TriageMany

    @extend_schema(operation_id="inbox_triage_many", responses=serializers.Changed)
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        items = queries.items_named(self.project, given["items"])
        changed = inbox.triage(project=self.project, items=items, changes=_changes(self.project, given), by=self.actor)
        known = {ids.public("item", item.uid) for item in items}
        return Response({"changed": changed, "unknown": [ref for ref in given["items"] if ref not in known]})


class InboxUndo(ProjectAPIView):
    """Take back one's own last action of the last day; what somebody else changed since stays."""

    permissions: ClassVar = {"POST": Permission.FEEDBACK_TRIAGE}

    @extend_schema(operation_id="inbox_undo", request=None, responses=serializers.Undone)
    def post(self, request: Request) -> Response:
        undone = inbox.undo(
            project=self.project, by=self.actor, now=timezone.now(),
            may_write_datasets=Permission.DATASET_WRITE in self.grant.permissions,
        )  # fmt: skip
        return Response(serializers.Undone(undone).data)


class InboxExamples(ProjectAPIView):
    """Make an example of the item's call, with the user's correction as the expected answer; the item is done."""

    permissions: ClassVar = {"POST": Permission.DATASET_WRITE}
    serializer_class = serializers.NewExampleOf

    @extend_schema(operation_id="inbox_make_example", responses={201: serializers.ExampleOf})
    def post(self, request: Request, uid: str) -> Response:
        item, call = conversation.call_in(self.project, ids.public("item", ids.parse("item", uid)))
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        if item is None or call is None:
            raise Conflict("The call has not arrived yet, so there is nothing to make an example of.")
        dataset = _dataset(self.project, given["dataset"])
        expected = given.get("expected", queries.corrections_of(self.project, [item]).get(item.call_client_id))
        made = examples.add(
            call=call, dataset=dataset, expected=expected, by=self.actor, item=item, split=given["split"]
        )
        return Response({"example": made, "dataset": dataset.slug}, status=201)


def _whole(project: Project, uid: str) -> dict[str, Any]:
    item, call = conversation.call_in(project, ids.public("item", ids.parse("item", uid)))
    assert item is not None
    found = {
        "item": item,
        "call": call,
        "feedback": conversation.events_of(project, item.call_client_id),
        "examples": made_examples.of_call(project, call.uid) if call else [],
    }
    return dict(serializers.WholeItem(found).data)


def _dataset(project: Project, slug: str) -> Any:
    try:
        return dataset_queries.dataset_in(project, slug)
    except NotFound as error:
        raise Invalid(error.message, fields={"dataset": error.message}) from None


def _changes(project: Project, given: Mapping[str, Any]) -> inbox.Changes:
    needs_label = given.get("needs_label")
    state = given.get("state") or (InboxItem.State.DONE.value if needs_label else None)
    return inbox.Changes(
        state=state,
        assigns="assignee" in given,
        assignee=_member(project, given.get("assignee")),
        needs_label=needs_label,
        add_tags=tuple(given.get("add_tags", ())),
        remove_tags=tuple(given.get("remove_tags", ())),
    )


def _member(project: Project, email: str | None) -> User | None:
    if not email:
        return None
    found = project_queries.members_of(project).filter(user__email__iexact=email).select_related("user").first()
    if found is None:
        raise Invalid("Only members can look after feedback.", fields={"assignee": "not a member"})
    return found.user
