"""Places at which a process of the platform can be told to die, and a database that can be told to be full.

Nothing of the product is replaced: every statement is looked at on its way to the database. The file `failpoint` in
the data folder names the place; whoever gets there first takes the file away and kills itself. While the file `full`
is there, SQLite is told that its file may not grow, so it answers SQLITE_FULL as on a full disk.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery.signals import before_task_publish
from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

MOST_PAGES = 1_073_741_823

Sees = Callable[[str, Any], bool]


def _begins(*words: str) -> Sees:
    def sees(sql: str, params: Any) -> bool:
        if not sql.startswith(words[0]):
            return False
        values = " ".join(map(str, params or ()))  # an enumeration's member shows its value only by itself
        return all(word in sql or word in values for word in words)

    return sees


LEASES = _begins('UPDATE "evals_workitem" SET "state"', "leased")
ANSWERS = _begins('INSERT INTO "evals_result"')
# name: the statement, and whether the process dies before it (nothing sent) or after it (sent, not yet committed)
PLACES: dict[str, tuple[Sees, str]] = {
    "leasing": (LEASES, "after"),
    "leased": (_begins("SELECT", '"evals_example"."inputs"', " IN ("), "before"),
    "answered": (ANSWERS, "before"),
    "result written": (ANSWERS, "after"),
    "score written": (_begins('INSERT INTO "evals_score"'), "after"),
    "attempt written": (_begins('INSERT INTO "gateway_attempt"'), "after"),
    "answer cached": (_begins('INSERT INTO "gateway_cacheentry"'), "after"),
    "beating": (_begins('UPDATE "evals_workerslice"'), "after"),
    "finishing": (_begins('UPDATE "evals_run"', '"summary"'), "after"),
    "finished": (_begins('INSERT INTO "audit_event"', "run.finished"), "after"),
}
# The first statement outside a transaction after a result was written: the moment after its COMMIT.
COMMITTED = "result committed"
NAMES = (*PLACES, COMMITTED)
# In the web process: what a request asked for is committed, and the message that would wake a worker is not sent.
UNSENT = "message unsent"


class Failpoints(AppConfig):
    """Statements in workers; the web process has faults of its own."""

    name = "tests.faults.failpoints"
    label = "failpoints"

    def ready(self) -> None:
        if "celery" in " ".join(sys.argv):
            connection_created.connect(_watch, weak=False)
        elif "granian" in " ".join(sys.argv):
            before_task_publish.connect(_die_unsent, weak=False)


def _die_unsent(**_: Any) -> None:
    """The web process with all that belongs to it."""
    if _wanted(settings.DATA_DIR / "failpoint") == UNSENT:
        _die(settings.DATA_DIR / "failpoint", lambda: os.killpg(os.getpgrp(), signal.SIGKILL))


def _watch(connection: Any, **_: Any) -> None:
    """Called for every new connection; what was told to the last one is forgotten with it."""
    connection.execute_wrappers[:] = [one for one in connection.execute_wrappers if not isinstance(one, _Watch)]
    connection.execute_wrappers.append(_Watch(settings.DATA_DIR))


class _Watch:
    def __init__(self, folder: Path) -> None:
        self.failpoint, self.full = folder / "failpoint", folder / "full"
        self.is_full = self.wrote = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        connection = context["connection"]
        if self.full.exists() != self.is_full and connection.vendor == "sqlite":
            self.is_full = not self.is_full
            connection.connection.execute(f"PRAGMA max_page_count = {1 if self.is_full else MOST_PAGES}").fetchall()
        wanted = _wanted(self.failpoint)
        sees, when = PLACES.get(wanted, (None, ""))
        here = sees is not None and sees(sql, params)
        if wanted == COMMITTED and self.wrote and not connection.in_atomic_block:
            self._die()
        self.wrote = wanted == COMMITTED and (self.wrote or ANSWERS(sql, params))
        if here and when == "before":
            self._die()
        answer = execute(sql, params, many, context)
        if here and when == "after":
            self._die()
        return answer

    def _die(self) -> None:
        _die(self.failpoint, lambda: os.kill(os.getpid(), signal.SIGKILL))


def _wanted(failpoint: Path) -> str:
    try:
        return failpoint.read_text()
    except OSError:
        return ""


def _die(failpoint: Path, kill: Callable[[], None]) -> None:
    try:
        failpoint.rename(failpoint.with_suffix(".reached"))
    except OSError:
        return  # another process was first
    kill()
