"""REST: what was sent and not taken, and why."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.queries import refusals as queries
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class RefusalItem(serializers.Serializer[Any]):
    entry = serializers.CharField(help_text="calls, feedback, traces or scores")
    reason = serializers.CharField(help_text="the error's code")
    field = serializers.CharField(help_text="the first field that was named, or empty")
    count = serializers.IntegerField()
    sample = serializers.CharField(help_text="the newest message that a sender got")
    last_at = serializers.DateTimeField()


class Asked(serializers.Serializer[Any]):
    days = serializers.IntegerField(min_value=1, max_value=365, default=7)


class RefusalList(ProjectAPIView):
    """Counts of refused items by way in, reason and field, over the last days."""

    permissions: ClassVar = {"GET": Permission.FEEDBACK_READ}
    serializer_class = RefusalItem
    pagination_class = None

    @extend_schema(
        operation_id="refusals_list",
        parameters=[OpenApiParameter("days", int, description="1 to 365; 7 unless said")],
        responses=RefusalItem(many=True),
    )
    def get(self, request: Request) -> Response:
        asked = Asked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = queries.refused_since(self.project, days=asked.validated_data["days"], now=timezone.now())
        return Response({"results": RefusalItem(rows, many=True).data})
