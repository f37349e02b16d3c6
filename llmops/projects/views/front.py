"""The address without a path: on to the person's project, the list of projects, or a new one."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from llmops.common.errors import DomainError
from llmops.projects import access, forms, queries
from llmops.projects.services import projects
from llmops.projects.views.problems import put_on


@require_safe
@access.signed_in
def start(request: access.PersonRequest) -> HttpResponseBase:
    """The only project at once, else the list to choose from."""
    found = list(queries.projects_of(request.user)[:2])
    if len(found) == 1:
        return redirect("dashboards:home", project_slug=found[0].slug)
    return listing(request)


@require_safe
@access.signed_in
def listing(request: access.PersonRequest) -> HttpResponse:
    return render(request, "projects/project_list.html", {"all_projects": queries.projects_of(request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
@access.signed_in
def new(request: access.PersonRequest) -> HttpResponse:
    """A new project; its creator is its admin."""
    form = forms.NewProject(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = projects.create(admin=request.user, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            return redirect("dashboards:home", project.slug)
    return render(request, "projects/project_new.html", {"form": form}, status=400 if form.errors else 200)
