"""What a prompt's own pages show of production: a panel that they load from here."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from feedback.queries import breakdown, human
from feedback.queries import traffic as traffic_queries
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

DAYS = 30


@require_GET
@access.requires(Permission.MONITOR_READ)
def prompt_thumbs(request: access.ProjectRequest, path: str) -> HttpResponse:
    """Thumbs of one prompt's versions over the last month, and what people settled about them."""
    artifact = prompt_queries.artifact_in(request.project, path)
    zone = ZoneInfo(request.project.timezone)
    today = timezone.now().astimezone(zone).date()
    span = traffic_queries.Span(today - timedelta(days=DAYS - 1), today, zone)
    found = traffic_queries.traffic(request.project, span).narrowed(traffic_queries.TrafficFilter(prompt=artifact.path))
    total = found.total()
    context = {
        "artifact": artifact,
        "days": DAYS,
        "rows": breakdown.rows(request.project, found, "version"),
        "satisfaction": total.satisfaction,
        "response": total.response,
        "human": human.of_prompt(artifact),
    }
    return render(request, "feedback/_prompt_thumbs.html", context)
