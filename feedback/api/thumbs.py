"""REST: satisfaction by version, model, environment or prompt, as the monitor shows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.queries import breakdown
from feedback.queries import traffic as traffic_queries
from llmops.projects.api import ProjectAPIView
from llmops.projects.permissions import Permission


class Wanted(serializers.Serializer):
    by = serializers.ChoiceField(choices=["version", "model", "environment", "path"], default="version")
    days = serializers.IntegerField(min_value=1, max_value=90, default=7)
    prompt = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)


class AgainstItem(serializers.Serializer):
    word = serializers.CharField(help_text="changed, not known yet, or too few votes")
    delta = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    p = serializers.FloatField(allow_null=True, help_text="Adjusted for the number of rows.")
    method = serializers.CharField()
    different_people = serializers.BooleanField()


class ThumbsItem(serializers.Serializer):
    """One row. `rate` and its interval are null while `shown` is `count`: then ups and votes are all that is known."""

    name = serializers.CharField()
    calls = serializers.IntegerField(source="sums.calls")
    shown = serializers.CharField(source="satisfaction.shown", help_text="count, doubtful or rate")
    ups = serializers.IntegerField(source="satisfaction.all_ups")
    votes = serializers.IntegerField(source="satisfaction.all_votes")
    people = serializers.IntegerField(source="satisfaction.users")
    rate = serializers.SerializerMethodField()
    low = serializers.SerializerMethodField()
    high = serializers.SerializerMethodField()
    per_person = serializers.FloatField(source="satisfaction.per_user", allow_null=True)
    top_share = serializers.FloatField(source="satisfaction.top_share")
    voted = serializers.IntegerField(source="response.voted")
    response_rate = serializers.FloatField(source="response.rate", allow_null=True)
    is_reference = serializers.BooleanField()
    against = AgainstItem(allow_null=True)

    def get_rate(self, row: breakdown.Row) -> float | None:
        return self._part(row, 0)

    def get_low(self, row: breakdown.Row) -> float | None:
        return self._part(row, 1)

    def get_high(self, row: breakdown.Row) -> float | None:
        return self._part(row, 2)

    def _part(self, row: breakdown.Row, index: int) -> float | None:
        estimate: Any = None if row.satisfaction.shown == "count" else row.satisfaction.estimate
        return None if estimate is None else float(estimate[index])


class ThumbsList(ProjectAPIView):
    """Thumbs of the last days, the busiest first, each row against the one with the most votes."""

    permissions: ClassVar = {"GET": Permission.MONITOR_READ}
    serializer_class = ThumbsItem
    pagination_class = None

    @extend_schema(operation_id="thumbs_list", parameters=[Wanted], responses=ThumbsItem(many=True))
    def get(self, request: Request) -> Response:
        wanted = Wanted(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        asked = wanted.validated_data
        zone = ZoneInfo(self.project.timezone)
        today = timezone.now().astimezone(zone).date()
        span = traffic_queries.Span(today - timedelta(days=asked["days"] - 1), today, zone)
        found = traffic_queries.traffic(self.project, span).narrowed(
            traffic_queries.TrafficFilter(prompt=asked["prompt"])
        )
        rows = breakdown.rows(self.project, found, asked["by"])
        return Response({"results": ThumbsItem(rows, many=True).data})
