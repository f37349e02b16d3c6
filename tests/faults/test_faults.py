"""Faults from a seeded list, each in the middle of a run: nothing is lost, doubled or overwritten by a late writer.

`make faults N=300 SEED=7` goes through a long list. kill -9 does not test a power cut: what a killed process has
handed to the kernel is still written.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.fake_provider import digest
from tests.faults import kinds, suite
from tests.faults.checker import History, Seen, Table, judged
from tests.faults.naive import NaiveEngine
from tests.faults.systems import Platform

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc"),
]
one_at_a_time = pytest.mark.xdist_group("faults")

SEED = int(os.environ.get("LLMOPS_TEST_SEED", "1"))
NINE = (
    *kinds.KILLS, "provider: 429", "provider: torn answers", "broker emptied, workers killed", "dies: result written",
    "child paused, taken over",
)  # fmt: skip


def demand_nothing_lost(platform: Platform, faults: list[str]) -> None:
    random.Random(SEED).shuffle(faults)
    table = Table()
    suite.go_through(platform, faults, SEED, table)
    demand_late_writes_refused(platform, table)
    print(f"\nseed {SEED}\n{table.text()}\n{platform.refused()} late writes refused")
    assert [table.total(name) for name in ("lost", "doubled", "overwritten", "strange")] == [0, 0, 0, 0]
    # What was in flight at a fault, and what had come back a moment before it, may be paid for again.
    assert table.total("twice") <= table.faults * 5 * Platform.IN_FLIGHT
    assert platform.left_over() == 0


def demand_late_writes_refused(platform: Platform, table: Table) -> None:
    """A process that is paused just as its answers arrive has nothing to write late, so it is paused again."""
    for seed in range(3):
        for _ in range(20):
            if platform.refused():
                return
            time.sleep(0.5)
        suite.go_through(platform, ["child paused, taken over"], SEED + seed, table)
    assert platform.refused() > 0, "no late write met the fence"


@one_at_a_time
def test_nothing_is_lost_doubled_or_overwritten_under_ten_faults_on_the_embedded_default(on_sqlite: Platform) -> None:
    demand_nothing_lost(on_sqlite, [*NINE, "database full"])


@one_at_a_time
@pytest.mark.postgres
@pytest.mark.redis
def test_nothing_is_lost_doubled_or_overwritten_under_ten_faults_on_postgresql_and_redis(
    server_services: dict[str, str],
) -> None:
    with Platform.installation(**server_services) as it:
        demand_nothing_lost(Platform(it), [*NINE, "connections cut"])


@pytest.mark.parametrize("on_servers", [False, True])
def test_a_seed_names_one_list_and_a_long_list_holds_every_fault(*, on_servers: bool) -> None:
    names = kinds.planned(100, 7, on_servers=on_servers)
    assert names == kinds.planned(100, 7, on_servers=on_servers) != kinds.planned(100, 8, on_servers=on_servers)
    assert set(names) == set(kinds.everything(on_servers=on_servers))


# The control: a harness that finds nothing wrong with these engines would find nothing at all.

CONTROLS: list[tuple[str, str, Callable[[NaiveEngine], None], str]] = [
    ("early-ack", "worker group killed", NaiveEngine.kill_group, "lost"),
    ("early-ack", "worker child killed", NaiveEngine.kill_child, "lost"),
    ("no-fence", "child paused", NaiveEngine.pause_child, "overwritten"),
]


@pytest.mark.parametrize(("mode", "fault", "act", "flaw"), CONTROLS)
def test_the_checker_finds_what_a_naive_engine_does_wrong(
    mode: str, fault: str, act: Callable[[NaiveEngine], None], flaw: str
) -> None:
    with NaiveEngine(mode) as it:
        verdict, seconds = suite.meet(it, lambda: act(it), "control", 150)
    print(f"\nnaive engine, {mode}, {fault}: {verdict}, {seconds:.1f} s")
    assert not verdict.is_clean
    assert getattr(verdict, flaw) > 0


def test_the_checker_finds_nothing_wrong_with_a_naive_engine_that_meets_no_fault() -> None:
    with NaiveEngine("no-fence") as it:
        verdict, _ = suite.meet(it, lambda: None, "control", 60)
    assert verdict.is_clean


@pytest.mark.parametrize(
    ("rows", "flaw"),
    [
        ([Seen("1", "a", "echo: a #1")], "lost"),
        ([Seen("1", "a", "echo: a #1"), Seen("2", "b", "echo: b #1"), Seen("3", "b", "echo: b #1")], "doubled"),
        ([Seen("1", "a", "echo: a #2"), Seen("2", "b", "echo: b #1")], "overwritten"),
        ([Seen("1", "a", "echo: a #1"), Seen("2", "b", "a made-up answer")], "strange"),
        ([Seen("1", "a", "echo: a #1"), Seen("2", "b", "echo: b #1")], ""),
    ],
)
def test_each_flaw_is_counted_as_what_it_is(rows: list[Seen], flaw: str) -> None:
    history = History()
    history.remember([Seen("1", "a", "echo: a #1")])
    verdict = judged(["a", "b"], history, rows, {digest("a"): 1, digest("b"): 1})
    found = {name: getattr(verdict, name) for name in Table.COLUMNS}
    assert found == {name: int(name == flaw) for name in Table.COLUMNS}
