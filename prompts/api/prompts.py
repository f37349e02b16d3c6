"""REST: list, fetch, save and render prompts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.http import quote_etag
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from llmops.common import api_errors
from llmops.common.errors import Invalid
from llmops.projects import access, keys
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission
from prompts import queries
from prompts.models import Artifact, Version
from prompts.services import answers, execution, versions


class SaveVersion(serializers.Serializer[Any]):
    content = serializers.CharField(max_length=256 * 1024, trim_whitespace=False, help_text="the prompt file's text")
    message = serializers.CharField(max_length=2_000, required=False, allow_blank=True, default="")
    base_version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1,
        help_text="the number that the text is based on; 0: the prompt must not exist; absent: whatever is latest",
    )  # fmt: skip


class RenderPrompt(serializers.Serializer[Any]):
    inputs = serializers.DictField(required=False, default=dict)
    label = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")  # type: ignore[assignment]
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1)


class PromptListItem(serializers.Serializer[Any]):
    name = serializers.CharField(source="path")
    kind = serializers.CharField()
    description = serializers.CharField()
    version = serializers.IntegerField(source="latest_number")
    labels = serializers.SerializerMethodField()
    updated_at = serializers.DateTimeField(source="latest_at")

    def get_labels(self, artifact: Any) -> dict[str, int]:
        return {label.name: label.version.numbered.number for label in artifact.shown_labels}


class PromptList(ProjectAPIView):
    """The project's prompts, by path."""

    permissions: ClassVar = {"GET": Permission.PROMPT_READ}
    serializer_class = PromptListItem

    @extend_schema(
        operation_id="prompts_list", parameters=[OpenApiParameter("search", str), OpenApiParameter("folder", str)]
    )
    def get(self, request: Request) -> Response:
        self.paginator.ordering = ("path", "id")  # type: ignore[union-attr]
        found: QuerySet[Artifact] = queries.prompt_rows(
            queries.artifacts_in(
                self.project,
                search=request.query_params.get("search", "")[:200],
                folder=request.query_params.get("folder", "")[:200],
            )
        )
        page = self.paginate_queryset(found)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class Versions(ProjectAPIView):
    """The prompt's versions, newest first; POST saves one."""

    permissions: ClassVar = {"GET": Permission.PROMPT_READ, "POST": Permission.PROMPT_WRITE}
    serializer_class = SaveVersion

    def get(self, request: Request, path: str) -> Response:
        artifact = queries.artifact_in(self.project, path)
        self.paginator.ordering = ("-id",)  # type: ignore[union-attr]
        page = self.paginate_queryset(queries.versions_of(artifact).order_by("-id")) or []
        return self.get_paginated_response(
            [
                {
                    "version": version.numbered.number,
                    "commit": version.commit.hex,
                    "blob": version.content.blob,
                    "message": version.commit.message.strip(),
                    "by": version.by_text,
                    "created_at": version.created_at,
                }
                for version in page
            ]
        )

    @extend_schema(responses={201: OpenApiResponse(description="saved"), 409: OpenApiResponse(description="stale")})
    def post(self, request: Request, path: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            saved = versions.save(
                project=self.project, path=path, by=self.actor, now=timezone.now(), source=Version.Source.API,
                **body.validated_data,
            )  # fmt: skip
        except versions.StaleBase as stale:
            current = queries.resolved(stale.current.artifact, stale.current)
            return Response({**api_errors.body(stale), "current": current.as_json()}, status=409)
        answer = queries.resolved(saved.version.artifact, saved.version).as_json()
        return Response(answer, status=201 if saved.created else 200)


class Render(ProjectAPIView):
    """The messages that a model would get; nothing is sent."""

    permissions: ClassVar = {"POST": Permission.PROMPT_READ}
    serializer_class = RenderPrompt

    def post(self, request: Request, path: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        artifact = queries.artifact_in(self.project, path)
        version = queries.version_in(
            artifact,
            number=body.validated_data["version"],
            label=body.validated_data["label"] or queries.DEFAULT_LABEL,
        )
        messages = execution.compiled(version).messages(body.validated_data["inputs"])
        number = version.numbered.number
        return Response(
            {
                "name": artifact.path,
                "version": number,
                "commit": version.commit.hex,
                "messages": [message.as_json() for message in messages],
                "model": version.content.spec["model"],
                "parameters": version.content.spec["parameters"],
            }
        )


@csrf_exempt
@access.public("the key in the header is checked by the view itself")
def fetch(request: HttpRequest, path: str) -> HttpResponse:
    """One prompt by label, number or commit; outside the framework because applications ask for it at every call.

    The answer is kept in the process for at most a second, so a moved label is seen everywhere within that second.
    """
    if request.method not in {"GET", "HEAD"}:
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    grant = keys.grant_for_header(request.headers.get("Authorization"))
    grant.require(Permission.PROMPT_READ)
    label, version, commit = (request.GET.get(name, "") for name in ("label", "version", "commit"))
    key = (grant.project.pk, path, label, version, commit)
    body, etag = answers.kept(key, lambda: _answer(grant, path, label, version, commit))
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)


def _answer(grant: keys.Grant, path: str, label: str, version: str, commit: str) -> tuple[bytes, str]:
    if sum(bool(given) for given in (label, version, commit)) > 1:
        raise Invalid("Give one of label, version and commit.", fields={"label": "or version, or commit"})
    number = _number(version)
    artifact = queries.artifact_in(grant.project, path)
    found = queries.version_in(artifact, number=number, commit=commit or None, label=label or queries.DEFAULT_LABEL)
    answer = queries.resolved(artifact, found).as_json()
    etag = quote_etag(f"{answer['commit'][:12]}-{answer['blob'][:12]}-{'.'.join(answer['labels'])}"[:120])
    return JsonResponse(answer).content, etag


def _number(version: str) -> int | None:
    if not version:
        return None
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise Invalid("A version is a whole number.", fields={"version": "a whole number"})
    return int(version)


def plain_operations() -> dict[str, dict[str, dict[str, Any]]]:
    """The OpenAPI operation of `fetch`."""
    names = {"label": "default: production", "version": "a number", "commit": "7 to 40 hexadecimal digits"}
    parameters = [
        {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}
        for name, description in names.items()
    ]
    path = {"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}
    properties = {
        **{name: {"type": "string"} for name in ("name", "kind", "commit", "blob", "model", "created_at", "message")},
        "version": {"type": "integer"},
        "labels": {"type": "array", "items": {"type": "string"}},
        **{name: {"type": "array", "items": {"type": "object"}} for name in ("messages", "inputs")},
        "parameters": {"type": "object"},
        "outputs": {},
    }
    return {
        "/api/v1/prompts/{path}": {
            "get": {
                "operationId": "prompts_retrieve",
                "tags": ["prompts"],
                "description": "By label (default production), number or commit; 304 to If-None-Match.",
                "parameters": [path, *parameters],
                "security": [{"KeyAuthentication": []}],
                "responses": {
                    "200": {
                        "description": "the version",
                        "content": {"application/json": {"schema": {"type": "object", "properties": properties}}},
                    },
                    "304": {"description": "not changed"},
                    "404": {"description": "no such prompt, label or version"},
                },
            }
        }
    }
