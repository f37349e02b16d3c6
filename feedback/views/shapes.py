"""What the pages of the inbox share: the filter in addresses, words for what was done, saved views as links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms as django_forms
from django.http import HttpResponseRedirect
from django.urls import reverse

from evals.queries import paging
from feedback.forms import inbox as forms
from feedback.models import TriageAction
from feedback.queries import review
from feedback.services import views as saved_views
from llmops.common import ids
from llmops.projects import access
from llmops.projects.permissions import Permission

WORDS = {
    "done": "marked done",
    "ignored": "dismissed",
    "open": "opened again",
    "needs_label": "marked as needing a label",
    "assign": "assigned",
    "tag": "tagged",
    "example": "added to a dataset",
}


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A saved view as a link; `is_current` when the page shows it, `may_remove` when this person may."""

    ref: str
    name: str
    address: str
    owner: str
    is_shared: bool
    is_mine: bool
    is_current: bool
    may_remove: bool


@dataclass(frozen=True, slots=True)
class Undoable:
    """What “undo” would take back, in words."""

    words: str
    action: TriageAction


def query(request: access.ProjectRequest) -> str:
    """The filter as it stands in the address, with its question mark; empty without one."""
    kept = {name: value for name, value in request.GET.items() if name in forms.Narrow.base_fields and value}
    return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pager shows: rows `first` to `last`, and the addresses beside them, empty where there is none."""

    first: int
    last: int
    previous: str
    next: str


def pages(request: access.ProjectRequest, page: paging.Page[Any]) -> Pages:
    """The pages beside this one, with the filter kept."""

    def address(cursor: str | None) -> str:
        if cursor is None:
            return ""
        values = request.GET.copy()
        values["cursor"] = cursor
        return f"{request.path}?{values.urlencode()}"

    return Pages(page.first, page.last, address(page.previous), address(page.next))


def views(request: access.ProjectRequest, current: dict[str, str]) -> list[ViewLink]:
    """One's own views and those that are shared: one query."""
    may_manage = Permission.PROJECT_MANAGE in request.permissions
    inbox = reverse("feedback:inbox", args=[request.project.slug])
    found = []
    for view in review.views_for(request.project, request.actor):
        fields = saved_views.query_of(view)
        is_mine = view.owner_id == request.user.pk
        found.append(
            ViewLink(
                ref=ids.public("view", view.uid),
                name=view.name,
                address=f"{inbox}?{urlencode(fields)}",
                owner=str(view.owner) if view.owner else "",
                is_shared=view.is_shared,
                is_mine=is_mine,
                is_current=fields == current,
                may_remove=is_mine or may_manage,
            )
        )
    return found


def undoable(action: TriageAction | None) -> Undoable | None:
    return None if action is None else Undoable(done_words(action.kind, action.items), action)


def done_words(kind: str, count: int) -> str:
    """Such as “12 items marked done”."""
    return f"{count:,} {'item' if count == 1 else 'items'} {WORDS.get(kind, 'changed')}"


def errors(form: django_forms.Form) -> dict[str, Any]:
    """The first error of each field."""
    return {name: str(found[0]) for name, found in form.errors.items()}


def to_inbox(request: access.ProjectRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("feedback:inbox", args=[request.project.slug]) + query(request))
