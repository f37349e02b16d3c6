"""REST: the labels of a prompt: which there are, where they point, and who may move them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission
from prompts import queries
from prompts.services import answers, labels


class MoveLabel(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ProtectLabel(serializers.Serializer[Any]):
    protected = serializers.BooleanField(help_text="whether moving it needs the permission label:release")


class LabelItem(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField(source="version.numbered.number")
    protected = serializers.BooleanField()
    moved_at = serializers.DateTimeField()
    moved_by = serializers.CharField(source="moved_by_text")


class LabelList(ProjectAPIView):
    """The labels of a prompt, the protected ones first."""

    permissions: ClassVar = {"GET": Permission.PROMPT_READ}
    serializer_class = LabelItem

    @extend_schema(responses=LabelItem(many=True))
    def get(self, request: Request, path: str) -> Response:
        self.paginator.ordering = ("-protected", "name")  # type: ignore[union-attr]
        found = self.paginate_queryset(queries.labels_of(queries.artifact_in(self.project, path)))
        return self.get_paginated_response(LabelItem(found, many=True).data)


class LabelDetail(ProjectAPIView):
    """Point a label at a version (it is created when there is none), protect it, or take it away."""

    permissions: ClassVar = {
        "PUT": Permission.LABEL_MOVE,
        "PATCH": Permission.LABEL_RELEASE,
        "DELETE": Permission.LABEL_MOVE,
    }

    def get_serializer_class(self) -> type[serializers.Serializer[Any]]:
        return ProtectLabel if self.request.method == "PATCH" else MoveLabel

    def put(self, request: Request, path: str, label: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        artifact = queries.artifact_in(self.project, path)
        version = queries.version_in(artifact, number=body.validated_data["version"])
        labels.move(
            artifact=artifact,
            name=label,
            to=version,
            by=self.actor,
            now=timezone.now(),
            may_release=Permission.LABEL_RELEASE in self.grant.permissions,
            reason=body.validated_data["reason"],
        )
        answers.forget()
        return Response(queries.resolved(artifact, version).as_json())

    def patch(self, request: Request, path: str, label: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        artifact = queries.artifact_in(self.project, path)
        labels.protect(artifact=artifact, name=label, by=self.actor, **body.validated_data)
        return Response(LabelItem(queries.label_in(artifact, label)).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, path: str, label: str) -> Response:
        may_release = Permission.LABEL_RELEASE in self.grant.permissions
        artifact = queries.artifact_in(self.project, path)
        labels.remove(artifact=artifact, name=label, by=self.actor, may_release=may_release)
        answers.forget()
        return Response(status=204)
