"""Monitor, home and inbox at 1,000 and at 1,000,000 calls, warm, from a real granian process, on PostgreSQL.

`DATABASE_URL` names a database of its own; LLMOPS_BENCH_CALLS makes the larger project smaller.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.bench import ingest

SMALL = 1_000
LARGE = int(os.environ.get("LLMOPS_BENCH_CALLS", "1000000"))
TURNS = 100
WARM = 10
BAR_MS = 200.0
RATIO = 1.2


@dataclass(frozen=True, slots=True)
class Page:
    """An address below the project; `is_flat` pages must cost the same whatever the number of calls."""

    name: str
    path: str
    is_flat: bool = False


PAGES = (
    Page("monitor, 7 days", "monitor/", is_flat=True),
    Page("monitor, 30 days", "monitor/?days=30"),
    Page("monitor, by model", "monitor/?by=model", is_flat=True),
    Page("home", ""),
    Page("inbox", "feedback/"),
    Page("inbox, thumbs down", "feedback/?thumbs=-1&state=all"),
)


def run() -> bool:
    """Seed, measure and print; False when a bar is missed."""
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        print("Pages: set DATABASE_URL to an empty PostgreSQL database.")
        return True
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        environment = os.environ | {
            "LLMOPS_DATA_DIR": folder, "LLMOPS_LOG_LEVEL": "ERROR", "DJANGO_SETTINGS_MODULE": "llmops.settings",
            "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        ingest.manage("migrate", "--verbosity", "0", environment=environment)
        ingest.manage("createcachetable", environment=environment)
        print(ingest.durability())
        with ingest.served("llmops.wsgi:application", environment) as (base, _):
            projects = [(slug, count, seeded(base, slug, count, environment)) for slug, count in sizes()]
            heads = f"{'calls':>12}{'p50 ms':>9}{'p95':>8}   {'calls':>12}{'p50 ms':>9}{'p95':>8}{'ratio':>8}"
            print(f"{'':22}{heads}")
            held = [show(page, *(measured(base, page, projects))) for page in PAGES]
            return all(held)


def sizes() -> list[tuple[str, int]]:
    stamp = f"{time.time_ns():x}"[-8:]
    return [(f"small-{stamp}", SMALL), (f"large-{stamp}", LARGE)]


def seeded(base: str, slug: str, count: int, environment: dict[str, str]) -> str:
    """A project with two versions and a month of calls; the cookie of its admin."""
    ingest.manage("create_project", slug, "--admin", "bench@example.com", environment=environment)
    key = ingest.manage("issue_key", slug, environment=environment).split()[-1]
    ingest.add_prompt(base, key)
    content = "---\nname: support/reply\n---\nsystem:\nAnswer shortly.\nuser:\n{{question}}\n"
    ingest.send(base, key, "POST", "prompts/support/reply/versions", {"content": content, "message": "Second"})
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.bench.seeding", "traffic", slug, str(count)]
    done = subprocess.run(command, cwd=ingest.ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)
    took = time.perf_counter() - began
    print(
        f"{count:,} calls by COPY in {took:.0f} s, {found['rebuild_s']:.1f} of it to rebuild {found['hours']:,} hours"
    )
    return str(found["cookie"])


def measured(base: str, page: Page, projects: list[tuple[str, int, str]]) -> list[tuple[int, list[float]]]:
    """Milliseconds of each turn; the projects take turns, so that both meet the same load."""
    times: dict[str, list[float]] = {slug: [] for slug, _, _ in projects}
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=60)
    for turn in range(WARM + TURNS):
        for slug, _, cookie in projects:
            began = time.perf_counter()
            connection.request("GET", f"/p/{slug}/{page.path}", headers={"Cookie": cookie})
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise RuntimeError(f"{page.path}: {response.status} {body[:200]!r}")
            if turn >= WARM:
                times[slug].append(1000 * (time.perf_counter() - began))
    return [(count, sorted(times[slug])) for slug, count, _ in projects]


def show(page: Page, small: tuple[int, list[float]], large: tuple[int, list[float]]) -> bool:
    figures = [(count, times[len(times) // 2], times[int(len(times) * 0.95)]) for count, times in (small, large)]
    ratio = figures[1][1] / figures[0][1]
    held = figures[1][2] <= BAR_MS and (ratio <= RATIO or not page.is_flat)
    shown = "   ".join(f"{count:>12,}{p50:>9.1f}{p95:>8.1f}" for count, p50, p95 in figures)
    print(f"{page.name:22}{shown}{ratio:>8.2f}  {'held' if held else 'MISSED'}", flush=True)
    return held
