"""Hourly rollups: mark hours as dirty, and compute dirty hours again from their rows.

Ingestion, late events, deletions and `manage.py rebuild_hours` only mark; `compute_dirty` is the one place that writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from feedback import tallies
from feedback.models import Call, DirtyHour, FeedbackEvent, HourStat, Vote
from feedback.queries import hours as queries
from feedback.services import arrivals, days
from llmops.projects.models import Project

# A process marks an hour once in so many seconds; what it stores meanwhile is covered by that mark …
MARK_SECONDS = 30.0
# … because a mark stays until no request that started under it can still be storing.
SETTLED = timedelta(seconds=120)
# While calls come in, marks are repeated: such an hour is computed at every turn, others once more when they settled.
BUSY = timedelta(seconds=45)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
MOST_MARKS = 4096
# Hours in one transaction: each commit waits for the disk.
TOGETHER = 24
MARK_COLUMNS = ("project_id", "hour", "marked_at", "is_derived")
ARRIVED_AGAIN = (
    "ON CONFLICT (project_id, hour) DO UPDATE SET is_derived = excluded.is_derived, marked_at = CASE "
    "WHEN excluded.marked_at > feedback_dirtyhour.marked_at THEN excluded.marked_at "
    "ELSE feedback_dirtyhour.marked_at END"
)
CHANGED_AGAIN = f"{ARRIVED_AGAIN}, computed_at = NULL"

_marked: dict[tuple[int, int], float] = {}
_lock = threading.Lock()


def mark_arrivals(*, project_id: int, hours: Iterable[int], now: datetime) -> None:
    """Mark before calls or votes are stored; costs nothing when this process marked the hour a moment ago."""
    until = time.monotonic()
    fresh = sorted({hour for hour in hours if _marked.get((project_id, hour), 0.0) < until})
    if not fresh:
        return
    arrivals.commit(lambda: _insert(project_id, fresh, now, ARRIVED_AGAIN))
    if connection.in_atomic_block:
        return  # a caller's transaction may still be rolled back, and the mark with it
    with _lock:
        if len(_marked) > MOST_MARKS:
            _marked.clear()
        _marked.update(dict.fromkeys([(project_id, hour) for hour in fresh], until + MARK_SECONDS))


def forget() -> None:
    """Empty this process's memory of marks, for tests."""
    with _lock:
        _marked.clear()


def mark(*, project_id: int, hours: Iterable[int], now: datetime) -> None:
    """Mark hours as dirty, inside the caller's transaction: for changes and deletions."""
    _insert(project_id, hours, now, CHANGED_AGAIN)


def mark_all(*, project: Project, now: datetime) -> int:
    """Mark every hour that has calls, votes, masked feedback or a rollup; returns their number."""
    found: set[int] = set()
    for model in (Call, Vote, HourStat):
        rows = model._base_manager.filter(project=project).order_by()
        found.update(rows.values_list("hour", flat=True).distinct())
    times = FeedbackEvent.objects.filter(project=project, masked__gt=0).values_list("received_at", flat=True)
    found.update(hour_of(received_at) for received_at in times.iterator())
    with transaction.atomic():
        mark(project_id=project.pk, hours=found, now=now)
    return len(found)


def compute_dirty(*, now: datetime, project: Project | None = None) -> int:
    """Compute the marked hours again, newest first; returns how many. Safe to run twice and at the same time."""
    project_id = project.pk if project else None
    for one in queries.dirty(project_id):
        if not one.is_derived and _is_due(one, now):
            _spread(one, now)
    due = [one for one in queries.dirty(project_id) if _is_due(one, now)]
    return sum(_compute(due[start : start + TOGETHER], now) for start in range(0, len(due), TOGETHER))


def rebuild(*, project: Project, now: datetime) -> int:
    """Compute every hour of the project again; returns how many."""
    count = mark_all(project=project, now=now - 2 * SETTLED)
    while any(one.computed_at is None for one in queries.dirty(project.pk)):
        compute_dirty(now=now, project=project)
    return count


def hour_of(moment: datetime) -> int:
    """The whole hours since 1970."""
    return int(moment.timestamp() // 3600)


def _insert(project_id: int, hours: Iterable[int], now: datetime, ending: str, *, is_derived: bool = False) -> None:
    moment = arrivals.time_value(now)
    rows = [(project_id, hour, moment, is_derived) for hour in sorted(set(hours))]
    arrivals.insert(DirtyHour, MARK_COLUMNS, rows, ending)


def _is_due(one: DirtyHour, now: datetime) -> bool:
    return one.computed_at is None or one.marked_at < now - SETTLED or one.marked_at > now - BUSY


def _spread(one: DirtyHour, now: datetime) -> None:
    """Mark the hours to which the news of this one belongs. These do not spread further, so it comes to an end."""
    since = one.computed_at - SETTLED if one.computed_at else LONG_AGO
    others = queries.related_hours(one.project_id, one.hour, since)
    with transaction.atomic():
        _insert(one.project_id, others, now, "ON CONFLICT (project_id, hour) DO NOTHING", is_derived=True)


@transaction.atomic
def _compute(marks: list[DirtyHour], now: datetime) -> int:
    """Replace the rollups of these hours; returns how many, without those that another worker has or had.

    The marks are touched last, so that ingestion never waits for the computation to mark an hour again.
    """
    mine = [one for one in marks if _claim(one)]
    there = {one.pk: one for one in DirtyHour.objects.filter(pk__in=[one.pk for one in mine])}
    for mark in there.values():
        slices = queries.slices(mark.project_id, mark.hour)
        HourStat.objects.filter(project_id=mark.project_id, hour=mark.hour).delete()
        HourStat.objects.bulk_create([_row(mark, name, found) for name, found in slices.items()])
    for project in Project.objects.filter(pk__in={mark.project_id for mark in there.values()}).order_by("pk"):
        days.replace(project=project, hours={mark.hour for mark in there.values() if mark.project_id == project.pk})
    for mark in sorted(there.values(), key=lambda one: one.pk):
        own = DirtyHour.objects.filter(pk=mark.pk)
        settled = mark.is_derived or mark.marked_at < now - SETTLED
        if not (settled and own.filter(marked_at=mark.marked_at, is_derived=mark.is_derived).delete()[0]):
            own.update(computed_at=now)
    return len(there)


def _claim(one: DirtyHour) -> bool:
    """Whether this transaction has the hour to itself; SQLite has one writer anyway."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [one.project_id % 2**31, one.hour])
        return bool(cursor.fetchone()[0])


def _row(mark: DirtyHour, name: queries.Name, found: queries.Slice) -> HourStat:
    path, version, model, environment = name
    plain: dict[str, Any] = {
        field: getattr(found, field)
        for field in (
            "calls", "errors", "costed", "cost_usd", "tokens_in", "tokens_out", "masked", "anonymous_ups",
            "anonymous_votes",
        )
    }  # fmt: skip
    return HourStat(
        project_id=mark.project_id,
        hour=mark.hour,
        slice=arrivals.digest(arrivals.json_bytes(name)),
        path=path,
        version_id=version,
        model=model,
        environment=environment,
        voted=len(found.voted),
        ups=sum(ups for ups, _ in found.voters.values()),
        votes=sum(votes for _, votes in found.voters.values()),
        latency=tallies.pack_histogram(found.latency),
        voters=tallies.pack_voters(found.voters),
        **plain,
    )
