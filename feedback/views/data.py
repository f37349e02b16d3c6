"""What is kept of production, how it leaves, and how one person's share of it is deleted."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from feedback.forms import data as forms
from feedback.queries import erasures as queries
from feedback.services import erasures, exports
from llmops.projects import access
from llmops.projects.models import Project
from llmops.projects.permissions import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.DATA_ERASE)
def data(request: access.ProjectRequest) -> HttpResponse:
    """Retention, export, and the deletion of one end user."""
    form = forms.EraseEndUser(request.POST or None)
    if request.method == "POST" and form.is_valid():
        erasures.start(
            project=request.project, end_user=form.cleaned_data["end_user"], by=request.actor, now=timezone.now()
        )
        return redirect(reverse("feedback:data", args=[request.project.slug]) + "#erasures")
    recent = queries.recent(request.project)
    context = {"form": form, "tab": "data", "has_parquet": exports.has_parquet(), "erasures": recent}
    context |= {"is_erasing": any(one.is_active for one in recent)}
    is_part = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "feedback/data.html#erasures" if is_part else "feedback/data.html"
    response = render(request, template, context, status=400 if form.errors else 200)
    response["Vary"] = "HX-Request"
    return response


@require_POST
@access.requires(Permission.DATA_EXPORT)
def export(request: access.ProjectRequest, form: str) -> HttpResponseBase:
    """Every call with its feedback as a file."""
    exports.note(project=request.project, form=form, by=request.actor)
    return file_of(request.project, form)


def file_of(project: Project, form: str) -> HttpResponseBase:
    """The download: a stream of lines, or the whole file in the other form."""
    name = f"{project.slug}-calls.{form}"
    if form == "parquet":
        return FileResponse(exports.parquet(project), as_attachment=True, filename=name)
    response = StreamingHttpResponse(exports.lines(project), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
