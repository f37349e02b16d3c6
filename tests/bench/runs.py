"""Runs against a model server on loopback: the ideal, a bare loop of the SDK's async client, and the engine.

Figures depend on the machine; the bars are ratios to the bare loop, measured in turns so that both meet the same load.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.bench import processes
from tests.fake_provider import lognormal
from tests.installation import ROOT, Installation, fresh_services, wait_for, workers_of

ROUNDS = 3
SIGMA, SEED = 0.6, 1
CPU_BAR_MS = 3.0
CPU_EXAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Load:
    """So many examples with so many calls in flight; `latency_s` gives the provider's time for each call in turn."""

    name: str
    examples: int
    in_flight: int
    provider: tuple[str, ...]
    latency_s: Callable[[], Callable[[], float]]
    bar: float | None = None  # None: the bar of the installation

    @property
    def ideal_s(self) -> float:
        draw = self.latency_s()
        return sum(draw() for _ in range(self.examples)) / self.in_flight


def constant(milliseconds: float) -> tuple[tuple[str, ...], Callable[[], Callable[[], float]]]:
    return ("--latency-ms", str(milliseconds)), lambda: lambda: milliseconds / 1000


def varied(median_s: float) -> tuple[tuple[str, ...], Callable[[], Callable[[], float]]]:
    arguments = ("--lognormal-median-ms", str(median_s * 1000), "--sigma", str(SIGMA), "--seed", str(SEED))
    return arguments, lambda: lognormal(median_s, SIGMA, SEED)


LOADS = (
    Load("200 ms", 1_000, 50, *constant(200)),
    Load("log-normal, median 0.5 s", 1_000, 50, *varied(0.5)),
    Load("20 ms", 5_000, 200, *constant(20), bar=1.3),
)


def run() -> bool:
    """Print a table for the embedded default and, where both addresses are given, for PostgreSQL and Redis."""
    print(f"Runs: medians of {ROUNDS} turns; ratio: engine to SDK loop, the median of the turns.")
    with Installation() as it:
        held = table(it, "SQLite, embedded queue", 1.2)
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        with fresh_services() as services, Installation(**services) as it:
            held = table(it, "PostgreSQL, Redis", 1.1) and held
    return held


def table(it: Installation, title: str, bar: float) -> bool:
    print(f"\n{title}, one worker")
    heads = f"{'ideal':>8} {'SDK loop':>9} {'engine':>9} {'ratio':>7} {'bar':>6}"
    print(f"{'provider':26}{'examples':>9}{'in flight':>10} {heads}")
    it.start_provider()
    it.seed()
    engine(it, "warm", 100, 20)
    held = [row(it, load, load.bar or bar) for load in LOADS]
    return all([*held, cpu(it)])


def row(it: Installation, load: Load, bar: float) -> bool:
    loops, engines = [], []
    for turn in range(ROUNDS):
        it.start_provider(*load.provider)
        loops.append(sdk_loop(it, load.examples, load.in_flight)["seconds"])
        it.start_provider(*load.provider)
        engines.append(engine(it, f"{load.examples}-{slug(load.name)}-{turn}", load.examples, load.in_flight))
    ratio = statistics.median(ours / loop for ours, loop in zip(engines, loops, strict=True))
    middle = f"{load.ideal_s:7.2f}s {statistics.median(loops):8.2f}s {statistics.median(engines):8.2f}s"
    print(
        f"{load.name:26}{load.examples:>9,}{load.in_flight:>10} {middle} {ratio:7.2f} {bar:6.2f} {said(ratio <= bar)}",
        flush=True,
    )
    return ratio <= bar


def cpu(it: Installation) -> bool:
    """CPU of the worker and its children per example, when the provider answers at once."""
    it.start_provider()
    loop = sdk_loop(it, CPU_EXAMPLES, 50)["cpu_s"] * 1000 / CPU_EXAMPLES
    worker, _ = workers_of(it)
    before = processes.cpu_seconds(worker)
    engine(it, "cpu", CPU_EXAMPLES, 50)
    ours = (processes.cpu_seconds(worker) - before) * 1000 / CPU_EXAMPLES
    figures = f"{'':8} {loop:7.2f}ms {ours:7.2f}ms {ours / loop:7.2f} {CPU_BAR_MS:4.1f}ms"
    print(f"{'none: CPU per example':26}{CPU_EXAMPLES:>9,}{50:>10} {figures} {said(ours <= CPU_BAR_MS)}", flush=True)
    return ours <= CPU_BAR_MS


def said(held: bool) -> str:
    return "held" if held else "MISSED"


def slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")


def engine(it: Installation, dataset: str, count: int, in_flight: int, **wanted: Any) -> float:
    """Seconds from the start of a run to its end: the last result stored and the figures kept."""
    it.add_dataset(dataset, count)
    uid = it.start_run(dataset, concurrency=in_flight, **wanted)
    wait_for(lambda: it.run(uid)["status"] not in ("pending", "running"), 900, it.said(), every_s=0.5)
    found = it.run(uid)
    assert (found["status"], found["done"], found["failed"]) == ("done", count, 0), found
    return (moment(found["finished_at"]) - moment(found["created_at"])).total_seconds()


def moment(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def sdk_loop(it: Installation, count: int, in_flight: int) -> dict[str, float]:
    """Seconds and CPU seconds of the same calls by the SDK alone, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sdk_loop", it.provider_url, str(count), str(in_flight)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found
