"""Saved views of the inbox, and the last thing that somebody did there."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from feedback.models import SavedView, TriageAction
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import NotFound
from llmops.projects.models import Project

UNDOABLE = timedelta(days=1)


def views_for(project: Project, by: Actor) -> QuerySet[SavedView]:
    """One's own views and those that are shared, by name."""
    visible = Q(is_shared=True) if by.user_id is None else Q(is_shared=True) | Q(owner_id=by.user_id)
    return SavedView.objects.filter(visible, project=project).select_related("owner").order_by("name", "id")


def view_in(project: Project, by: Actor, ref: str) -> SavedView:
    """:raises NotFound: when the project has no such view that this one may see."""
    view = views_for(project, by).filter(uid=ids.parse("view", ref)).first()
    if view is None:
        raise NotFound("There is no such view here.")
    return view


def owner_of(by: Actor) -> str:
    """Who an action belongs to: the person, also through a personal key; else the key."""
    return f"user:{by.user_id}" if by.user_id is not None else f"{by.kind}:{by.id}"


def last_action(project: Project, by: Actor, now: datetime) -> TriageAction | None:
    """What “undo” would take back: the newest action of the last day that is not taken back yet."""
    mine = TriageAction.objects.filter(project=project, owner=owner_of(by), undone_at=None)
    action = mine.order_by("-id").first()
    return action if action is not None and action.done_at > now - UNDOABLE else None
