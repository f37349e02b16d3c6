"""Count what was sent and not taken: by hour, way in, reason and field.

Counts of a request are written at once. Those of moments in which nothing may be written (the database is busy, or a
key sends too quickly) wait in the process for the next count, at most `PAUSE` seconds apart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from feedback.models import Refusal
from feedback.services import arrivals
from llmops.common import text
from llmops.common.errors import DomainError

COLUMNS = ("project_id", "hour", "entry", "reason", "field", "count", "sample", "last_at")
ADDED_UP = (
    "ON CONFLICT (project_id, hour, entry, reason, field) DO UPDATE SET "
    "count = feedback_refusal.count + excluded.count, sample = excluded.sample, last_at = excluded.last_at"
)
LONGEST_SAMPLE = 300
PAUSE = 1.0
# Senders choose what stands in their JSON; only these words are kept apart, so that rows stay few.
FIELDS = frozenset(
    {
        "id", "call", "span", "kind", "name", "value", "thumbs", "score", "number", "category", "comment", "text",
        "correction", "tags", "end_user", "session", "source", "metadata", "prompt", "version", "label", "commit",
        "environment", "model", "inputs", "output", "contexts", "trace", "latency_ms", "usage", "tokens_in",
        "tokens_out", "cost_usd", "error", "started_at", "batch", "scope", "assessment", "traceId", "resourceSpans",
        "type",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused item: the error's code, its first field and what its sender was told."""

    reason: str
    field: str
    message: str


_Key = tuple[int, int, str, str, str]
_lock = threading.Lock()
_pending: dict[_Key, tuple[int, str, datetime]] = {}
_written_at = 0.0


def of(error: DomainError) -> Refused:
    """The refusal that an error is, under a field that events have."""
    first = next(iter(error.fields), "").partition(".")[0].partition("[")[0]
    return Refused(error.code[:40], first if first in FIELDS else "", error.message)


def count(*, project_id: int, entry: str, refused: Iterable[Refused], now: datetime, may_write: bool = True) -> None:
    """Add refusals to the project's counts; with `may_write` they are in the database when this returns.

    A count never stands in the way: when the database is away it waits in the process.
    """
    hour = int(now.timestamp() // 3600)
    with _lock:
        for one in refused:
            key = (project_id, hour, entry, one.reason, one.field)
            before = _pending.get(key, (0, "", now))[0]
            _pending[key] = (before + 1, text.repaired(one.message)[:LONGEST_SAMPLE], now)
    if may_write:
        write()


def write_if_due() -> None:
    """Write what waits, at most once a second; nothing waits nearly always."""
    if _pending and time.monotonic() - _written_at > PAUSE:
        write()


def write() -> None:
    """Write what waits."""
    global _written_at
    with _lock:
        waiting = dict(_pending)
        _pending.clear()
        _written_at = time.monotonic()
    if not waiting:
        return
    rows = [
        (*key, number, sample, arrivals.time_value(last)) for key, (number, sample, last) in sorted(waiting.items())
    ]
    try:
        arrivals.commit(lambda: arrivals.insert(Refusal, COLUMNS, rows, ADDED_UP))
    except DatabaseError:
        with _lock:
            for key, (number, sample, last) in waiting.items():
                again = _pending.get(key, (0, sample, last))
                _pending[key] = (again[0] + number, again[1], again[2])


def forget() -> None:
    """Empty this process's counts, for tests."""
    with _lock:
        _pending.clear()
