"""The one way to start background work: by task name, once the transaction commits.

A message is only a wake-up: the row that it points at is the truth, and a sweeper finds rows whose message was lost.
"""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def enqueue(name: str, **ids: int | str) -> None:
    """Send the named task after commit (at once when no transaction is open).

    An unknown name raises here, before anything is committed. A broker that is away is logged, never raised:
    the change is committed and the sweepers start the work later.
    """
    task = current_app.tasks.get(name)
    if task is None:
        current_app.loader.import_default_modules()
        task = current_app.tasks[name]

    def send() -> None:  # Django names a robust callback by its __qualname__ when it fails; a partial has none
        _send(name, ids)

    transaction.on_commit(send, robust=True)


def _send(name: str, ids: dict[str, int | str]) -> None:
    try:
        current_app.tasks[name].apply_async(kwargs=ids, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("job.not_sent", extra={"job": name, "reason": type(error).__name__})
