"""Ingestion and prompt fetch beside bare Django views that run the same statements.

Both are served by a real granian process with the product's own settings (threads, connection, durability); the load
comes from another process. The database is SQLite in a scratch folder, or the empty one that DATABASE_URL names.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import cpu_seconds

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = (1, 8, 32)
# what, items per request
LOADS = (("calls", 1), ("calls", 100), ("feedback", 1), ("feedback", 100), ("prompt", 1))
AIM = 0.75


@dataclass(frozen=True, slots=True)
class Measured:
    """Items per second, server CPU in microseconds per item, and how long requests took in milliseconds."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    failures: int


# What a team may rely on: items per second in batches, on a database that is alone and durable.
BATCHED = 10_000


def run(seconds: float = 3.0) -> bool:
    """Measure and print the table; False when batches are slower than the bar."""
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        environment = os.environ | {
            "LLMOPS_DATA_DIR": folder,
            "LLMOPS_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "llmops.settings",
            "PYTHONWARNINGS": "ignore",
        }
        manage("migrate", "--verbosity", "0", environment=environment)
        manage("createcachetable", environment=environment)
        manage("create_project", "bench", "--admin", "bench@example.com", environment=environment)
        key = manage("issue_key", "bench", environment=environment).split()[-1]
        with (
            served("llmops.wsgi:application", environment) as ours,
            served("tests.bench.bare:application", environment) as bare,
        ):
            add_prompt(ours[0], key)
            print(durability())
            heads = f"{'items/s':>10}{'bare':>10}{'ratio':>8}{'CPU µs':>9}{'bare':>8}{'p50 ms':>9}{'p95':>8}{'p99':>8}"
            print(f"{'':22}{'connections':>12}{heads}")
            batched = 0.0
            for kind, batch in LOADS:
                for connections in CONNECTIONS:
                    found = [measure(*server, kind, batch, connections, seconds, key) for server in (ours, bare)]
                    show(f"{kind}, {f'batches of {batch}' if batch > 1 else 'single'}", connections, *found)
                    if (kind, batch) == ("calls", 100):
                        batched = max(batched, found[0].per_second)
        if os.environ.get("DATABASE_URL", "").startswith("postgres"):
            print(f"COPY of the same rows by itself: {copied(environment):,.0f} rows/s")
        held = batched >= BATCHED
        print(f"Aim: a ratio of {AIM} or more. CPU is the server's, user and system, per item.")
        print(f"Calls in batches: {batched:,.0f} items/s, bar {BATCHED:,}: {'held' if held else 'MISSED'}")
    return held


def durability() -> str:
    """What the database promises, so that nobody compares figures of two promises."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        return "SQLite, synchronous FULL"
    import psycopg

    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
    with psycopg.connect(url) as connection:
        values = [connection.execute(f"SHOW {name}").fetchone() for name in names]
    return "PostgreSQL " + ", ".join(f"{name} {value[0]}" for name, value in zip(names, values, strict=True) if value)


def copied(environment: dict[str, str], rows: int = 100_000) -> float:
    """Rows per second of a bare COPY into the table of calls, its indexes included."""
    command = [sys.executable, "-m", "tests.bench.seeding", "copy", "bench", str(rows)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return rows / float(json.loads(done.stdout)["seconds"])


def show(what: str, connections: int, ours: Measured, bare: Measured) -> None:
    failed = f"  {ours.failures + bare.failures} FAILED" if ours.failures or bare.failures else ""
    print(
        f"{what:22}{connections:>12}{ours.per_second:>10,.0f}{bare.per_second:>10,.0f}"
        f"{ours.per_second / bare.per_second:>8.2f}{ours.cpu_us:>9,.0f}{bare.cpu_us:>8,.0f}"
        f"{ours.p50_ms:>9.1f}{ours.p95_ms:>8.1f}{ours.p99_ms:>8.1f}{failed}",
        flush=True,
    )


def measure(base: str, pid: int, kind: str, batch: int, connections: int, seconds: float, key: str) -> Measured:
    """One load after a short warm-up."""
    load(base, kind, connections, 0.3, batch, key)
    before = cpu_seconds(pid)
    found = load(base, kind, connections, seconds, batch, key)
    used = cpu_seconds(pid) - before
    items = found["requests"] * batch
    return Measured(
        per_second=items / found["seconds"],
        cpu_us=1e6 * used / items,
        p50_ms=found["p50_ms"],
        p95_ms=found["p95_ms"],
        p99_ms=found["p99_ms"],
        failures=sum(found["failures"].values()),
    )


def load(base: str, kind: str, connections: int, seconds: float, batch: int, key: str) -> dict:
    command = [sys.executable, "-m", "tests.bench.load", base, kind, str(connections), str(seconds), str(batch), key]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


@contextmanager
def served(application: str, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """A granian process as `manage.py up` starts it; gives its address and its process id."""
    from llmops.common.processes import WEB_THREADS

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "granian", application, "--interface", "wsgi"],
            *["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", str(WEB_THREADS)],
            *["--log-level", "error", "--no-ws", "--backpressure", "256"],
        ],
        cwd=ROOT,
        env=environment,
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not answer within 30 s")


def manage(*arguments: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def add_prompt(base: str, key: str) -> None:
    content = "---\nname: support/reply\n---\nsystem:\nAnswer kindly.\nuser:\n{{question}}\n"
    send(base, key, "POST", "prompts/support/reply/versions", {"content": content, "message": "First"})
    send(base, key, "PUT", "prompts/support/reply/labels/production", {"version": 1})


def send(base: str, key: str, method: str, path: str, body: dict) -> None:
    request = urllib.request.Request(
        f"{base}/api/v1/{path}",
        data=json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:300]}") from None


if __name__ == "__main__":
    sys.exit(not run(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
