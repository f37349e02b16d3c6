"""Delete one end user's data: the calls, what was said about them, what the person said elsewhere, and every copy.

A little goes at once, all or nothing; much of it goes in a task, a batch at a time. The record of seen ids stays: it
holds digests alone, and keeps out what a client sends again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from feedback.models import Erasure
from feedback.queries import erasures as queries
from feedback.services import arrivals, copies, erasing
from feedback.services.erasing import Erased
from llmops.audit import services as audit
from llmops.common import jobs, leased
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project

TASK = "feedback.erase_end_user"
MOST_AT_ONCE = 500  # rows that go within the request
LEASE = timedelta(minutes=2)
MOST_CRASHES = 5


class _NotOursError(Exception):
    """Another worker has it."""


def start(*, project: Project, end_user: str, by: Actor, now: datetime) -> Erasure:
    """Delete what is known of the person with this id, as the application sends it, up to now.

    Finished when it returns, unless there are more than MOST_AT_ONCE rows; a deletion of the same person that is under
    way is returned as it is. One row in the audit trail names only the keyed hash. Rollups of the hours are computed
    again by upkeep.

    :raises Invalid: for an empty id.
    """
    if not end_user or len(end_user) > 200:
        raise Invalid("Name the end user.", fields={"end_user": "1 to 200 characters"})
    person = arrivals.keyed_hash(project.uid, end_user)
    made = Erasure(project=project, person=person, by=by.text, by_user_id=by.user_id, created_at=now)
    made.total = queries.rows_left(made)
    with transaction.atomic():
        try:
            with transaction.atomic():
                made.save()
        except IntegrityError:
            return Erasure.objects.get(project=project, person=person, state__in=Erasure.ACTIVE)
        if made.total <= MOST_AT_ONCE:
            made.state = Erasure.State.RUNNING
            made.save(update_fields=["state"])
            _finish(made, by)
        else:
            audit.record(
                "feedback.end_user_erasure_started", by=by, target=project, text=str(made), project_id=project.pk,
                rows=made.total,
            )  # fmt: skip
            jobs.enqueue(TASK, erasure_id=made.pk)
    made.refresh_from_db()
    return made


def work(*, erasure_id: int) -> None:
    """Go on with a deletion; does nothing when another worker has it. Safe to run twice, and to die anywhere."""
    mine = _claim(erasure_id)
    if mine is None:
        return
    try:
        _finish(mine, Actor(kind="system", id=None, text=mine.by, user_id=mine.by_user_id))
    except _NotOursError:
        return


def continue_stalled(*, now: datetime) -> int:
    """Wake the deletions whose worker died or whose message was lost; returns how many."""
    return leased.wake_stalled(Erasure.objects.all(), TASK, "erasure_id", now)


def _claim(erasure_id: int) -> Erasure | None:
    mine = leased.claim(Erasure.objects.select_related("project"), erasure_id, LEASE)
    if mine is not None and mine.attempts > MOST_CRASHES:
        error = f"The worker stopped {MOST_CRASHES} times. What was deleted stays so; start again for the rest."
        Erasure.objects.filter(pk=mine.pk, fence=mine.fence).update(
            state=Erasure.State.FAILED, error=error, finished_at=timezone.now(), lease_until=None
        )
        return None
    return mine


def _finish(mine: Erasure, by: Actor) -> None:
    """Copies that name no source first, while the calls still say what they look like; the calls last of each batch."""
    copies.forget_tryouts(project=mine.project, calls=queries.calls_of(mine))
    _repeat(mine, lambda now: erasing.calls(of=mine, by=by, now=now))
    _repeat(mine, lambda now: erasing.said(of=mine, by=by, now=now))
    with transaction.atomic():
        now = timezone.now()
        _hold(mine, now)
        mine.done += erasing.spans(of=mine)
        Erasure.objects.filter(pk=mine.pk).update(
            state=Erasure.State.FINISHED, done=mine.total, finished_at=now, lease_until=None
        )
        audit.record(
            "feedback.end_user_erased", by=by, target=mine.project, text=str(mine), project_id=mine.project_id,
            **mine.counts,
        )  # fmt: skip


def _repeat(mine: Erasure, batch: Callable[[datetime], tuple[int, Erased]]) -> None:
    """One batch after the other, each with its figures in one transaction, until none is left.

    :raises _NotOursError: when another worker goes on with it.
    """
    looked_at = 1
    while looked_at:
        with transaction.atomic():
            now = timezone.now()
            _hold(mine, now)
            looked_at, gone = batch(now)
            mine.done += looked_at
            mine.counts = asdict(Erased(**mine.counts) + gone)
            Erasure.objects.filter(pk=mine.pk).update(done=mine.done, counts=mine.counts)


def _hold(mine: Erasure, now: datetime) -> None:
    """Renew the lease before anything goes: a worker that was taken for dead deletes nothing."""
    ours = Erasure.objects.filter(pk=mine.pk, fence=mine.fence, state=Erasure.State.RUNNING)
    if not ours.update(lease_until=now + LEASE):
        raise _NotOursError
