"""Search over names."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from llmops.common import text
from llmops.dashboards.queries import search as queries
from llmops.projects import access
from llmops.projects.permissions import Permission

LONGEST = 200


@require_GET
@access.requires(Permission.PROJECT_VIEW)
def search(request: access.ProjectRequest) -> HttpResponse:
    """Prompts, datasets, evaluators and runs by name."""
    wanted = text.repaired(request.GET.get("q", "")).strip()[:LONGEST]
    groups = queries.search(request.project, wanted, request.permissions)
    return render(request, "dashboards/search.html", {"wanted": wanted, "groups": groups})
