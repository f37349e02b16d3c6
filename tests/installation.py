"""A whole installation of its own: scratch data folder, real web, worker and beat processes, a model server."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
ADMIN = "ops@example.com"
OURS = ("LLMOPS_", "DATABASE_URL", "REDIS_URL", "PORT", "DJANGO_", "PYTEST_")


class Installation:
    """`with Installation() as it:` lays a database, starts `manage.py up` and waits until the web process answers.

    Everything that tests do goes through the operator's commands and the REST API.
    """

    def __init__(self, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="llmops-installation-"))
        self.port = free_port()
        self.provider: subprocess.Popen[str] | None = None
        self.provider_port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {
            "LLMOPS_DATA_DIR": str(self.folder),
            "PORT": str(self.port),
            "LLMOPS_EGRESS_ALLOW": f"127.0.0.1:{self.provider_port}",
            "DJANGO_SETTINGS_MODULE": "llmops.settings",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self.log = (self.folder / "log.txt").open("w")
        self.up: subprocess.Popen[bytes] | None = None
        self.key = self.password = ""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if "DATABASE_URL" not in self.environment:
            shutil.copy(migrated_database(), self.folder)
        self.up = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        wait_for(self.is_ready, 60, "the web process did not answer")

    def stop(self) -> None:
        if self.up is not None:
            self.up.send_signal(signal.SIGTERM)
            try:
                self.up.wait(20)
            except subprocess.TimeoutExpired:
                self.up.kill()
        self.stop_provider()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_provider(self, *arguments: str) -> None:
        """The fake provider as a process of its own, with these arguments."""
        self.stop_provider()
        self.provider = subprocess.Popen(
            [sys.executable, "-m", "tests.fake_provider", "--port", str(self.provider_port), *arguments],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.provider.stdout is not None
        assert int(self.provider.stdout.readline()) == self.provider_port

    def stop_provider(self) -> None:
        if self.provider is not None:
            self.provider.kill()
            self.provider.communicate()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def provider_url(self) -> str:
        return f"http://127.0.0.1:{self.provider_port}/v1"

    def ledger(self) -> dict[str, Any]:
        """What the fake provider was asked."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.provider_port}/ledger", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def tell_provider(self, what: str, body: Any = None) -> None:
        """`script` with a list of faults for the next calls, or `forget` to empty its ledger."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.provider_port}/{what}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    def manage(self, *arguments: str) -> str:
        """Run an operator's command; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def seed(self, slug: str = "bench") -> None:
        """A project with a key, a connection to the fake provider and a prompt that repeats its input."""
        self.password = self.manage("create_project", slug, "--admin", ADMIN).split()[-1]
        self.key = self.manage("issue_key", slug)
        self.manage(
            "add_connection", slug, "--kind", "openai-compatible", "--url", self.provider_url, "--default",
            "--key", "sk-of-the-test", "--max-in-flight", "200",
        )  # fmt: skip
        content = (
            "---\nname: Repeat\nmodel:\n  id: model-1\ninputs:\n  text:\n    type: string\n---\nuser:\n{{ text }}\n"
        )
        self.api("POST", "/prompts/repeat/versions", {"content": content, "message": "First"})

    def add_dataset(self, slug: str, count: int) -> None:
        """`count` examples whose texts name the dataset, so that no other run has asked for them."""
        self.api("POST", "/datasets", {"slug": slug})
        rows = [{"inputs": {"text": f"{slug} {n}"}, "expected": f"echo: {slug} {n}"} for n in range(count)]
        for start in range(0, count, 5_000):
            self.api("POST", f"/datasets/{slug}/examples", rows[start : start + 5_000])

    def start_run(self, dataset: str, **wanted: Any) -> str:
        body = {"prompt": "repeat", "dataset": dataset, "evaluators": [{"metric": "exact_match", "params": {}}]}
        started: dict[str, str] = self.api("POST", "/runs", body | wanted)
        return started["id"]

    def run(self, uid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"/runs/{uid}")
        return found

    def results(self, uid: str) -> list[dict[str, Any]]:
        """Every result of a run, page by page."""
        found: list[dict[str, Any]] = []
        path: str | None = f"/runs/{uid}/results?limit=200"
        while path:
            page = self.api("GET", path)
            found += page["results"]
            path = page["next"] and page["next"].partition("/api/v1")[2]
        return found

    def api(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:2000]}") from None

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def said(self) -> str:
        """The end of what its processes logged."""
        return (self.folder / "log.txt").read_text()[-6000:]


@cache
def migrated_database() -> Path:
    """An empty SQLite database with every table, made once for the process: each installation starts from a copy."""
    folder = Path(tempfile.mkdtemp(prefix="llmops-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrate(LLMOPS_DATA_DIR=str(folder))
    [database] = folder.glob("*.sqlite3")
    return database


@cache
def migrated_template(address: str) -> str:
    """The name of a PostgreSQL database with every table, made once for the process like its SQLite sister."""
    import psycopg

    name = f"llmops_template_{uuid.uuid4().hex[:12]}"
    server = address.replace("postgres://", "postgresql://")

    def drop() -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    atexit.register(drop)
    with tempfile.TemporaryDirectory(prefix="llmops-migrated-") as folder:
        _migrate(DATABASE_URL=f"{address.rpartition('/')[0]}/{name}", LLMOPS_DATA_DIR=folder)
    return name


def _migrate(**environment: str) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT, env=ours | environment, check=True, timeout=120,
    )  # fmt: skip


@contextmanager
def fresh_services() -> Iterator[dict[str, str]]:
    """DATABASE_URL of a new database on the server of the environment, REDIS_URL of an emptied number."""
    import psycopg
    import redis

    address, redis_address = os.environ["DATABASE_URL"], os.environ["REDIS_URL"].rstrip("/")
    name = f"llmops_test_{uuid.uuid4().hex[:12]}"
    head = address.rpartition("/")[0]
    broker = f"{redis_address.rpartition('/')[0] if redis_address.count('/') > 2 else redis_address}/13"
    with psycopg.connect(address.replace("postgres://", "postgresql://"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_template(address)}"')
        redis.Redis.from_url(broker).flushdb()
        try:
            yield {"DATABASE_URL": f"{head}/{name}", "REDIS_URL": broker}
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            redis.Redis.from_url(broker).flushdb()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(condition: Callable[[], bool], seconds: float, complaint: str, every_s: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(every_s)
    raise AssertionError(complaint)


def workers_of(installation: Installation, queue: str = "runs") -> tuple[int, list[int]]:
    """The worker process that serves the queue, and its children; 0 and none while it is being restarted."""
    pid = process_of(installation, "celery", queue)
    return pid, children_of(pid) if pid else []


def process_of(installation: Installation, *words: str) -> int:
    """The process under `up` whose command has these words; 0 while it is being restarted."""
    assert installation.up is not None
    for pid in children_of(installation.up.pid):
        command = _command(pid)
        if all(word in command for word in words):
            return pid
    return 0


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
