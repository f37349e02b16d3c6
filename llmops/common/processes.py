"""The processes of the platform and how they are started on one machine."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from llmops.common.errors import Unavailable
from llmops.common.supervisor import Supervisor

WEB_THREADS = 8
# Celery warns of the superuser on every start; in a container that is what one is.
QUIET = {"PYTHONWARNINGS": "ignore"}


def host_and_port() -> tuple[str, int]:
    """Where the web process listens: LLMOPS_BIND and PORT."""
    return os.environ.get("LLMOPS_BIND", "127.0.0.1"), int(os.environ.get("PORT", "8000"))


def demand_free_port() -> None:
    """:raises Unavailable: in one sentence, when the port is taken."""
    host, port = host_and_port()
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"Port {port} on {host} cannot be used: {(error.strerror or 'unknown reason').lower()}. "
                "Stop the program that holds it, or choose another with PORT=8001."
            ) from None


def prepare() -> None:
    """Bring the database up to date, and empty the embedded broker: its messages only wake, rows are the truth."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("createcachetable", verbosity=0)
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    if not settings.REDIS_URL:
        fresh_broker(settings.BROKER_FILE)


def fresh_broker(path: Path) -> None:
    """A new, empty broker file in WAL mode, so that readers and writers do not wait for each other."""
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        name.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def add_workers(supervisor: Supervisor) -> None:
    """Two worker processes: long runs never starve try-outs, imports and upkeep. Beat lives in the second."""
    celery = [sys.executable, "-m", "celery", "-A", "llmops", "--quiet", "worker", "--loglevel", "WARNING"]
    plain = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    runs = str(settings.LLMOPS_RUNS_PROCESSES)
    supervisor.add("runs worker", [*celery, "-Q", "runs", "-c", runs, "-n", "runs@%h", *plain], **QUIET)
    beat = ["--beat", "--schedule", str(settings.DATA_DIR / "beat-schedule")]
    supervisor.add(
        "upkeep worker", [*celery, "-Q", "interactive,upkeep", "-c", "1", "-n", "upkeep@%h", *plain, *beat], **QUIET
    )


def add_web(supervisor: Supervisor) -> None:
    """One granian process with threads: sessions, pages, API and git."""
    host, port = host_and_port()
    supervisor.add(
        "web",
        [
            *[sys.executable, "-m", "granian", "llmops.wsgi:application", "--interface", "wsgi"],
            *["--host", host, "--port", str(port), "--workers", "1", "--blocking-threads", str(WEB_THREADS)],
            *["--log-level", "warning", "--no-ws", "--backpressure", "256"],
        ],
    )
