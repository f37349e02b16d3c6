"""REST: rows that a model proposes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.models import Proposal, ProposalRequest
from evals.proposals import MOST_WANTED
from evals.queries import datasets as dataset_queries
from evals.queries import proposals as queries
from evals.queries import runs as run_queries
from evals.services import proposals
from llmops.common import ids
from llmops.common.errors import Invalid, NotFound
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class AskForRows(serializers.Serializer[Any]):
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=ProposalRequest.Source.values, required=False, default="description"
    )
    description = serializers.CharField(max_length=4_000, required=False, allow_blank=True, default="")
    run = serializers.CharField(
        max_length=60,
        required=False,
        allow_blank=True,
        default="",
        help_text="with source hard_rows: rows failed in it",
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, default=list, max_length=50,
        help_text="with source tags: topics that need rows; none: those with the fewest",
    )  # fmt: skip
    count = serializers.IntegerField(required=False, default=5, min_value=1, max_value=MOST_WANTED)
    split = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    connection = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    model = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class ProposedRow(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    state = serializers.CharField()
    inputs = serializers.JSONField(source="content.inputs")
    expected = serializers.JSONField(source="content.expected", allow_null=True)
    tags = serializers.ListField(source="content.tags", child=serializers.CharField())
    split = serializers.CharField(source="content.split")
    is_edited = serializers.BooleanField()
    repeats = serializers.SerializerMethodField(help_text="the example that it repeats, if any")
    repeats_position = serializers.IntegerField(source="like_position", allow_null=True)
    likeness = serializers.FloatField(allow_null=True)
    example = serializers.SerializerMethodField(help_text="the example that it became, if accepted")

    def get_repeats(self, item: Proposal) -> str | None:
        return ids.public("ex", item.like_key) if item.like_key else None

    def get_example(self, item: Proposal) -> str | None:
        return ids.public("ex", item.example_key) if item.example_key else None


class RequestItem(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    dataset = serializers.CharField(source="dataset.slug")
    source = serializers.CharField()  # type: ignore[assignment]
    description = serializers.CharField()
    state = serializers.CharField()
    model = serializers.CharField()
    connection = serializers.CharField(source="connection_name")
    cost_usd = serializers.FloatField(allow_null=True)
    tokens_in = serializers.IntegerField(allow_null=True)
    tokens_out = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_id(self, item: ProposalRequest) -> str:
        return ids.public("ask", item.uid)


class WholeRequest(RequestItem):
    """`answer` is what the model said; `problems` names rows of it that are no acceptable examples."""

    answer = serializers.CharField()
    problems = serializers.ListField(child=serializers.DictField())
    rows = serializers.SerializerMethodField()

    @extend_schema(responses=ProposedRow(many=True))
    def get_rows(self, item: ProposalRequest) -> Any:
        return ProposedRow(queries.proposals_of(item), many=True).data


class Decision(serializers.Serializer[Any]):
    """`row` is the example as a person edited it; without one the row is accepted as it was proposed."""

    decision = serializers.ChoiceField(choices=["accept", "refuse"])
    row = serializers.JSONField(required=False, allow_null=True, default=None)


class Proposals(ProjectAPIView):
    """What models were asked for, newest first; POST asks one, the answer's address tells how far it is."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ, "POST": Permission.PROMPT_TRY}
    serializer_class = AskForRows

    @extend_schema(operation_id="proposals_list", responses=RequestItem(many=True))
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_queries.dataset_in(self.project, slug)
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.requests_of(dataset).select_related("dataset")) or []
        return self.get_paginated_response(RequestItem(page, many=True).data)

    @extend_schema(operation_id="proposals_ask", responses={202: RequestItem})
    def post(self, request: Request, slug: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        dataset = dataset_queries.dataset_in(self.project, slug)
        run = given.pop("run")
        try:
            given["run"] = run_queries.run_in(self.project, run) if run else None
        except NotFound as error:
            raise Invalid(error.message, fields={"run": error.message}) from None
        made = proposals.start(project=self.project, wanted=proposals.Wanted(dataset=dataset, **given), by=self.actor)
        return Response(RequestItem(made).data, status=202)


class ProposalDetail(ProjectAPIView):
    """One question to a model, with the rows that it proposed; DELETE stops waiting for it."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ, "DELETE": Permission.PROMPT_TRY}
    serializer_class = WholeRequest

    @extend_schema(operation_id="proposals_get", responses=WholeRequest)
    def get(self, request: Request, uid: str) -> Response:
        return Response(WholeRequest(queries.request_in(self.project, uid)).data)

    @extend_schema(operation_id="proposals_cancel", responses=WholeRequest)
    def delete(self, request: Request, uid: str) -> Response:
        proposals.cancel(request=queries.request_in(self.project, uid), by=self.actor, now=timezone.now())
        return Response(WholeRequest(queries.request_in(self.project, uid)).data)


class ProposalRow(ProjectAPIView):
    """Accept a proposed row, as it is or edited, so that it becomes an example; or refuse it."""

    permissions: ClassVar = {"POST": Permission.DATASET_WRITE}
    serializer_class = Decision

    @extend_schema(operation_id="proposals_decide", responses=ProposedRow)
    def post(self, request: Request, uid: str, position: int) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        if given["row"] is not None and not isinstance(given["row"], dict):
            raise Invalid("The row must be a JSON object.", fields={"row": "must be an object"})
        proposal = queries.proposal_in(queries.request_in(self.project, uid), position)
        now = timezone.now()
        if given["decision"] == "refuse":
            proposals.refuse(proposal=proposal, by=self.actor, now=now)
        else:
            proposals.accept(proposal=proposal, by=self.actor, now=now, content=given["row"])
        proposal.refresh_from_db()
        return Response(ProposedRow(proposal).data)
