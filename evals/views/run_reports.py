"""A run as a file to take away."""

from __future__ import annotations

from django.http import HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from evals.queries import reports
from evals.queries import runs as run_queries
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_safe
@access.requires(Permission.RUN_READ)
def report(request: access.ProjectRequest, uid: str) -> HttpResponseBase:
    """`?format=` markdown, junit, json or csv; sent while it is read, whatever its size."""
    run = run_queries.run_in(request.project, uid)
    found = reports.download(run, request.GET.get("format", "markdown"))
    return StreamingHttpResponse(found.pieces, headers=found.headers)
