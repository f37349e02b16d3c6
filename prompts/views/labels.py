"""Labels of one prompt: move, roll back, protect, remove."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import forms, queries
from prompts.services import answers, labels


@require_POST
@access.requires(Permission.LABEL_MOVE)
def move(request: access.ProjectRequest, path: str) -> HttpResponse:
    """Point a label at a version."""
    artifact = queries.artifact_in(request.project, path)
    form = forms.MoveLabel(request.POST)
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{name.capitalize()}: {' '.join(str(error) for error in errors)}")
        return redirect("prompts:versions", project_slug=request.project.slug, path=path)
    wanted = form.cleaned_data
    try:
        labels.move(
            artifact=artifact,
            name=wanted["label"],
            to=queries.version_in(artifact, number=wanted["version"]),
            by=request.actor,
            now=timezone.now(),
            may_release=Permission.LABEL_RELEASE in request.permissions,
            reason=wanted["reason"],
            expected=wanted["expected"],
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        answers.forget()
        messages.success(request, f"{wanted['label']} is on version {wanted['version']} now.")
    return redirect("prompts:versions", project_slug=request.project.slug, path=path)


@require_POST
@access.requires(Permission.LABEL_MOVE)
def roll_back(request: access.ProjectRequest, path: str, label: str) -> HttpResponse:
    """Move a label to where it was before."""
    artifact = queries.artifact_in(request.project, path)
    try:
        done = labels.roll_back(
            artifact=artifact,
            name=label,
            by=request.actor,
            now=timezone.now(),
            may_release=Permission.LABEL_RELEASE in request.permissions,
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        answers.forget()
        messages.success(request, f"{label} is back on version {done.to_version.numbered.number}.")
    return redirect("prompts:versions", project_slug=request.project.slug, path=path)


@require_POST
@access.requires(Permission.LABEL_RELEASE)
def protect(request: access.ProjectRequest, path: str, label: str) -> HttpResponse:
    """Say whether only people who may release can move the label."""
    artifact = queries.artifact_in(request.project, path)
    protected = request.POST.get("protected") == "1"
    try:
        labels.protect(artifact=artifact, name=label, protected=protected, by=request.actor)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        who = "those who may release" if protected else "everybody who may move labels"
        messages.success(request, f"{label} can be moved by {who} now.")
    return redirect("prompts:settings", project_slug=request.project.slug, path=path)


@require_POST
@access.requires(Permission.LABEL_MOVE)
def remove(request: access.ProjectRequest, path: str, label: str) -> HttpResponse:
    """Take the label away; what was deployed under it stays in the history."""
    artifact = queries.artifact_in(request.project, path)
    may_release = Permission.LABEL_RELEASE in request.permissions
    try:
        labels.remove(artifact=artifact, name=label, by=request.actor, may_release=may_release)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        answers.forget()
        messages.success(request, f"{label} is removed.")
    return redirect("prompts:settings", project_slug=request.project.slug, path=path)
