"""The page of one call, and what people do there."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from evals.services import datasets
from feedback.forms import inbox as forms
from feedback.queries import conversation, review
from feedback.queries import inbox as queries
from feedback.services import examples, inbox
from feedback.views import shapes
from llmops.common import ids
from llmops.common.errors import DomainError, Invalid
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_GET
@access.requires(Permission.FEEDBACK_READ)
def show_call(request: access.ProjectRequest, ref: str) -> HttpResponse:
    """One call with what was said about it."""
    opened = conversation.opened(request.project, ref)
    return _call_page(request, opened, _example_form(request, opened))


@require_POST
@access.requires(Permission.FEEDBACK_TRIAGE)
def triage(request: access.ProjectRequest, ref: str) -> HttpResponse:
    """Change one item; on to the next item when it is closed."""
    item = queries.item_in(request.project, ref)
    form = forms.Triage(request.POST, project=request.project)
    if not form.is_valid():
        raise Invalid("This is not one of the choices.", fields=shapes.errors(form))
    narrowed = forms.Narrow(request.GET).narrowed(request.user.pk)
    _, following = queries.neighbours(request.project, narrowed, item)
    changes = form.changes()
    inbox.triage(project=request.project, items=[item], changes=changes, by=request.actor)
    return _to_item(request, following or ref if changes.state in {"done", "ignored"} else ref)


@require_POST
@access.requires(Permission.DATASET_WRITE)
def make_example(request: access.ProjectRequest, ref: str) -> HttpResponse:
    """Add the call to a dataset with the right answer as expected."""
    opened = conversation.opened(request.project, ref)
    form = forms.MakeExample(request.POST, project=request.project)
    if opened.call is None:
        raise Invalid("The call has not arrived yet, so there is nothing to make an example of.")
    if not form.is_valid():
        return _call_page(request, opened, form, status=400)
    try:
        dataset = form.cleaned_data["dataset"] or datasets.create(
            project=request.project, slug=form.cleaned_data["new_dataset"], by=request.actor
        )
        examples.add(
            call=opened.call, dataset=dataset, expected=form.expected_value(), by=request.actor, item=opened.item
        )
    except DomainError as error:
        form.add_error(None, error.message)
        return _call_page(request, opened, form, status=400)
    messages.success(request, f"Added to {dataset.name} as an example.")
    return _to_item(request, ref)


def _call_page(
    request: access.ProjectRequest, opened: conversation.OpenCall, example_form: forms.MakeExample, status: int = 200
) -> HttpResponse:
    narrowed = forms.Narrow(request.GET).narrowed(request.user.pk)
    page = queries.page(request.project, narrowed, request.GET.get("cursor", ""))
    item = opened.item
    before, after = queries.neighbours(request.project, narrowed, item) if item is not None else (None, None)
    context: dict[str, Any] = {
        "opened": opened,
        "item_ref": ids.public("item", item.uid) if item else "",
        "page": page,
        "open_shown": queries.open_shown(request.project),
        "state": narrowed.state or "all",
        "states": forms.STATES,
        "before": before,
        "after": after,
        "query": shapes.query(request),
        "triage": forms.Triage(
            project=request.project, initial={"state": item.state, "assignee": item.assignee_id} if item else {}
        ),
        "example": example_form,
        "suggested": queries.suggestions(request.project),
        "undoable": shapes.undoable(review.last_action(request.project, request.actor, timezone.now())),
    }
    return render(request, "feedback/call.html", context, status=status)


def _example_form(request: access.ProjectRequest, opened: conversation.OpenCall) -> forms.MakeExample:
    initial = {"expected": opened.correction, "is_json": opened.correction_is_json}
    return forms.MakeExample(project=request.project, initial=initial)


def _to_item(request: access.ProjectRequest, ref: str) -> HttpResponse:
    return HttpResponseRedirect(reverse("feedback:call", args=[request.project.slug, ref]) + shapes.query(request))
