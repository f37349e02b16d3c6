"""The project's masking rules, and a text to try them on."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from feedback.forms import masks as forms
from feedback.queries import masks as queries
from feedback.services import masks
from llmops.common import text
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from llmops.projects.views.problems import put_on

DAYS = 30


@require_http_methods(["GET", "HEAD", "POST"])
@access.requires(Permission.PROJECT_MANAGE)
def rules(request: access.ProjectRequest) -> HttpResponse:
    """Every rule; POST adds one of the project's own."""
    form = forms.NewRule(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            masks.add(project=request.project, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            put_on(form, error)
        else:
            messages.success(request, "Added.")
            return redirect("feedback:masks", request.project.slug)
    return _page(request, form=form, status=400 if form.errors else 200)


@require_POST
@access.requires(Permission.PROJECT_MANAGE)
def switch(request: access.ProjectRequest, name: str) -> HttpResponse:
    """Switch a rule on or off."""
    form = forms.Switch(request.POST)
    form.is_valid()
    masks.switch(project=request.project, name=name, is_on=form.cleaned_data["is_on"], by=request.actor)
    return redirect("feedback:masks", request.project.slug)


@require_POST
@access.requires(Permission.PROJECT_MANAGE)
def remove(request: access.ProjectRequest, name: str) -> HttpResponse:
    """Remove a rule of the project's own."""
    masks.remove(project=request.project, name=name, by=request.actor)
    messages.success(request, "Removed.")
    return redirect("feedback:masks", request.project.slug)


@require_POST
@access.requires(Permission.PROJECT_MANAGE)
def try_rules(request: access.ProjectRequest) -> HttpResponse:
    """What would be stored of a text; nothing is kept."""
    form = forms.Try(request.POST)
    tried = None
    if form.is_valid():
        masked, found = queries.fresh(request.project.pk).by_rule(text.repaired(form.cleaned_data["text"]))
        tried = {"masked": masked, "found": found}
    return _page(request, try_form=form, tried=tried, status=400 if form.errors else 200)


def _page(request: access.ProjectRequest, status: int = 200, **context: Any) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": forms.NewRule(),
        "try_form": forms.Try(),
        "rules": queries.rules(request.project),
        "is_masking": request.project.mask_personal_data,
        "masked": queries.masked_pieces(request.project, int(now.timestamp() // 3600) - 24 * DAYS),
        "days": DAYS,
        "tab": "masks",
        **context,
    }
    return render(request, "feedback/masks.html", context, status=status)
