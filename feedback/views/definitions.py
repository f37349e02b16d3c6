"""Score definitions in the project's settings."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feedback.forms import definitions as forms
from feedback.queries import definitions as queries
from feedback.services import definitions
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from llmops.projects.views.problems import put_on

EXAMPLE = """curl -X POST {base_url}/api/v1/feedback \\
  -H "Authorization: Bearer $LLMOPS_KEY" -H "Content-Type: application/json" \\
  -d '{{"call": "your-call-id", "name": "helpfulness", "value": 4, "end_user": "u-17"}}'"""


@require_safe
@access.requires(Permission.FEEDBACK_READ)
def listing(request: access.ProjectRequest) -> HttpResponse:
    """All definitions in use, and the form for a new one."""
    return _page(request, forms.NewDefinition())


@require_POST
@access.requires(Permission.EVALUATOR_WRITE)
def create(request: access.ProjectRequest) -> HttpResponse:
    form = forms.NewDefinition(request.POST)
    if form.is_valid():
        try:
            made = definitions.create(project=request.project, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, f"Feedback may name the score “{made.name}” now.")
            return redirect("feedback:definition-list", request.project.slug)
    return _page(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.EVALUATOR_WRITE)
def edit(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    definition = queries.definition_in(request.project, uid)
    form = forms.EditDefinition(request.POST) if request.method == "POST" else forms.EditDefinition.of(definition)
    if form.is_bound and form.is_valid():
        try:
            definitions.edit(definition=definition, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, "Saved. What is stored already stays as it is.")
            return redirect("feedback:definition-list", request.project.slug)
    context = {"definition": definition, "form": form, "tab": "scores"}
    return render(request, "feedback/definition_edit.html", context, status=400 if form.errors else 200)


@require_POST
@access.requires(Permission.EVALUATOR_WRITE)
def archive(request: access.ProjectRequest, uid: UUID) -> HttpResponse:
    definition = queries.definition_in(request.project, uid)
    definitions.archive(definition=definition, by=request.actor, now=timezone.now())
    messages.success(request, f"“{definition.name}” is archived: new values are refused, those that came stay.")
    return redirect("feedback:definition-list", request.project.slug)


def _page(request: access.ProjectRequest, form: forms.NewDefinition) -> HttpResponse:
    context = {
        "definitions": queries.definitions_in(request.project),
        "form": form,
        "api_call": EXAMPLE.format(base_url=request.build_absolute_uri("/").rstrip("/")),
        "tab": "scores",
    }
    return render(request, "feedback/definition_list.html", context, status=400 if form.errors else 200)
