"""The inbox, and what people do to many of its items at once."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from feedback.forms import inbox as forms
from feedback.models import InboxItem
from feedback.queries import inbox as queries
from feedback.queries import review
from feedback.queries import themes as theme_queries
from feedback.services import examples, inbox
from feedback.views import shapes
from llmops.common.errors import Forbidden, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

EXAMPLE_CALL = """curl -X POST {base_url}/api/v1/feedback \\
  -H "Authorization: Bearer $LLMOPS_KEY" -H "Content-Type: application/json" \\
  -d '{{"call": "your-call-id", "thumbs": "down", "comment": "Wrong city", "correction": "Lyon"}}'"""


@require_GET
@access.requires(Permission.FEEDBACK_READ)
def show_inbox(request: access.ProjectRequest) -> HttpResponse:
    """What users complain of, newest first."""
    is_fragment = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    paths, themes = ([], []) if is_fragment else (_paths(request), theme_queries.named(request.project))
    form = forms.Narrow(request.GET, paths=paths, themes=themes)
    narrowed = form.narrowed(request.user.pk)
    page = queries.page(request.project, narrowed, request.GET.get("cursor", ""))
    context = {
        "form": form,
        "narrowed": narrowed,
        "state": narrowed.state or "all",
        "states": forms.STATES,
        "page": page,
        "pages": shapes.pages(request, page),
        "query": shapes.query(request),
        "bulk": forms.Bulk(project=request.project),
        "is_narrowed": len(form.query()) > ("state" in form.query()),
    }
    if is_fragment:
        return _vary(render(request, "feedback/inbox.html#rows", context))
    base_url = request.build_absolute_uri("/").rstrip("/")
    context |= {
        "open_shown": queries.open_shown(request.project),
        "suggested": queries.suggestions(request.project),
        "views": shapes.views(request, form.query()),
        "undoable": shapes.undoable(review.last_action(request.project, request.actor, timezone.now())),
        "api_call": EXAMPLE_CALL.format(base_url=base_url),
        "is_new": not page.rows and not queries.has_any(request.project),
    }
    return _vary(render(request, "feedback/inbox.html", context))


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def bulk(request: access.ProjectRequest) -> HttpResponse:
    """Do one thing to the chosen items, or to all that the filter finds."""
    form = forms.Bulk(request.POST, project=request.project)
    if not form.is_valid():
        raise Invalid("This cannot be done.", fields=shapes.errors(form))
    chosen = _chosen(request, form)
    if not chosen:
        messages.info(request, "Choose items first.")
    elif form.cleaned_data["do"] == "dataset":
        messages.success(request, _add_to_dataset(request, form, chosen))
    else:
        changed = inbox.triage(project=request.project, items=chosen, changes=form.changes(), by=request.actor)
        messages.success(request, f"{changed:,} of {len(chosen):,} changed.")
    return shapes.to_inbox(request)


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def undo(request: access.ProjectRequest) -> HttpResponse:
    """Take back one's last action."""
    undone = inbox.undo(
        project=request.project, by=request.actor, now=timezone.now(),
        may_write_datasets=Permission.DATASET_WRITE in request.permissions,
    )  # fmt: skip
    kept = f" {undone.kept:,} had changed since and stay as they are." if undone.kept else ""
    messages.success(request, f"Taken back: {shapes.done_words(undone.kind, undone.items)}.{kept}")
    return shapes.to_inbox(request)


def _vary(response: HttpResponse) -> HttpResponse:
    """The rows alone and the whole page share an address."""
    response["Vary"] = "HX-Request"
    return response


def _paths(request: access.ProjectRequest) -> Sequence[str]:
    return list(prompt_queries.artifacts_in(request.project).values_list("path", flat=True)[:200])


def _chosen(request: access.ProjectRequest, form: forms.Bulk) -> Sequence[InboxItem]:
    """The items that were ticked, or the newest of all that the filter finds, as many as fit."""
    most = examples.MOST_AT_ONCE if form.cleaned_data["do"] == "dataset" else inbox.MOST_AT_ONCE
    if form.cleaned_data["everything"]:
        narrowed = forms.Narrow(request.GET).narrowed(request.user.pk)
        return list(queries.items(request.project, narrowed).order_by(*queries.ORDER)[:most])
    return queries.items_named(request.project, form.refs()[:most])


def _add_to_dataset(request: access.ProjectRequest, form: forms.Bulk, chosen: Sequence[InboxItem]) -> str:
    if Permission.DATASET_WRITE not in request.permissions:
        raise Forbidden("Your role may not write datasets.", fields={"permission": Permission.DATASET_WRITE})
    dataset = form.cleaned_data["dataset"]
    done = examples.add_many(project=request.project, items=chosen, dataset=dataset, by=request.actor)
    known = f", {done.known:,} were there already" if done.known else ""
    unusable = f", {done.unusable:,} have no call that makes an example" if done.unusable else ""
    return f"{done.added:,} added to {dataset.name}{known}{unusable}."
