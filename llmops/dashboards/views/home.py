"""The project's first page."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from llmops.dashboards import cards
from llmops.dashboards.queries import home as queries
from llmops.projects import access
from llmops.projects.permissions import Permission

PERIODS = [("1", "Today"), ("7", "7 days"), ("30", "30 days")]


@require_GET
@access.requires(Permission.PROJECT_VIEW)
def home(request: access.ProjectRequest) -> HttpResponse:
    """How the product is, and what waits."""
    if Permission.MONITOR_READ not in request.permissions:  # a labeler's work is all there is to see
        return redirect("feedback:queue-list", request.project.slug)
    days = request.GET.get("days", "7")
    days = days if days in dict(PERIODS) else "7"
    today = timezone.now().astimezone(ZoneInfo(request.project.timezone)).date()
    found = queries.home(request.project, today, int(days))
    context = {
        "home": found,
        "stats": cards.stats(found, int(days)),
        "title": cards.headline(found),
        "days": days,
        "periods": PERIODS,
        "steps": [] if found.steps.is_complete else cards.steps(found.steps, request.project),
    }
    return render(request, "dashboards/home.html", context)
