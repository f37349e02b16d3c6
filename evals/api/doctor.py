"""REST: the dataset doctor."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.doctor import Kind
from evals.models import Checkup, CheckupFinding
from evals.queries import checkups as queries
from evals.queries import datasets as dataset_queries
from evals.services import checkups
from llmops.common import ids
from llmops.common.errors import Invalid
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission

MOST = 2**31 - 1


class NewCheckup(serializers.Serializer[Any]):
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=MOST, help_text="none: the newest"
    )
    threshold = serializers.FloatField(
        required=False,
        default=checkups.ALIKE,
        help_text="Jaccard similarity from which inputs count as nearly the same",
    )
    last_runs = serializers.IntegerField(
        required=False, default=checkups.RUNS, min_value=1, max_value=checkups.MOST_RUNS
    )


class CheckupItem(serializers.Serializer[Any]):
    """`counts` has the number of findings of each kind; `progress` is the share of the work that is done."""

    id = serializers.SerializerMethodField()
    dataset = serializers.CharField(source="dataset.slug")
    version = serializers.IntegerField(source="version_number")
    state = serializers.CharField()
    phase = serializers.CharField()
    progress = serializers.FloatField()
    threshold = serializers.FloatField()
    last_runs = serializers.IntegerField()
    rows = serializers.IntegerField()
    runs = serializers.IntegerField(help_text="how many finished runs were read")
    prompts = serializers.IntegerField(help_text="how many prompt versions were searched for rows")
    counts = serializers.DictField(child=serializers.IntegerField())
    is_complete = serializers.BooleanField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_id(self, item: Checkup) -> str:
        return ids.public("chk", item.uid)


class FoundRow(serializers.Serializer[Any]):
    example = serializers.CharField()
    number = serializers.IntegerField()
    split = serializers.CharField()


class FindingItem(serializers.Serializer[Any]):
    """`size` counts the rows of the finding, `rows` names the first of them."""

    id = serializers.SerializerMethodField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    size = serializers.IntegerField()
    strength = serializers.FloatField()
    note = serializers.CharField()
    rows = serializers.SerializerMethodField()

    def get_id(self, item: CheckupFinding) -> str:
        return ids.public("fnd", item.uid)

    @extend_schema(responses=FoundRow(many=True))
    def get_rows(self, item: CheckupFinding) -> list[dict[str, Any]]:
        keys = dataset_queries.keys_of(item.members)
        return [
            {"example": ids.public("ex", key), "number": row["number"], "split": row["split"]}
            for key, row in zip(keys, item.members, strict=True)
        ]


class Doctor(ProjectAPIView):
    """The doctor's last look at a dataset: how far it is, what it found. POST starts one, DELETE stops it."""

    permissions: ClassVar = {
        "GET": Permission.DATASET_READ,
        "POST": Permission.DATASET_WRITE,
        "DELETE": Permission.DATASET_WRITE,
    }
    serializer_class = NewCheckup

    @extend_schema(operation_id="doctor_get", responses=CheckupItem)
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_queries.dataset_in(self.project, slug)
        return Response(CheckupItem(queries.newest_in(dataset)).data)

    @extend_schema(operation_id="doctor_start", responses={202: CheckupItem})
    def post(self, request: Request, slug: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        dataset = dataset_queries.dataset_in(self.project, slug)
        made = checkups.start(dataset=dataset, by=self.actor, **body.validated_data)
        return Response(CheckupItem(made).data, status=202)

    @extend_schema(operation_id="doctor_cancel", responses=CheckupItem)
    def delete(self, request: Request, slug: str) -> Response:
        dataset = dataset_queries.dataset_in(self.project, slug)
        checkups.cancel(of=queries.newest_in(dataset), by=self.actor, now=timezone.now())
        return Response(CheckupItem(queries.newest_in(dataset)).data)


class Findings(ProjectAPIView):
    """Findings of the last look, the worst kind first; `kind` narrows them."""

    permissions: ClassVar = {"GET": Permission.DATASET_READ}
    serializer_class = FindingItem

    @extend_schema(
        operation_id="doctor_findings",
        parameters=[OpenApiParameter("kind", str, enum=[kind.value for kind in Kind])],
        responses=FindingItem(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = dataset_queries.dataset_in(self.project, slug)
        kind = request.query_params.get("kind", "")
        if kind and kind not in list(Kind):
            raise Invalid("There is no such kind of finding.", fields={"kind": f"one of {', '.join(Kind)}"})
        self.paginator.ordering = ("rank",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.findings_of(queries.newest_in(dataset), kind)) or []
        return self.get_paginated_response(FindingItem(page, many=True).data)
