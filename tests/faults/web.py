"""A web process alone, without workers, and clients that send to it whatever happens."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.faults.systems import queried
from tests.installation import ROOT, Installation, migrated_database

BATCH = 20


class Server:
    """A real granian process that can be killed without warning and started again on the same port."""

    def __init__(self, folder: Path, services: dict[str, str] | None = None) -> None:
        """On PostgreSQL and Redis when `services` has their addresses, else on a SQLite database of its own."""
        self.folder, self.services = folder, services or {}
        if not self.services:
            shutil.copy(migrated_database(), folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("DJANGO_", "DATABASE_URL", "REDIS_URL"))
            },
            "DJANGO_SETTINGS_MODULE": "llmops.settings",
            "LLMOPS_DATA_DIR": str(folder),
            "LLMOPS_LOG_LEVEL": "CRITICAL",
            "PYTHONWARNINGS": "ignore",
            **self.services,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *[sys.executable, "-m", "granian", "llmops.wsgi:application", "--interface", "wsgi"],
                *["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", "--blocking-threads", "8"],
                *["--log-level", "critical", "--no-ws"],
            ],
            cwd=ROOT,
            env=self.environment,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the server did not start")

    def kill(self) -> None:
        """kill -9 of the process and its children, which share its session."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None  # its number may belong to another process by now

    def query(self, sql: str) -> list[Any]:
        return queried(sql, self.services.get("DATABASE_URL"), self.folder)


class Sender(threading.Thread):
    """Sends batches until told to stop; a batch without an answer is sent again, as a client would."""

    def __init__(
        self, server: Server | Installation, key: str, number: int, stop: threading.Event, pause_s: float = 0
    ) -> None:
        super().__init__(daemon=True)
        self.pause_s = pause_s
        self.server, self.key, self.number, self.stop = server, key, number, stop
        self.acknowledged: dict[str, str] = {}
        self.retried = 0
        self.wrong: list[str] = []
        self.dice = random.Random(number)

    def run(self) -> None:
        for round_ in range(10_000):
            if self.stop.wait(self.pause_s):
                return
            kind = "calls" if round_ % 2 else "feedback"
            names = [f"{kind}-{self.number}-{round_}-{place}" for place in range(BATCH)]
            extra = {} if kind == "calls" else {"thumbs": "down", "end_user": f"u{self.number}"}
            events = [
                {"id": name, "output": name} if not extra else {"id": name, "call": name, **extra} for name in names
            ]
            again = 2 if self.dice.random() < 0.05 else 1  # a deliberate duplicate now and then
            for _ in range(again):
                self.remember(self.insist(kind, events))

    def insist(self, kind: str, events: list[dict[str, str]]) -> list[dict[str, str]]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.port}/api/v1/{kind}",
            data=json.dumps({"batch": events}).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    return json.loads(response.read())["results"]  # type: ignore[no-any-return]
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    self.wrong.append(f"{error.code} {error.read()[:200]!r}")
                    return []
            except (OSError, http.client.HTTPException, ValueError):  # killed before or while it answered
                pass
            self.retried += 1
            time.sleep(0.05)

    def remember(self, results: list[dict[str, str]]) -> None:
        for result in results:
            if result["status"] != 201:  # type: ignore[comparison-overlap]
                self.wrong.append(str(result))
            elif self.acknowledged.setdefault(result["id"], result["uid"]) != result["uid"]:
                self.wrong.append(f"another answer for {result['id']}")
