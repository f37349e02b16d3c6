"""Reads about logged calls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max, Q

from feedback.models import Call
from llmops.projects.models import Project


@dataclass(frozen=True, slots=True)
class CallRef:
    """How feedback finds its call, and whose call it is."""

    client_id: str
    end_user: str
    session: str


def refs(project: Project, names: Collection[str]) -> dict[str, CallRef]:
    """The calls that are known by these client ids or `call_…` uids, by the name that was asked for."""
    uids = {uid: name for name in names if (uid := _uid(name)) is not None}
    rows = Call.objects.filter(Q(client_id__in=list(names)) | Q(uid__in=list(uids)), project=project)
    found = {}
    for uid, client_id, end_user, session in rows.values_list("uid", "client_id", "end_user", "session"):
        ref = CallRef(client_id, end_user, session)
        found[client_id] = ref
        if uid in uids:
            found[uids[uid]] = ref
    return found


def latest_of_sessions(project: Project, sessions: Collection[str]) -> dict[str, str]:
    """The client id of each session's latest call; sessions without a call are not in the answer."""
    newest = (
        Call.objects.filter(project=project, session__in=list(sessions))
        .exclude(session="")
        .order_by()
        .values("session")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    return dict(Call.objects.filter(pk__in=newest).values_list("session", "client_id"))


def _uid(name: str) -> UUID | None:
    if not name.startswith("call_"):
        return None
    try:
        return UUID(name.removeprefix("call_"))
    except ValueError:
        return None
