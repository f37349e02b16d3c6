"""REST: the file of a prompt, byte for byte."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from llmops.common.errors import Invalid
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission
from prompts import queries


class WhichVersion(serializers.Serializer[Any]):
    """At most one of the three; without any, the label `production`."""

    label = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)  # type: ignore[assignment]
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)
    commit = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)


class PromptFile(ProjectAPIView):
    """One version with its file's text: its git hash is `blob`, so a copy can be checked."""

    permissions: ClassVar = {"GET": Permission.PROMPT_READ}
    serializer_class = WhichVersion

    @extend_schema(
        operation_id="prompts_file",
        parameters=[OpenApiParameter("label", str), OpenApiParameter("version", int), OpenApiParameter("commit", str)],
        responses={200: OpenApiResponse(description="the version, and `content`: the file's text")},
    )
    def get(self, request: Request, path: str) -> Response:
        asked = self.get_serializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        label, number, commit = (asked.validated_data[name] for name in ("label", "version", "commit"))
        if sum(map(bool, (label, number, commit))) > 1:
            raise Invalid("Give one of label, version and commit.", fields={"label": "or version, or commit"})
        artifact = queries.artifact_in(self.project, path)
        version = queries.version_in(
            artifact, number=number, commit=commit or None, label=label or queries.DEFAULT_LABEL
        )
        return Response({**queries.resolved(artifact, version).as_json(), "content": version.content.text})
