"""REST: evaluators, and the metrics that they are made of."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.api import serializers
from evals.judges.catalogue import TEMPLATES
from evals.queries import evaluators as queries
from evals.services import evaluators, judge_templates
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class EvaluatorList(ProjectAPIView):
    """The project's named evaluators; POST makes one, from its settings or from a judge template.

    A template becomes a prompt of the project, which needs the permission to write prompts too.
    """

    permissions: ClassVar = {"GET": Permission.EVALUATOR_READ, "POST": Permission.EVALUATOR_WRITE}
    serializer_class = serializers.NewEvaluator

    @extend_schema(operation_id="evaluators_list", responses=serializers.EvaluatorListItem(many=True))
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("slug", "id")  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.evaluators_in(self.project)) or []
        return self.get_paginated_response(serializers.EvaluatorListItem(page, many=True).data)

    @extend_schema(responses={201: serializers.EvaluatorItem})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        if "template" in given:
            self.grant.require(Permission.PROMPT_WRITE)
            version = judge_templates.create(project=self.project, by=self.actor, now=timezone.now(), **given)
        else:
            version = evaluators.create(project=self.project, by=self.actor, **given)
        return Response(serializers.EvaluatorItem(version).data, status=201)


class EvaluatorDetail(ProjectAPIView):
    """An evaluator in its newest version."""

    permissions: ClassVar = {"GET": Permission.EVALUATOR_READ}
    serializer_class = serializers.EvaluatorItem

    @extend_schema(operation_id="evaluators_get")
    def get(self, request: Request, slug: str) -> Response:
        return Response(self.get_serializer(queries.newest_version(self.project, slug)).data)


class EvaluatorVersions(ProjectAPIView):
    """Save a new version of an evaluator."""

    permissions: ClassVar = {"POST": Permission.EVALUATOR_WRITE}
    serializer_class = serializers.EvaluatorChange

    @extend_schema(responses={201: serializers.EvaluatorItem})
    def post(self, request: Request, slug: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        evaluator = queries.evaluator_in(self.project, slug)
        evaluators.save(evaluator=evaluator, by=self.actor, **body.validated_data)
        return Response(serializers.EvaluatorItem(queries.newest_version(self.project, slug)).data, status=201)


class JudgeTemplateList(ProjectAPIView):
    """Every ready rubric."""

    permissions: ClassVar = {"GET": Permission.EVALUATOR_READ}
    serializer_class = serializers.JudgeTemplateItem
    pagination_class = None

    @extend_schema(operation_id="judge_templates_list", responses=serializers.JudgeTemplateItem(many=True))
    def get(self, request: Request) -> Response:
        return Response({"results": self.get_serializer(TEMPLATES.values(), many=True).data})


class MetricList(ProjectAPIView):
    """Every metric with its parameters."""

    permissions: ClassVar = {"GET": Permission.EVALUATOR_READ}
    serializer_class = serializers.MetricItem
    pagination_class = None

    @extend_schema(operation_id="metrics_list", responses=serializers.MetricItem(many=True))
    def get(self, request: Request) -> Response:
        return Response({"results": self.get_serializer(queries.catalogue(), many=True).data})
