"""What models draft for themes: a name, or a change to a prompt; people decide."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from feedback.forms import themes as forms
from feedback.models import ThemeDraft
from feedback.queries import theme_drafts as queries
from feedback.queries import themes as theme_queries
from feedback.services import theme_drafts
from feedback.views import compared
from feedback.views.themes import page_with, take_errors
from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import diffing, prompty


@require_POST
@access.requires(Permission.PROMPT_TRY)
def ask_name(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """Have a model propose a name."""
    found = theme_queries.theme_in(request.project, theme)
    form = forms.Ask(request.POST, project=request.project, prefix_id="ask-name")
    if form.is_valid():
        try:
            theme_drafts.ask_name(theme=found, by=request.actor, **form.cleaned_data)
        except DomainError as error:
            take_errors(form, error)
        else:
            return redirect("feedback:theme", request.project.slug, theme_queries.ref(found))
    return page_with(request, found, name=form)


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def decide_name(request: access.ProjectRequest, theme: str, draft: str) -> HttpResponse:
    """Take the proposed name, or not."""
    found = theme_queries.theme_in(request.project, theme)
    drafted = queries.draft_of(found, draft)
    now = timezone.now()
    if request.POST.get("then") == "refuse":
        theme_drafts.refuse(draft=drafted, by=request.actor, now=now)
    else:
        theme_drafts.accept_name(draft=drafted, by=request.actor, now=now)
    return redirect("feedback:theme", request.project.slug, theme_queries.ref(found))


@require_POST
@access.requires(Permission.PROMPT_TRY)
def ask_change(request: access.ProjectRequest, theme: str) -> HttpResponse:
    """Have a model draft a change to a prompt."""
    found = theme_queries.theme_in(request.project, theme)
    form = forms.Change(request.POST, project=request.project, prefix_id="change")
    if form.is_valid():
        given = dict(form.cleaned_data)
        try:
            made = theme_drafts.ask_change(theme=found, artifact=given.pop("prompt"), by=request.actor, **given)
        except DomainError as error:
            take_errors(form, error)
        else:
            return redirect("feedback:theme-draft", request.project.slug, ids.public("draft", made.uid))
    return page_with(request, found, change=form)


@require_safe
@access.requires(Permission.PROMPT_READ)
def detail(request: access.ProjectRequest, draft: str) -> HttpResponse:
    """How far the model is; then the change, what became of it, and what the runs say."""
    return _page(request, queries.draft_in(request.project, draft))


@require_POST
@access.requires(Permission.PROMPT_TRY)
def cancel(request: access.ProjectRequest, draft: str) -> HttpResponse:
    found = queries.draft_in(request.project, draft)
    theme_drafts.cancel(draft=found, by=request.actor, now=timezone.now())
    return redirect(_address(request, found))


@require_POST
@access.requires(Permission.PROMPT_WRITE)
def decide(request: access.ProjectRequest, draft: str) -> HttpResponse:
    """Save the draft as a version, go on in the editor, or refuse it."""
    found = queries.draft_in(request.project, draft)
    form = forms.Decide(request.POST)
    if not form.is_valid():
        return _page(request, found, decide_form=form, status=400)
    given, now = form.cleaned_data, timezone.now()
    try:
        if given["then"] == "refuse":
            theme_drafts.refuse(draft=found, by=request.actor, now=now)
            return redirect("feedback:theme", request.project.slug, theme_queries.ref(found.theme))
        if given["then"] == "edit":
            theme_drafts.keep_in_editor(draft=found, content=given["content"], user_id=request.user.pk, now=now)
            assert found.artifact is not None
            return redirect("prompts:editor", request.project.slug, found.artifact.path)
        saved = theme_drafts.save_version(
            draft=found, content=given["content"], message=given["message"], by=request.actor, now=now
        )
    except DomainError as error:
        take_errors(form, error)
        return _page(request, found, decide_form=form, status=error.status)
    messages.success(request, f"Version {saved.number} is saved. No label moved.")
    return redirect(_address(request, found))


@require_POST
@access.requires(Permission.RUN_START)
def evaluate(request: access.ProjectRequest, draft: str) -> HttpResponse:
    """Run the live version and the drafted one over a dataset."""
    found = queries.draft_in(request.project, draft)
    form = forms.Evaluate(request.POST, project=request.project)
    status = 400
    if form.is_valid():
        try:
            wanted = theme_drafts.Evaluation(**form.cleaned_data)
            theme_drafts.evaluate(draft=found, wanted=wanted, by=request.actor, now=timezone.now())
        except DomainError as error:
            take_errors(form, error)
            status = error.status
        else:
            return redirect(_address(request, found))
    return _page(request, found, evaluate_form=form, status=status)


def _page(
    request: access.ProjectRequest,
    draft: ThemeDraft,
    *,
    decide_form: forms.Decide | None = None,
    evaluate_form: forms.Evaluate | None = None,
    status: int = 200,
) -> HttpResponse:
    draft.refresh_from_db(fields=["state", "decision"])
    evaluated = queries.evaluated(draft)
    context: dict[str, Any] = {
        "draft": draft,
        "ref": ids.public("draft", draft.uid),
        "theme_ref": theme_queries.ref(draft.theme),
        "page_url": _address(request, draft),
        "diff": _diff(draft),
        "decide_form": decide_form or forms.Decide(initial={"content": draft.content}),
        "evaluate_form": evaluate_form or forms.Evaluate(project=request.project),
        "evaluated": compared.shown(request.project, evaluated) if evaluated else None,
        "is_waiting": draft.is_active or (evaluated is not None and evaluated.is_waiting),
    }
    is_part = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = "feedback/theme_draft.html#state" if is_part else "feedback/theme_draft.html"
    response = render(request, template, context, status=status)
    response["Vary"] = "HX-Request"
    return response


def _diff(draft: ThemeDraft) -> diffing.Diff | None:
    if draft.kind != ThemeDraft.Kind.PROMPT or draft.base is None or not draft.content:
        return None
    try:
        return diffing.compare(draft.base.content.prompt, prompty.read(draft.content))
    except DomainError:
        return None  # the text below says why when it is saved


def _address(request: access.ProjectRequest, draft: ThemeDraft) -> str:
    return reverse("feedback:theme-draft", args=[request.project.slug, ids.public("draft", draft.uid)])
