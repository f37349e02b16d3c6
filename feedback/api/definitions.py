"""REST: score definitions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.models import ScoreDefinition
from feedback.queries import definitions as queries
from feedback.services import definitions
from llmops.common import ids
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class DefinitionItem(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(choices=ScoreDefinition.Kind.choices)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    categories = serializers.ListField(child=serializers.CharField())
    is_declared = serializers.BooleanField(help_text="false when it came with the first score of its name")

    def get_id(self, definition: ScoreDefinition) -> str:
        return ids.public("def", definition.uid)


class DefinitionChange(serializers.Serializer[Any]):
    """What may change: kind and name stay."""

    description = serializers.CharField(max_length=definitions.LONGEST_DESCRIPTION, required=False, allow_blank=True)
    low = serializers.FloatField(required=False, allow_null=True)
    high = serializers.FloatField(required=False, allow_null=True)
    categories = serializers.ListField(
        child=serializers.CharField(max_length=definitions.LONGEST_CATEGORY),
        required=False,
        max_length=definitions.MOST_CATEGORIES,
    )


class NewDefinition(DefinitionChange):
    name = serializers.CharField(max_length=definitions.LONGEST_NAME)
    kind = serializers.ChoiceField(choices=ScoreDefinition.Kind.choices)


class DefinitionList(ProjectAPIView):
    """The project's score definitions; POST adds one."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ, "POST": Permission.EVALUATOR_WRITE}
    serializer_class = NewDefinition
    pagination_class = None

    @extend_schema(operation_id="score_definitions_list", responses=DefinitionItem(many=True))
    def get(self, request: Request) -> Response:
        return Response({"results": DefinitionItem(queries.definitions_in(self.project), many=True).data})

    @extend_schema(responses={201: DefinitionItem})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = definitions.create(project=self.project, by=self.actor, **body.validated_data)
        return Response(DefinitionItem(made).data, status=201)


class DefinitionDetail(ProjectAPIView):
    """One score definition; PATCH changes its limits, DELETE archives it."""

    permissions: ClassVar = {
        "GET": Permission.FEEDBACK_READ,
        "PATCH": Permission.EVALUATOR_WRITE,
        "DELETE": Permission.EVALUATOR_WRITE,
    }
    serializer_class = DefinitionChange

    @extend_schema(operation_id="score_definitions_get", responses=DefinitionItem)
    def get(self, request: Request, uid: str) -> Response:
        return Response(DefinitionItem(self._definition(uid)).data)

    @extend_schema(responses=DefinitionItem)
    def patch(self, request: Request, uid: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        changed = definitions.edit(definition=self._definition(uid), by=self.actor, **body.validated_data)
        return Response(DefinitionItem(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, uid: str) -> Response:
        definitions.archive(definition=self._definition(uid), by=self.actor, now=timezone.now())
        return Response(status=204)

    def _definition(self, uid: str) -> ScoreDefinition:
        return queries.definition_in(self.project, ids.parse("def", uid))
