"""The web process dies between the commit of a request and the message that would wake a worker, and nobody asks again:
the work starts all the same, because the reconciler finds its row."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
from typing import Any

import pytest

from tests.faults import failpoints, kinds
from tests.faults.systems import Platform
from tests.installation import wait_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc"),
]

KILLS = 3
EXAMPLES = 3


def test_work_whose_message_was_never_sent_starts_by_itself(on_sqlite: Platform) -> None:
    on_sqlite.ready()
    delays = [start_and_die(on_sqlite, f"unsent-{number}") for number in range(KILLS)]
    delays.sort()
    print(
        f"\nweb killed {KILLS} times before the message: committed {KILLS}, started {len(delays)} of {KILLS}, "
        f"delay at most {delays[-1]:.1f} s, half within {delays[len(delays) // 2]:.1f} s"
    )


def start_and_die(platform: Platform, name: str) -> float:
    """Seconds from the death of the web process to the first result; the run was asked for once, and finishes."""
    platform.it.add_dataset(name, EXAMPLES)
    before = one(platform, "SELECT coalesce(max(id), 0) FROM evals_run")
    idle(platform)
    kinds.arm_failpoint(platform, failpoints.UNSENT)
    with pytest.raises((http.client.HTTPException, urllib.error.URLError, ConnectionError)):
        platform.it.start_run(name)
    died_at = time.monotonic()
    assert (platform.it.folder / "failpoint.reached").exists(), "the web process did not come to the message"

    [[run]] = platform.query(f"SELECT id FROM evals_run WHERE id > {before}")  # committed, and once
    done = f"SELECT count(*) FROM evals_result WHERE run_id = {run} AND error = ''"
    wait_for(lambda: one(platform, done) > 0, 60, platform.said())
    delay = time.monotonic() - died_at
    wait_for(lambda: one(platform, f"SELECT state FROM evals_run WHERE id = {run}") == "done", 60, platform.said())
    assert one(platform, done) == EXAMPLES
    wait_for(platform.it.is_ready, 60, "the web process did not come back")
    return delay


def idle(platform: Platform) -> None:
    """Until nobody works: one who still does would see the new run without any message."""
    wait_for(lambda: one(platform, "SELECT count(*) FROM evals_workerslice") == 0, 60, platform.said())


def one(platform: Platform, sql: str) -> Any:
    [[found]] = platform.query(sql)
    return found
