"""The slices of time that workers spend on runs: each has a row with a heartbeat, by the database's clock."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from evals.models import Run, WorkerSlice

SLICE_IS_DEAD = timedelta(seconds=15)


def beat(uid: uuid.UUID) -> int:
    """Say that the slice lives; returns how many do."""
    now = database_now()
    WorkerSlice.objects.update_or_create(
        uid=uid,
        defaults={"heartbeat_at": now},
        create_defaults={
            "heartbeat_at": now,
            "started_at": now,
            "host": this_host(),
            "pid": os.getpid(),
            "parent_pid": os.getppid(),
        },
    )
    return max(1, WorkerSlice.objects.filter(heartbeat_at__gt=now - SLICE_IS_DEAD).count())


def over(lanes: Sequence[int]) -> Collection[int]:
    """The runs of these that are no longer to be worked on."""
    active = set(Run.objects.filter(pk__in=lanes, state__in=Run.ACTIVE).values_list("pk", flat=True))
    return set(lanes) - active


def database_now() -> datetime:
    """The database's clock where it has one of its own: workers' clocks may differ."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    return now  # type: ignore[no-any-return]


def this_host() -> str:
    """The machine and, where it can be told, the namespace in which its process ids mean something."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}"[:200]
