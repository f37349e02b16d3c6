"""The project's general settings, and its end."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from llmops.common.errors import DomainError
from llmops.projects import access, forms
from llmops.projects.permissions import Permission
from llmops.projects.services import projects
from llmops.projects.views.problems import put_on


@require_safe
@access.requires(Permission.PROJECT_VIEW)
def first(request: access.ProjectRequest) -> HttpResponse:
    """The first page of the settings that the member's role may see."""
    pages = [
        (Permission.PROJECT_MANAGE, "projects:general"),
        (Permission.MEMBER_READ, "projects:members"),
        (Permission.KEY_OWN, "projects:keys"),
    ]
    page = next(name for permission, name in pages if permission in request.permissions)
    return redirect(page, request.project.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.PROJECT_MANAGE)
def general(request: access.ProjectRequest) -> HttpResponse:
    """Name, time zone, retention, masking."""
    now = {name: getattr(request.project, name) for name in projects.EDITABLE}
    form = forms.EditProject(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            projects.edit(project=request.project, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("projects:general", request.project.slug)
    return _page(request, form, forms.DeleteProject(project=request.project))


@require_POST
@access.requires(Permission.PROJECT_MANAGE)
def delete(request: access.ProjectRequest) -> HttpResponse:
    """Delete the project, once its address was typed."""
    form = forms.DeleteProject(request.POST, project=request.project)
    if not form.is_valid():
        now = {name: getattr(request.project, name) for name in projects.EDITABLE}
        return _page(request, forms.EditProject(initial=now), form, status=400)
    projects.delete(project=request.project, by=request.actor, now=timezone.now())
    messages.success(request, f"{request.project.name} is deleted.")
    return redirect("start")


def _page(
    request: access.ProjectRequest, form: forms.EditProject, delete_form: forms.DeleteProject, status: int = 200
) -> HttpResponse:
    status = 400 if form.errors else status
    context = {"form": form, "delete_form": delete_form, "tab": "settings"}
    return render(request, "projects/settings_general.html", context, status=status)
