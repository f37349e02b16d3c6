"""The editor of rubrics: questions as fields, or as JSON."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from feedback import rubrics as kinds
from feedback.forms import rubric as forms
from feedback.models import RubricVersion
from feedback.queries import rubrics
from feedback.services import rubrics as services
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.QUEUE_WRITE)
def edit(request: access.ProjectRequest) -> HttpResponse:
    """A rubric; naming one that exists makes its next version."""
    if "questions" in request.POST or request.GET.get("as") == "json":
        return _as_json(request)
    before = _before(request)
    initial = {"slug": before.rubric.slug, "guidelines": before.guidelines} if before else None
    head = forms.RubricHead(request.POST or None, initial=initial)
    if request.method != "POST":
        return _page(request, head, forms.showing(before.questions if before else forms.FIRST))
    if request.POST.get("do", "save") != "save":
        return _page(request, forms.RubricHead(initial=request.POST.dict()), forms.rearranged(request.POST))
    asked = forms.bound(request.POST)
    if all([head.is_valid(), asked.is_valid()]):
        try:
            made = services.put(
                project=request.project, slug=head.cleaned_data["slug"], questions=forms.questions_of(asked),
                guidelines=head.cleaned_data["guidelines"], by=request.actor,
            )  # fmt: skip
        except DomainError as error:
            forms.put_on(head, asked, error)
        else:
            return _saved(request, made)
    return _page(request, head, asked, status=400)


def _as_json(request: access.ProjectRequest) -> HttpResponse:
    before = _before(request)
    shown = json.dumps(before.questions if before else forms.FIRST, indent=2, ensure_ascii=False)
    initial: dict[str, Any] = {"questions": shown}
    if before:
        initial |= {"slug": before.rubric.slug, "guidelines": before.guidelines}
    form = forms.RubricAsJSON(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.put(project=request.project, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            form.add_error("questions", error.message)
        else:
            return _saved(request, made)
    context = {"form": form, "kinds": kinds.KINDS.items()}
    return render(request, "feedback/rubric_json.html", context, status=400 if form.errors else 200)


def _before(request: access.ProjectRequest) -> RubricVersion | None:
    """The newest version of the rubric that the address names, to start from."""
    slug = request.GET.get("rubric", "")
    return rubrics.newest(rubrics.rubric_in(request.project, slug)) if slug else None


def _saved(request: access.ProjectRequest, made: RubricVersion) -> HttpResponse:
    messages.success(request, f"Saved {made}.")
    return redirect("feedback:queue-new", request.project.slug)


def _page(request: access.ProjectRequest, head: Any, asked: Any, status: int = 200) -> HttpResponse:
    context = {
        "form": head,
        "asked": asked,
        "others": rubrics.rubrics_in(request.project)[:50],
        "may_add": len(asked.forms) < forms.MOST,
    }
    return render(request, "feedback/rubric_new.html", context, status=status)
