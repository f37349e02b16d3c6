"""REST: masking rules, the deletion of one end user's data, and the export of calls."""

from __future__ import annotations

from typing import ClassVar

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.models import Erasure
from feedback.queries import erasures as erasure_queries
from feedback.queries import masks as queries
from feedback.services import erasures, exports, masks
from llmops.common import ids
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class MaskRuleItem(serializers.Serializer):
    name = serializers.CharField()
    title = serializers.CharField()
    finds = serializers.CharField()
    placeholder = serializers.CharField()
    is_on = serializers.BooleanField()
    is_built_in = serializers.BooleanField()


class NewMaskRule(serializers.Serializer):
    name = serializers.CharField(max_length=60)
    pattern = serializers.CharField(max_length=500, trim_whitespace=False)
    placeholder = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)


class MaskSwitch(serializers.Serializer):
    is_on = serializers.BooleanField()


class MaskText(serializers.Serializer):
    text = serializers.CharField(max_length=100_000, trim_whitespace=False, allow_blank=True)


class MaskedText(serializers.Serializer):
    text = serializers.CharField()
    found = serializers.DictField(child=serializers.IntegerField(), help_text="Pieces by rule.")


class EndUser(serializers.Serializer):
    end_user = serializers.CharField(max_length=200, help_text="The id that your application sends.")


class ErasedItem(serializers.Serializer):
    """A deletion: what went so far, and whether it is finished."""

    id = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Erasure.State.values)
    done = serializers.IntegerField(help_text="Rows looked at.")
    total = serializers.IntegerField()
    calls = serializers.IntegerField(source="counts.calls", default=0)
    feedback = serializers.IntegerField(source="counts.feedback", default=0)
    votes = serializers.IntegerField(source="counts.votes", default=0)
    inbox_items = serializers.IntegerField(source="counts.inbox_items", default=0)
    examples = serializers.IntegerField(
        source="counts.examples", default=0, help_text="Examples of datasets that were blanked."
    )
    queue_items = serializers.IntegerField(
        source="counts.queue_items", default=0, help_text="Labeled items that went with their answers."
    )
    error = serializers.CharField()

    def get_id(self, erasure: Erasure) -> str:
        return ids.public("erase", erasure.uid)


class MaskRules(ProjectAPIView):
    """What is masked before storage; POST adds a rule of the project's own."""

    permissions: ClassVar = {"GET": Permission.PROJECT_MANAGE, "POST": Permission.PROJECT_MANAGE}
    serializer_class = NewMaskRule
    pagination_class = None

    @extend_schema(operation_id="mask_rules_list", responses=MaskRuleItem(many=True))
    def get(self, request: Request) -> Response:
        return Response({"results": MaskRuleItem(queries.rules(self.project), many=True).data})

    @extend_schema(operation_id="mask_rules_create", responses={201: MaskRuleItem})
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        rule = masks.add(project=self.project, by=self.actor, **body.validated_data)
        return Response(MaskRuleItem(queries.rule_in(self.project, rule.name)).data, status=201)


class MaskRuleDetail(ProjectAPIView):
    """Switch a rule, or remove one of the project's own."""

    permissions: ClassVar = {"PATCH": Permission.PROJECT_MANAGE, "DELETE": Permission.PROJECT_MANAGE}
    serializer_class = MaskSwitch

    @extend_schema(operation_id="mask_rules_switch", responses=MaskRuleItem)
    def patch(self, request: Request, name: str) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        masks.switch(project=self.project, name=name, by=self.actor, **body.validated_data)
        return Response(MaskRuleItem(queries.rule_in(self.project, name)).data)

    @extend_schema(operation_id="mask_rules_remove", responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        masks.remove(project=self.project, name=name, by=self.actor)
        return Response(status=204)


class MaskTry(ProjectAPIView):
    """What would be stored of a text; nothing is kept."""

    permissions: ClassVar = {"POST": Permission.PROJECT_MANAGE}
    serializer_class = MaskText

    @extend_schema(operation_id="mask_try", responses=MaskedText)
    def post(self, request: Request) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        masked, found = queries.fresh(self.project.pk).by_rule(body.validated_data["text"])
        return Response({"text": masked, "found": found})


class EraseEndUser(ProjectAPIView):
    """Delete one person's calls and feedback; what is sent again under the same ids is not stored."""

    permissions: ClassVar = {"POST": Permission.DATA_ERASE}
    serializer_class = EndUser

    @extend_schema(operation_id="end_users_erase", responses={200: ErasedItem, 202: ErasedItem})
    def post(self, request: Request) -> Response:
        """202 when there is much to delete: `GET` by its id says how far it is."""
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        made = erasures.start(project=self.project, by=self.actor, now=timezone.now(), **body.validated_data)
        return Response(ErasedItem(made).data, status=202 if made.is_active else 200)


class ErasureDetail(ProjectAPIView):
    """How far a deletion is."""

    permissions: ClassVar = {"GET": Permission.DATA_ERASE}
    serializer_class = ErasedItem

    @extend_schema(operation_id="end_users_erasure_get", responses=ErasedItem)
    def get(self, request: Request, uid: str) -> Response:
        return Response(ErasedItem(erasure_queries.erasure_in(self.project, uid)).data)


class Span(serializers.Serializer):
    format = serializers.ChoiceField(choices=["jsonl", "parquet"], default="jsonl")
    since = serializers.DateTimeField(required=False, default=None, allow_null=True)
    until = serializers.DateTimeField(required=False, default=None, allow_null=True)


class ExportCalls(ProjectAPIView):
    """Calls with everything said about them: one JSON object a line, or a Parquet file."""

    permissions: ClassVar = {"POST": Permission.DATA_EXPORT}
    serializer_class = Span

    @extend_schema(
        operation_id="calls_export", responses={(200, "application/x-ndjson"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("Accept", OpenApiTypes.STR, OpenApiParameter.HEADER, exclude=True)],
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        exports.note(project=self.project, form=wanted["format"], by=self.actor)
        span = (wanted["since"], wanted["until"])
        if wanted["format"] == "parquet":
            return FileResponse(exports.parquet(self.project, *span), content_type="application/vnd.apache.parquet")
        return StreamingHttpResponse(exports.lines(self.project, *span), content_type="application/x-ndjson")
