"""Kill -9 in the middle of a run: it finishes by itself, nothing is lost, nothing is there twice.

kill -9 does not test a power cut: what a killed process has handed to the kernel is still written.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.installation import Installation, wait_for, workers_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc"),
]

EXAMPLES = 500
IN_FLIGHT = 10
KILLS = ("group", "child") * 3


@pytest.fixture
def installation() -> Iterator[Installation]:
    with Installation() as it:
        yield it


def test_a_run_survives_killed_workers_on_the_embedded_default(installation: Installation) -> None:
    survive(installation)


@pytest.mark.postgres
@pytest.mark.redis
def test_a_run_survives_killed_workers_on_postgresql_and_redis(server_services: dict[str, str]) -> None:
    with Installation(**server_services) as it:
        survive(it)


def survive(it: Installation) -> None:
    it.start_provider("--latency-ms", "200")
    it.seed()
    it.add_dataset("kills", EXAMPLES)
    web = WebWatch(it)
    web.start()
    uid = it.start_run("kills", concurrency=IN_FLIGHT)
    for victim in KILLS:
        done = it.run(uid)["done"]
        wait_for(lambda done=done: it.run(uid)["done"] >= done + 10, 60, it.said())
        kill(it, victim)
    wait_for(lambda: it.run(uid)["status"] not in ("pending", "running"), 120, it.said())
    web.stopping = True
    web.join()

    run, results, ledger = it.run(uid), it.results(uid), it.ledger()
    assert (run["status"], run["done"], run["failed"]) == ("done", EXAMPLES, 0)
    places = Counter((result["example"], result["repeat"]) for result in results)
    assert len(places) == EXAMPLES, "lost"
    assert set(places.values()) == {1}, "doubled"
    assert all(result["output"] == f"echo: {result['inputs']['text']}" for result in results)
    asked = {hashlib.sha256(result["inputs"]["text"].encode()).hexdigest() for result in results}
    assert set(ledger["by_text"]) == asked
    # Only what was in flight at a kill, or had come back a moment before it, may have been paid for twice.
    extra = ledger["calls"] - EXAMPLES
    assert extra <= len(KILLS) * 3 * IN_FLIGHT
    assert web.failures == 0
    print(f"{len(KILLS)} kills, {EXAMPLES} results, {extra} calls made again, web asked {web.asked} times")


def kill(it: Installation, victim: str) -> None:
    """Kill the worker's whole group, or one child of it; then wait until the worker is back."""
    wait_for(lambda: workers_of(it)[1] != [], 60, it.said())
    parent, children = workers_of(it)
    if victim == "group":
        os.killpg(parent, signal.SIGKILL)
        wait_for(lambda: workers_of(it)[0] not in (0, parent), 60, it.said())
    else:
        os.kill(children[0], signal.SIGKILL)


class WebWatch(threading.Thread):
    """Asks the web process again and again while workers die."""

    def __init__(self, it: Installation) -> None:
        super().__init__(daemon=True)
        self.it = it
        self.asked = self.failures = 0
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            self.asked += 1
            self.failures += not self.it.is_ready()
            time.sleep(0.2)
