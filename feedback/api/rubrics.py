"""REST: rubrics, what labelers are asked."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.models import Rubric
from feedback.queries import rubrics as queries
from feedback.services import rubrics
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class RubricContent(serializers.Serializer[Any]):
    questions = serializers.JSONField(help_text="a list of {key, kind, text, guidelines, choices, low, high, required}")
    guidelines = serializers.CharField(max_length=10_000, required=False, allow_blank=True, default="")


class NewRubric(RubricContent):
    slug = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")


class RubricVersionItem(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    questions = serializers.JSONField()
    guidelines = serializers.CharField()
    by = serializers.CharField()
    created_at = serializers.DateTimeField()


class RubricItem(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    newest = serializers.IntegerField()


class WholeRubric(RubricItem):
    version = serializers.SerializerMethodField()

    @extend_schema(responses=RubricVersionItem)
    def get_version(self, item: Rubric) -> Any:
        return RubricVersionItem(queries.newest(item)).data


class RubricList(ProjectAPIView):
    """The project's rubrics; POST makes one with its first version."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_READ, "POST": Permission.QUEUE_WRITE}
    serializer_class = NewRubric

    @extend_schema(operation_id="rubrics_list", responses=RubricItem(many=True))
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("slug", "id")  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.rubrics_in(self.project)) or []
        return self.get_paginated_response(RubricItem(page, many=True).data)

    @extend_schema(operation_id="rubrics_create", responses={201: WholeRubric})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = rubrics.create(project=self.project, by=self.actor, **body.validated_data)
        return Response(WholeRubric(queries.rubric_in(self.project, made.rubric.slug)).data, status=201)


class RubricDetail(ProjectAPIView):
    """A rubric with its newest version; PUT saves a new one, and queues keep theirs."""

    permissions: ClassVar = {"GET": Permission.ANNOTATION_READ, "PUT": Permission.QUEUE_WRITE}
    serializer_class = RubricContent

    @extend_schema(operation_id="rubrics_get", responses=WholeRubric)
    def get(self, request: Request, slug: str) -> Response:
        return Response(WholeRubric(queries.rubric_in(self.project, slug)).data)

    @extend_schema(operation_id="rubrics_save", responses=WholeRubric)
    def put(self, request: Request, slug: str) -> Response:
        rubric = queries.rubric_in(self.project, slug)
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        rubrics.save(rubric=rubric, by=self.actor, **body.validated_data)
        return Response(WholeRubric(queries.rubric_in(self.project, slug)).data)
