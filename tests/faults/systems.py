"""What faults are done to: the platform, with real processes, and the little that a fault needs to know of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from tests.faults.checker import Seen
from tests.installation import Installation, children_of, process_of, wait_for, workers_of

PROVIDER = ("--latency-ms", "100", "--numbered")
SETTLED = ("done", "failed", "cancelled", "paused")


class System(Protocol):
    """Does a run of questions with workers that can be killed, and says what became of it."""

    def workers(self) -> tuple[int, list[int]]:
        """The worker's parent process and its children; 0 and none while it is away."""

    def start(self, name: str, count: int) -> list[str]:
        """Start a run; returns its questions."""

    def done(self) -> int:
        """How many results of the run are there."""

    def is_over(self) -> bool: ...

    def new_results(self) -> list[Seen]:
        """Those that came since the last look, and maybe earlier ones."""

    def results(self) -> list[Seen]:
        """All of the run."""

    def answered(self) -> dict[str, int]:
        """The provider's ledger of answers."""

    def said(self) -> str:
        """What helps to understand why it hangs."""


class Platform:
    """An installation of the product, driven through its API."""

    IN_FLIGHT = 10

    def __init__(self, it: Installation) -> None:
        self.it = it
        self.uid = ""
        self.page = ""
        it.start_provider(*PROVIDER)
        it.seed()

    @staticmethod
    def installation(**services: str) -> Installation:
        """Two processes work on runs, so that one can take over what a paused one holds."""
        settings = {"DJANGO_SETTINGS_MODULE": "tests.faults.settings", "LLMOPS_RUNS_PROCESSES": "2"}
        return Installation(**settings, **services)

    @property
    def on_servers(self) -> bool:
        return "DATABASE_URL" in self.it.environment

    def workers(self) -> tuple[int, list[int]]:
        parent, children = workers_of(self.it)
        return parent, children

    def beat(self) -> int:
        return process_of(self.it, "celery", "--beat")

    def web(self) -> tuple[int, list[int]]:
        pid = process_of(self.it, "granian")
        return pid, children_of(pid) if pid else []

    def start(self, name: str, count: int) -> list[str]:
        self.it.tell_provider("forget")
        self.it.add_dataset(name, count)
        self.uid = self.it.start_run(name, concurrency=self.IN_FLIGHT)
        self.page = f"/runs/{self.uid}/results?limit=200"
        return [f"{name} {number}" for number in range(count)]

    def state(self) -> dict[str, Any]:
        return self.it.run(self.uid)

    def done(self) -> int:
        done: int = self.state()["done"]
        return done

    def is_over(self) -> bool:
        try:
            return self.state()["status"] in SETTLED
        except (OSError, AssertionError):  # the web process may be the one that was killed, or has lost its database
            return False

    def new_results(self) -> list[Seen]:
        found: list[Seen] = []
        while True:
            page = self.it.api("GET", self.page)
            found += map(_seen, page["results"])
            if not page["next"]:
                return found
            self.page = page["next"].partition("/api/v1")[2]

    def results(self) -> list[Seen]:
        state = self.state()
        assert (state["status"], state["failed"]) == ("done", 0), state
        return [_seen(one) for one in self.it.results(self.uid)]

    def answered(self) -> dict[str, int]:
        found: dict[str, int] = self.it.ledger()["answered"]
        return found

    def refused(self) -> int:
        """Late writes that the fence refused, over all runs: the API does not tell."""
        [[count]] = self.query("SELECT coalesce(sum(refused_writes), 0) FROM evals_run")
        return int(count)

    def at_work(self) -> list[int]:
        """The processes that hold calls of the run."""
        rows = self.query(
            "SELECT DISTINCT pid FROM evals_workerslice JOIN evals_workitem ON slice_uid = uid WHERE state = 'leased'"
        )
        return sorted({pid for [pid] in rows} & set(self.workers()[1]))

    def is_locked(self) -> bool:
        """Whether somebody writes to SQLite; a process that is stopped then would keep everybody from writing."""
        return not self.on_servers and is_locked(self.it.folder / "llmops.sqlite3")

    def left_over(self) -> int:
        """Work items of finished runs."""
        [[count]] = self.query("SELECT count(*) FROM evals_workitem")
        return int(count)

    def query(self, sql: str) -> list[Any]:
        return queried(sql, self.it.environment.get("DATABASE_URL"), self.it.folder)

    def ready(self) -> None:
        """Wait until every process is there again."""
        wait_for(self.it.is_ready, 60, "the web process did not come back")
        wait_for(lambda: len(self.workers()[1]) >= 2 and self.beat() != 0, 60, "a worker did not come back")

    def said(self) -> str:
        return self.it.said()


def is_locked(path: Path) -> bool:
    """Whether a SQLite file's one write lock is held."""
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
            database.executescript("BEGIN IMMEDIATE; ROLLBACK")
    except sqlite3.OperationalError:
        return True
    return False


def _seen(result: dict[str, Any]) -> Seen:
    return Seen(result["id"], result["inputs"]["text"], result["output"])


def queried(sql: str, address: str | None, folder: Path) -> list[Any]:
    """What a database gives, asked from outside: the one at the address, else the SQLite file in the folder."""
    if address:
        import psycopg

        with psycopg.connect(address.replace("postgres://", "postgresql://"), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []
    with closing(sqlite3.connect(folder / "llmops.sqlite3", timeout=20)) as database:
        return database.execute(sql).fetchall()
