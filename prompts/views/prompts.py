"""The list of prompts, the editor and what belongs to one prompt."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from llmops.common import text as intake
from llmops.common.errors import DomainError, NotFound
from llmops.gateway import queries as gateway_queries
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import diffing, forms, prompty, queries
from prompts.models import Artifact, Version
from prompts.prompty import Part, PromptSpec
from prompts.services import artifacts, drafts, versions

PAGE = 100
BLANK = PromptSpec(parts=(Part("system", ""), Part("user", "")))


@access.requires(Permission.PROMPT_READ)
def prompt_list(request: access.ProjectRequest) -> HttpResponse:
    """The project's prompts by folder."""
    search, folder = (intake.repaired(request.GET.get(name, ""))[:200].strip() for name in ("q", "folder"))
    found = queries.artifacts_in(request.project, search=search, folder=folder)
    number = request.GET.get("page", "1")
    page = Paginator(queries.prompt_rows(found), PAGE).get_page(number)
    context = {
        "page": page,
        "search": search,
        "folder": folder,
        "folders": queries.folders_in(request.project),
        "tip": queries.tip_of(request.project),
        "total": queries.artifacts_in(request.project).count(),
    }
    return render(request, "prompts/prompt_list.html", context)


@access.requires(Permission.PROMPT_WRITE)
def new(request: access.ProjectRequest) -> HttpResponse:
    """Write a prompt that does not exist yet."""
    if request.method == "POST":
        return _posted(request, None)
    draft = queries.draft_of(request.project, request.user.pk, None)
    editor = _of_draft(draft.content, draft.path, 0) if draft else None
    return _editor(request, None, editor or forms.Editor.of(BLANK, path="", base=0), is_draft=editor is not None)


@access.requires(Permission.PROMPT_READ)
def editor(request: access.ProjectRequest, path: str) -> HttpResponse:
    """The newest version, or the person's draft of the next one."""
    artifact = queries.artifact_in(request.project, path)
    if request.method == "POST":
        if Permission.PROMPT_WRITE not in request.permissions:
            return render(request, "403.html", status=403)
        return _posted(request, artifact)
    latest = _latest(artifact)
    number = latest.numbered.number
    draft = queries.draft_of(request.project, request.user.pk, artifact)
    kept = None
    if draft is not None:
        base = draft.base_version.numbered.number if draft.base_version else number
        kept = _of_draft(draft.content, path, base)
    shown = kept or forms.Editor.of(latest.content.prompt, path=path, base=number)
    return _editor(request, artifact, shown, is_draft=kept is not None)


def _posted(request: access.ProjectRequest, artifact: Artifact | None) -> HttpResponse:
    typed = forms.Editor.typed(request.POST)
    if artifact is not None:
        typed = replace(typed, path=artifact.path)
    action = request.POST.get("action", "save")
    if action == "discard":
        drafts.drop(project=request.project, user_id=request.user.pk, artifact=artifact)
        return redirect(request.path)
    if action != "save":
        return _editor(request, artifact, typed.rearranged(action), is_draft=True)
    try:
        saved = versions.save(
            project=request.project, path=typed.path, content=typed.text(), message=typed.message,
            by=request.actor, now=timezone.now(), base_version=typed.base,
        )  # fmt: skip
    except versions.StaleBase as stale:
        return _stale(request, artifact, typed, stale)
    except DomainError as error:
        return _editor(request, artifact, typed, error=error, status=error.status)
    drafts.drop(project=request.project, user_id=request.user.pk, artifact=artifact)
    words = f"Version {saved.number} is saved." if saved.created else f"Nothing changed since version {saved.number}."
    messages.success(request, words)
    return redirect("prompts:editor", project_slug=request.project.slug, path=saved.version.artifact.path)


def _stale(
    request: access.ProjectRequest, artifact: Artifact | None, typed: forms.Editor, stale: versions.StaleBase
) -> HttpResponse:
    """Show what the other person saved against what stands here; saving again is then a decision."""
    diff = diffing.compare(stale.current.content.prompt, typed.spec())
    again = replace(typed, base=stale.number)
    return _editor(request, stale.current.artifact, again, error=stale, status=409, conflict=diff)


def _editor(
    request: access.ProjectRequest,
    artifact: Artifact | None,
    editor: forms.Editor,
    *,
    error: DomainError | None = None,
    status: int = 200,
    is_draft: bool = False,
    conflict: diffing.Diff | None = None,
) -> HttpResponse:
    variables, problems = editor.checked()
    context = {
        "artifact": artifact,
        "head": _head(artifact) if artifact else None,
        "editor": editor,
        "roles": forms.ROLES,
        "variables": [(name, request.POST.get(f"input-{name}", "")) for name in variables],
        "problems": problems,
        "error": error,
        "is_draft": is_draft,
        "conflict": conflict,
        "connections": list(gateway_queries.connections_in(request.project)),
        "can_write": Permission.PROMPT_WRITE in request.permissions,
        "next_number": editor.base + 1,
        "tab": "editor",
    }
    return render(request, "prompts/editor.html", context, status=status)


@require_POST
@access.requires(Permission.PROMPT_WRITE)
def check(request: access.ProjectRequest) -> HttpResponse:
    """What is wrong with the text and which variables it has; the text is kept as a draft on the way."""
    typed = forms.Editor.typed(request.POST)
    artifact = queries.live_artifact(request.project, typed.path)
    existing = artifact if request.POST.get("existing") else None
    variables, problems = typed.checked()
    _keep(request, existing, typed)
    context = {
        "variables": [(name, request.POST.get(f"input-{name}", "")) for name in variables],
        "problems": problems,
        "editor": typed,
        "checked": True,
    }
    response = render(request, "prompts/_checked.html", context)
    response["HX-Trigger"] = "draft-kept"
    return response


def _keep(request: access.ProjectRequest, artifact: Artifact | None, typed: forms.Editor) -> None:
    """Keep the draft as a file when it can be written as one; otherwise the last good one stays."""
    try:
        content = typed.text()
    except DomainError:
        return
    if intake.problem(content + typed.path):
        return
    base = queries.numbered_version(artifact, typed.base) if artifact else None
    drafts.keep(
        project=request.project, user_id=request.user.pk, artifact=artifact, path=typed.path, content=content,
        base=base, now=timezone.now(),
    )  # fmt: skip


def _of_draft(content: str, path: str, base: int) -> forms.Editor | None:
    """The draft in the editor; None when it cannot be read any more."""
    try:
        spec = prompty.read(content)
    except DomainError:
        return None
    if not spec.parts:
        spec = replace(spec, parts=BLANK.parts)
    return forms.Editor.of(spec, path=path, base=base)


def _latest(artifact: Artifact) -> Version:
    latest = queries.latest_of(artifact)
    if latest is None:
        raise NotFound(f"“{artifact.path}” has no version yet.")
    return latest


def _head(artifact: Artifact) -> dict[str, object]:
    """What every page of one prompt shows on top."""
    return {
        "latest": _latest(artifact),
        "labels": list(queries.labels_of(artifact)),
        "versions": queries.versions_of(artifact).count(),
    }


@require_POST
@access.requires(Permission.PROMPT_WRITE)
def archive(request: access.ProjectRequest, path: str) -> HttpResponse:
    """Take the prompt out of the tree; it asks for the name first."""
    artifact = queries.artifact_in(request.project, path)
    if request.POST.get("confirm", "").strip() != artifact.path:
        messages.error(request, f"Type {artifact.path} to archive it. Nothing was changed.")
        return redirect("prompts:settings", project_slug=request.project.slug, path=path)
    artifacts.archive(artifact=artifact, by=request.actor, now=timezone.now())
    messages.success(request, f"{artifact.path} is archived; its versions stay in git.")
    return redirect("prompts:list", project_slug=request.project.slug)


@access.requires(Permission.PROMPT_READ)
def settings(request: access.ProjectRequest, path: str) -> HttpResponse:
    """How to fetch and clone the prompt, and how to archive it."""
    artifact = queries.artifact_in(request.project, path)
    context = {"artifact": artifact, "head": _head(artifact), "tab": "settings"}
    return render(request, "prompts/settings.html", context)
