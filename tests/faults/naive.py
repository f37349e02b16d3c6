"""Engines as one writes them first, for the positive control: the checker must see what they lose and overwrite.

`early-ack`: an item is done with when it is taken up, as a message that is acknowledged at once.
`no-fence`: an item that was taken up long ago is taken up again, and whoever comes last writes.

    python -m tests.faults.naive FOLDER PROVIDER_URL early-ack|no-fence
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.faults.checker import Seen
from tests.faults.systems import PROVIDER, is_locked
from tests.installation import ROOT, Installation, children_of, wait_for

CHILDREN = 2
CALLS = 5  # in flight, of each child
TAKEN_OVER_AFTER_S = 2.0
SEEN_AFTER_S = 1.0  # by a client that reads results all the while

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT, state TEXT DEFAULT 'pending', taken_at REAL DEFAULT 0);
CREATE TABLE result (id INTEGER PRIMARY KEY, text TEXT UNIQUE, output TEXT);
CREATE TABLE held (child INTEGER, item INTEGER, text TEXT);
"""
TAKE = {
    "early-ack": "SELECT id, text FROM item WHERE state = 'pending' LIMIT 5",
    "no-fence": (
        "SELECT id, text FROM item WHERE state = 'pending' "
        f"OR (state = 'taken' AND taken_at < :now - {TAKEN_OVER_AFTER_S}) LIMIT 5"
    ),
}
WRITE = (
    "INSERT INTO result (text, output) VALUES (:text, :output) "
    "ON CONFLICT (text) DO UPDATE SET output = excluded.output"
)


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "naive.sqlite3", timeout=20, isolation_level=None)) as connection:
        yield connection


class NaiveEngine:
    """A `System`: a parent with two children that work, started again when they die."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.folder = Path(tempfile.mkdtemp(prefix="llmops-naive-"))
        self.provider = Installation()  # only its provider is started
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = False
        self.watch = threading.Thread(target=self._keep_alive, daemon=True)

    def __enter__(self) -> Self:
        self.provider.start_provider(*PROVIDER)
        with database(self.folder) as connection:
            connection.executescript(SCHEMA)
        self.watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping = True
        self.watch.join(10)
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.provider.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep_alive(self) -> None:
        command = [sys.executable, "-m", "tests.faults.naive", str(self.folder), self.provider.provider_url, self.mode]
        while not self.stopping:
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
            time.sleep(0.05)

    def workers(self) -> tuple[int, list[int]]:
        if self.process is None or self.process.poll() is not None:
            return 0, []
        return self.process.pid, children_of(self.process.pid)

    def start(self, name: str, count: int) -> list[str]:
        texts = [f"{name} {number}" for number in range(count)]
        with database(self.folder) as connection:
            connection.executescript("DELETE FROM item; DELETE FROM result; DELETE FROM held")
            connection.executemany("INSERT INTO item (text) VALUES (?)", [(text,) for text in texts])
        return texts

    def done(self) -> int:
        return len(self.results())

    def new_results(self) -> list[Seen]:
        return self.results()

    def is_over(self) -> bool:
        """Nothing waits, and no living child holds anything that it could still write: not even what another wrote."""
        with database(self.folder) as connection:
            [[waiting]] = connection.execute("SELECT count(*) FROM item WHERE state = 'pending'")
        return not waiting and not any(self.held_by(child) for child in self.workers()[1])

    def held_by(self, child: int) -> set[str]:
        """The questions that a child has taken up and not written the answer of."""
        with database(self.folder) as connection:
            return {text for [text] in connection.execute("SELECT text FROM held WHERE child = ?", [child])}

    def kill_group(self) -> None:
        """kill -9 of the parent and all its children while a child holds work."""
        self._strike(lambda child, held: os.killpg(os.getpgid(child), signal.SIGKILL))

    def kill_child(self) -> None:
        """kill -9 of a child that holds work; its parent starts another."""
        self._strike(lambda child, held: os.kill(child, signal.SIGKILL))

    def pause_child(self) -> None:
        """SIGSTOP of a child that holds work, until a client has seen the other child's results of just that work."""

        def wait(child: int, held: set[str]) -> None:
            wait_for(lambda: held <= {seen.text for seen in self.results()}, 60, "nobody took over")
            time.sleep(SEEN_AFTER_S)

        self._strike(wait)

    def _strike(self, act: Callable[[int, set[str]], None]) -> None:
        """Stop a child that holds work, act on it, and let it go on."""
        while True:
            for child in self.workers()[1]:
                os.kill(child, signal.SIGSTOP)
                try:
                    unanswered = self.held_by(child) - {seen.text for seen in self.results()}
                    if unanswered and not is_locked(self.folder / "naive.sqlite3"):
                        return act(child, unanswered)
                finally:
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGCONT)
            time.sleep(0.01)

    def results(self) -> list[Seen]:
        with database(self.folder) as connection:
            return [Seen(text, text, output) for text, output in connection.execute("SELECT text, output FROM result")]

    def answered(self) -> dict[str, int]:
        found: dict[str, int] = self.provider.ledger()["answered"]
        return found

    def said(self) -> str:
        return f"{self.mode}: {self.done()} results"


def parent(folder: Path, url: str, mode: str) -> None:
    children: set[int] = set()
    while True:
        while len(children) < CHILDREN:
            pid = os.fork()
            if not pid:
                work(folder, url, mode)
                os._exit(0)
            children.add(pid)
        ended, _ = os.waitpid(-1, 0)
        children.discard(ended)


def work(folder: Path, url: str, mode: str) -> None:
    with database(folder) as connection, ThreadPoolExecutor(CALLS) as pool:
        while os.getppid() != 1:
            connection.execute("BEGIN IMMEDIATE")
            taken = connection.execute(TAKE[mode], {"now": time.time()}).fetchall()
            for item, _ in taken:
                connection.execute("UPDATE item SET state = 'taken', taken_at = ? WHERE id = ?", [time.time(), item])
            connection.executemany("INSERT INTO held VALUES (?, ?, ?)", [(os.getpid(), *row) for row in taken])
            connection.execute("COMMIT")
            if not taken:
                time.sleep(0.05)
            for (item, text), output in zip(taken, pool.map(lambda row: ask(url, row[1]), taken), strict=True):
                connection.execute(WRITE, {"text": text, "output": output})
                connection.execute("UPDATE item SET state = 'done' WHERE id = ?", [item])
                connection.execute("DELETE FROM held WHERE child = ? AND item = ?", [os.getpid(), item])


def ask(url: str, text: str) -> str:
    body = {"model": "model-1", "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"{url}/chat/completions", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        output: str = json.load(answer)["choices"][0]["message"]["content"]
    return output


if __name__ == "__main__":
    parent(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
