"""What was sent and not taken."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from feedback.forms import definitions as forms
from feedback.queries import refusals as queries
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_safe
@access.requires(Permission.FEEDBACK_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    """Refused calls, feedback, traces and scores of the last days, by reason."""
    days = forms.Days(request.GET).chosen()
    rows = queries.refused_since(request.project, days=days, now=timezone.now())
    context = {
        "rows": rows,
        "total": sum(row.count for row in rows),
        "days": str(days),
        "choices": forms.DAYS,
        "tab": "refused",
    }
    return render(request, "feedback/refusal_list.html", context)
