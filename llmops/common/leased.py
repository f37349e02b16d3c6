"""Long work whose row is the truth: one worker at a time has it, and another one goes on when that one dies."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from llmops.common import jobs

WAITING, RUNNING = "waiting", "running"
# A message of a new row is on its way for that long before the row counts as forgotten.
ON_ITS_WAY = timedelta(seconds=10)
WOKEN_AT_ONCE = 100


class Leased(models.Model):
    """Work that a worker takes up until `lease_until`. Who holds the newest `fence` may write; `attempts` counts how
    often it was taken up, so that work which kills its workers comes to an end. The model has a `state` of its own."""

    ACTIVE: ClassVar = (WAITING, RUNNING)

    error = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE  # type: ignore[attr-defined]


LeasedT = TypeVar("LeasedT", bound=Leased)


def claim(rows: models.QuerySet[LeasedT], pk: int, lease: timedelta, **begin: Any) -> LeasedT | None:
    """Take the row up, with the columns of `begin` set anew; None when it is over or another worker has it."""
    now = timezone.now()
    is_free = Q(lease_until=None) | Q(lease_until__lt=now)
    claimed = rows.filter(is_free, pk=pk, state__in=Leased.ACTIVE).update(
        state=RUNNING, lease_until=now + lease, fence=F("fence") + 1, attempts=F("attempts") + 1, **begin
    )
    return rows.get(pk=pk) if claimed else None


def wake_stalled(rows: models.QuerySet[LeasedT], task: str, name: str, now: datetime) -> int:
    """Send the task, with the key as `name`, for work whose worker died or whose message was lost; returns how many."""
    is_forgotten = Q(lease_until=None, created_at__lt=now - ON_ITS_WAY) | Q(lease_until__lt=now)
    stalled = rows.filter(is_forgotten, state__in=Leased.ACTIVE).values_list("pk", flat=True)[:WOKEN_AT_ONCE]
    for pk in stalled:
        jobs.enqueue(task, **{name: pk})
    return len(stalled)
