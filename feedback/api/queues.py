"""REST: labeling queues, their items, and putting items in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.forms.inbox import Narrow
from feedback.models import Queue, QueueItem, RubricVersion
from feedback.queries import queues as queries
from feedback.queries import rubrics as rubric_queries
from feedback.queries.inbox import InboxFilter
from feedback.services import filling, queue_settings, queues
from llmops.common import ids
from llmops.common.errors import Invalid, NotFound
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission

WAYS = ["calls", "inbox", "needs_label", "complaints", "run", "uncertainty", "disagreement"]


class QueueSettings(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    settle_by = serializers.ChoiceField(choices=Queue.SettleBy.values, required=False)
    order = serializers.ChoiceField(
        choices=Queue.Order.values, required=False, help_text="which item comes next: what teaches most, oldest, newest"
    )
    mask = serializers.BooleanField(required=False, help_text="mask personal data once more")
    hidden = serializers.ListField(
        child=serializers.CharField(max_length=120), required=False, max_length=50,
        help_text="parts that labelers must not see: an input's name, contexts, expected, origin",
    )  # fmt: skip
    hold_minutes = serializers.IntegerField(min_value=1, max_value=480, required=False)
    gold_every = serializers.IntegerField(min_value=0, max_value=1_000, required=False)
    daily = serializers.IntegerField(min_value=0, max_value=1_000, required=False)
    daily_prompt = serializers.CharField(max_length=300, required=False, allow_blank=True)
    fills_from = serializers.ListField(
        child=serializers.ChoiceField(choices=list(queues.STANDING)), required=False, max_length=len(queues.STANDING),
        help_text="ways in which items come by themselves",
    )  # fmt: skip
    annotators_per_item = serializers.IntegerField(min_value=1, max_value=20, required=False)
    labelers = serializers.ListField(child=serializers.CharField(max_length=254), required=False, max_length=100)


class NewQueue(QueueSettings):
    slug = serializers.CharField(max_length=60)
    rubric = serializers.CharField(max_length=60)


class QueueChange(QueueSettings):
    state = serializers.ChoiceField(choices=Queue.State.values, required=False)
    rubric_version = serializers.IntegerField(
        min_value=1, required=False, help_text="another version of the queue's rubric, if it goes with the answers"
    )
    base_edits = serializers.IntegerField(
        min_value=0, required=False,
        help_text="`settings.edits` that the change was based on: 409 when somebody changed the settings since",
    )  # fmt: skip


class ShownSettings(serializers.Serializer[Any]):
    """What the settings are; `edits` counts their changes."""

    edits = serializers.IntegerField()
    settle_by = serializers.ChoiceField(choices=Queue.SettleBy.values)
    order = serializers.ChoiceField(choices=Queue.Order.values)
    mask = serializers.BooleanField()
    hidden = serializers.ListField(child=serializers.CharField())
    hold_minutes = serializers.IntegerField()
    gold_every = serializers.IntegerField()
    daily = serializers.IntegerField()
    daily_prompt = serializers.CharField()
    fills_from = serializers.ListField(child=serializers.CharField())
    labelers = serializers.SerializerMethodField()

    def get_labelers(self, queue: Queue) -> list[str]:
        return [person.user.email for person in queries.people_of(queue)]


class QueueLine(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    rubric = serializers.CharField(source="rubric_version.rubric.slug")
    rubric_version = serializers.IntegerField(source="rubric_version.number")
    annotators_per_item = serializers.IntegerField()
    items = serializers.IntegerField(source="items_count")
    finished = serializers.IntegerField(source="finished_count")
    disputed = serializers.IntegerField(source="disputed_count")


class WholeQueue(QueueLine):
    questions = serializers.JSONField(source="rubric_version.questions")
    progress = serializers.SerializerMethodField()
    settings = serializers.SerializerMethodField(help_text="null for labelers")

    @extend_schema_field(ShownSettings(allow_null=True))
    def get_settings(self, item: Queue) -> dict[str, Any] | None:
        return ShownSettings(item).data if self.context.get("shows_settings") else None

    def get_progress(self, item: Queue) -> dict[str, Any]:
        return asdict(queries.progress(item))


class ItemLine(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    state = serializers.CharField()
    title = serializers.CharField()
    snapshot = serializers.JSONField()
    answers_given = serializers.IntegerField(source="answers_count")
    seats = serializers.IntegerField()
    is_gold = serializers.SerializerMethodField()
    priority = serializers.FloatField()
    probability = serializers.FloatField(allow_null=True)
    flag = serializers.CharField()
    settled = serializers.SerializerMethodField()

    def get_id(self, item: QueueItem) -> str:
        return ids.public("qi", item.uid)

    def get_is_gold(self, item: QueueItem) -> bool:
        return item.gold is not None

    def get_settled(self, item: QueueItem) -> dict[str, Any] | None:
        found = getattr(item, "settled", None)
        if found is None:
            return None
        return {"answers": found.answers, "method": found.method, "by": found.by, "reason": found.reason}


class Fill(serializers.Serializer[Any]):
    """Where items come from: `calls` by id, the `inbox` under a filter, what `needs_label` there, its open
    `complaints`, a `run`'s results, those that its judge doubts (`uncertainty`), or those where judge and user
    disagree (`disagreement`)."""

    way = serializers.ChoiceField(choices=WAYS)
    calls = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=1_000)
    inbox = serializers.DictField(child=serializers.CharField(allow_blank=True, max_length=300), required=False)
    run = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")
    evaluator = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    most = serializers.IntegerField(min_value=1, max_value=filling.MOST, required=False, default=100)


class Filled(serializers.Serializer[Any]):
    added = serializers.IntegerField()


class QueueView(ProjectAPIView):
    """Queues as the key's bearer sees them: without `annotation:read` only those that name the person."""

    def queue(self, slug: str) -> Queue:
        return queries.queue_in(self.project, slug, only_of=self.only_of)

    def whole(self, slug: str) -> Any:
        """The queue as it is shown; its settings tell a labeler how often an item is gold, and who else labels."""
        return WholeQueue(self.queue(slug), context={"shows_settings": self.only_of is None}).data

    @property
    def only_of(self) -> int | None:
        if Permission.ANNOTATION_READ in self.grant.permissions:
            return None
        return self.actor.user_id or 0


class QueueList(QueueView):
    """Queues, newest first; POST makes one."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_WRITE, "POST": Permission.QUEUE_WRITE}
    serializer_class = NewQueue

    @extend_schema(operation_id="queues_list", responses=QueueLine(many=True))
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.queues_in(self.project, only_of=self.only_of)) or []
        return self.get_paginated_response(QueueLine(page, many=True).data)

    @extend_schema(operation_id="queues_create", responses={201: WholeQueue})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        try:
            rubric = rubric_queries.rubric_in(self.project, given.pop("rubric"))
        except NotFound as error:
            raise Invalid(error.message, fields={"rubric": "no such rubric"}) from None
        made = queues.create(
            project=self.project, rubric_version=rubric_queries.newest(rubric), wanted=queues.Wanted(**given),
            by=self.actor,
        )  # fmt: skip
        return Response(self.whole(made.slug), status=201)


class QueueDetail(QueueView):
    """A queue with its progress; PATCH changes settings (and its items with them), `labelers` replaces who labels."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_WRITE, "PATCH": Permission.QUEUE_WRITE}
    serializer_class = QueueChange

    @extend_schema(operation_id="queues_get", responses=WholeQueue)
    def get(self, request: Request, slug: str) -> Response:
        return Response(self.whole(slug))

    @extend_schema(operation_id="queues_edit", responses=WholeQueue)
    def patch(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        changes = dict(body.validated_data)
        if (number := changes.pop("rubric_version", None)) is not None:
            changes["rubric_version"] = self._version(queue, number)
        queue_settings.edit(queue=queue, by=self.actor, now=timezone.now(), **changes)
        return Response(self.whole(slug))

    def _version(self, queue: Queue, number: int) -> RubricVersion:
        try:
            return rubric_queries.version_of(queue.rubric_version.rubric, number)
        except NotFound as error:
            raise Invalid(error.message, fields={"rubric_version": "no such version"}) from None


class QueueItems(QueueView):
    """The queue's items in the order they came, with what was settled; POST puts items in."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_READ, "POST": Permission.QUEUE_WRITE}
    serializer_class = Fill

    @extend_schema(
        operation_id="queue_items_list",
        parameters=[OpenApiParameter("state", str, enum=QueueItem.State.values)],
        responses=ItemLine(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        state = request.query_params.get("state", "")
        if state and state not in QueueItem.State.values:
            raise Invalid("There is no such state.", fields={"state": f"one of {', '.join(QueueItem.State.values)}"})
        self.paginator.ordering = ("id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.items_of(self.queue(slug), state=state)) or []
        return self.get_paginated_response(ItemLine(page, many=True).data)

    @extend_schema(operation_id="queue_items_fill", responses={201: Filled})
    def post(self, request: Request, slug: str) -> Response:
        queue = self.queue(slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        return Response({"added": self._fill(queue, body.validated_data)}, status=201)

    def _fill(self, queue: Queue, given: dict[str, Any]) -> int:
        way, most = given["way"], given["most"]
        if way == "calls":
            return filling.by_hand(queue=queue, names=given.get("calls", []), by=self.actor)
        if way == "inbox":
            return filling.by_filter(queue=queue, narrowed=_narrowed(given.get("inbox", {})), most=most, by=self.actor)
        return filling.by_way(
            queue=queue, way=way, run=given["run"], evaluator=given["evaluator"], most=most, by=self.actor
        )


def _narrowed(given: dict[str, str]) -> InboxFilter:
    """The filter of the inbox's address: state, verdict, prompt, version, model, tag, since, until, q."""
    form = Narrow({"state": "all"} | given)
    if not form.is_valid():
        raise Invalid(
            "The filter is not acceptable.", fields={f"inbox.{name}": str(one[0]) for name, one in form.errors.items()}
        )
    return form.narrowed(None)
