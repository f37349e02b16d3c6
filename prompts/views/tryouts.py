"""Try-outs from the editor."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from llmops.common import ids
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import forms, queries
from prompts.services import tryouts


@require_POST
@access.requires(Permission.PROMPT_TRY)
def start(request: access.ProjectRequest) -> HttpResponse:
    """Try what stands in the editor; answers with the panel that polls, or with what is missing."""
    typed = forms.Editor.typed(request.POST)
    variables, _ = typed.checked()
    artifact = queries.live_artifact(request.project, typed.path)
    try:
        tryout = tryouts.start(
            project=request.project,
            text=typed.text(),
            inputs=forms.inputs_typed(request.POST, variables),
            by=request.actor,
            artifact=artifact,
            connection_name=typed.connection,
            model=typed.model,
        )
    except DomainError as error:
        return render(request, "prompts/_tryout.html", {"error": error}, status=200)
    return _shown(request, tryout.uid.hex)


@access.requires(Permission.PROMPT_READ)
def show(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """The panel of one try-out; it polls until the try-out is over. Without htmx it is a page."""
    return _shown(request, uid)


@require_POST
@access.requires(Permission.PROMPT_TRY)
def cancel(request: access.ProjectRequest, uid: str) -> HttpResponse:
    """Stop waiting for the answer."""
    tryouts.cancel(tryout=queries.tryout_in(request.project, ids.parse("try", uid)), now=timezone.now())
    return _shown(request, uid)


def _shown(request: access.ProjectRequest, uid: str) -> HttpResponse:
    tryout = queries.tryout_in(request.project, ids.parse("try", uid))
    template = "prompts/_tryout.html" if request.headers.get("HX-Request") else "prompts/tryout_detail.html"
    return render(request, template, {"tryout": tryout, "going": tryout.state in {"waiting", "running"}})
