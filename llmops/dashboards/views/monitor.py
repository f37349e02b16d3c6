"""The monitor page."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from feedback.queries import traffic
from llmops.dashboards import charts, forms
from llmops.dashboards.queries import monitor as queries
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_GET
@access.requires(Permission.MONITOR_READ)
@csp_update({"style-src": [SELF, UNSAFE_INLINE]})  # plotly draws with injected styles; scripts stay on 'self'
def monitor(request: access.ProjectRequest) -> HttpResponse:
    """Production by version and day, with deployments as markers."""
    form = forms.Narrow(request.GET)
    today = timezone.now().astimezone(ZoneInfo(request.project.timezone)).date()
    span = form.span(request.project, today)
    narrowed = form.narrowed(request.project)
    found = queries.monitor(request.project, span, narrowed, form.breakdown())
    context = {
        "monitor": found,
        "charts": charts.charts(found),
        "breakdowns": forms.BREAKDOWNS,
        "narrowed": narrowed,
        "version": form.cleaned_data.get("version"),
        "days": str((span.last - span.first).days + 1),
        "ranges": forms.RANGES,
        "is_new": found.is_empty and not traffic.has_calls(request.project),
    }
    return render(request, "dashboards/monitor.html", context)
