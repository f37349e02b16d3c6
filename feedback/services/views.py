"""Saved views of the inbox: make, change, remove."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from feedback.models import SavedView
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, Invalid
from llmops.projects.models import Project

MOST = 100
MAX_NAME = 60


@transaction.atomic
def save(*, project: Project, name: str, query: dict[str, str], is_shared: bool, by: Actor) -> SavedView:
    """A view under a name: the person's own, or shared with the project; a server's key can only share.

    :raises Invalid: for a name that is not acceptable, or one view too many.
    :raises Conflict: when the person has a view of that name.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME or text.problem(name):
        raise Invalid("A view needs a name.", fields={"name": f"1 to {MAX_NAME} characters"})
    if SavedView.objects.filter(project=project, owner_id=by.user_id).count() >= MOST:
        raise Invalid(f"There is room for {MOST} views; remove one first.", fields={"name": f"at most {MOST} views"})
    filters = {"v": 1, "query": query}
    try:
        with transaction.atomic():
            view = SavedView.objects.create(
                project=project, owner_id=by.user_id, name=name, filters=filters,
                is_shared=is_shared or by.user_id is None,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict(f"You have a view “{name}” already.", fields={"name": "taken"}) from None
    audit.record("feedback.view_saved", by=by, target=view, shared=view.is_shared)
    return view


@transaction.atomic
def share(*, view: SavedView, is_shared: bool, by: Actor) -> SavedView:
    """Show the view to the whole project, or to its owner alone.

    :raises Forbidden: when it is somebody else's.
    """
    _demand_own(view, by, may_manage=False)
    view.is_shared = is_shared or view.owner_id is None
    view.save(update_fields=["is_shared"])
    audit.record("feedback.view_shared", by=by, target=view, shared=view.is_shared)
    return view


@transaction.atomic
def remove(*, view: SavedView, by: Actor, may_manage: bool) -> None:
    """Remove one's own view; who manages the project may remove any that is shared.

    :raises Forbidden: when it is somebody else's.
    """
    _demand_own(view, by, may_manage=may_manage)
    audit.record("feedback.view_removed", by=by, target=view)
    view.delete()


def query_of(view: SavedView) -> dict[str, Any]:
    """The fields of the filter form that the view was saved with; those of an unknown format are none."""
    filters = view.filters
    return dict(filters["query"]) if isinstance(filters, dict) and filters.get("v") == 1 else {}


def _demand_own(view: SavedView, by: Actor, *, may_manage: bool) -> None:
    if view.owner_id != by.user_id and not may_manage:
        raise Forbidden("This view is somebody else's.")
