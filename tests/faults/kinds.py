"""The faults: what each does to the platform in the middle of a run, and a seeded list of them."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from tests.faults import failpoints
from tests.faults.systems import Platform
from tests.installation import wait_for

DEAD_AFTER_S = 15.0  # of a slice that does not beat
LEASE_S = 90.0

Dice = random.Random
Act = Callable[[Platform, Dice], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens in the middle of a run, and what is made ready before it starts."""

    during: Act
    before: Act = lambda platform, dice: None


def kill_group(platform: Platform, dice: Dice) -> None:
    """kill -9 of the worker's parent and all its children at once."""
    wait_for(lambda: platform.workers()[1] != [], 60, "no worker")
    os.killpg(platform.workers()[0], signal.SIGKILL)


def kill_child(platform: Platform, dice: Dice) -> None:
    """kill -9 of one process that works on runs; its parent starts another."""
    wait_for(lambda: platform.workers()[1] != [], 60, "no worker")
    os.kill(dice.choice(platform.workers()[1]), signal.SIGKILL)


def pause_child(platform: Platform, dice: Dice, seconds: float = DEAD_AFTER_S + 4) -> None:
    """SIGSTOP of a process that holds work until others have taken it over; then it goes on as if nothing had been,
    and what it writes late has to be refused."""
    child = _stopped_at_work(platform, dice)
    time.sleep(seconds)
    os.kill(child, signal.SIGCONT)


def _stopped_at_work(platform: Platform, dice: Dice) -> int:
    """A process that holds calls, and no lock on the database; stopped."""
    while True:
        children = platform.at_work()
        dice.shuffle(children)
        for child in children:
            os.kill(child, signal.SIGSTOP)
            if child in platform.at_work() and not platform.is_locked():
                return child
            os.kill(child, signal.SIGCONT)
        time.sleep(0.02)


def _pause_beyond_the_lease(platform: Platform, dice: Dice) -> None:
    pause_child(platform, dice, LEASE_S + 5)


def _kill_beat(platform: Platform, dice: Dice) -> None:
    wait_for(lambda: platform.beat() != 0, 60, "no beat")
    os.killpg(platform.beat(), signal.SIGKILL)


def _kill_web(platform: Platform, dice: Dice) -> None:
    wait_for(lambda: platform.web()[0] != 0, 60, "no web process")
    pid = platform.web()[0]
    os.killpg(pid, signal.SIGKILL)
    wait_for(lambda: platform.web()[0] not in (0, pid) and platform.it.is_ready(), 60, "web did not come back")


def _provider(*faults: str) -> Fault:
    def fail(platform: Platform, dice: Dice) -> None:
        script = list(faults)
        dice.shuffle(script)
        platform.it.tell_provider("script", script)

    return Fault(fail)


def _empty_broker(platform: Platform, dice: Dice) -> None:
    """Every message is gone, on Redis also every count and cached value."""
    if platform.on_servers:
        import redis

        redis.Redis.from_url(platform.it.environment["REDIS_URL"]).flushdb()
        return
    with closing(sqlite3.connect(platform.it.folder / "broker.sqlite3", timeout=20)) as broker:
        broker.execute("DELETE FROM kombu_message")
        broker.commit()


def _empty_broker_and_kill(platform: Platform, dice: Dice) -> None:
    """Nobody works, and nothing says that there is work: only the rows know."""
    _empty_broker(platform, dice)
    kill_group(platform, dice)
    _empty_broker(platform, dice)


def _cut_connections(platform: Platform, dice: Dice) -> None:
    for _ in range(3):
        platform.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        time.sleep(0.3)


def _hold_database(platform: Platform, dice: Dice) -> None:
    """Another program holds SQLite's one write lock for a while."""
    with closing(sqlite3.connect(platform.it.folder / "llmops.sqlite3", timeout=20, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        time.sleep(3.0)
        database.execute("ROLLBACK")


def _fill_disk(platform: Platform, dice: Dice) -> None:
    """SQLite may not grow its file (SQLITE_FULL) for a few seconds; see failpoints."""
    full = platform.it.folder / "full"
    full.touch()
    time.sleep(2.0)
    full.unlink()


def arm_failpoint(platform: Platform, name: str) -> None:
    (platform.it.folder / "failpoint.reached").unlink(missing_ok=True)
    draft = platform.it.folder / "failpoint.draft"
    draft.write_text(name)
    draft.rename(platform.it.folder / "failpoint")


def _failpoint(name: str) -> Fault:
    def arm(platform: Platform, dice: Dice) -> None:
        arm_failpoint(platform, name)

    def reach(platform: Platform, dice: Dice) -> None:
        reached = platform.it.folder / "failpoint.reached"
        wait_for(reached.exists, 60, f"nobody came to the failpoint {name!r}: {platform.said()}")

    return Fault(reach, before=arm)


KILLS: dict[str, Fault] = {
    "worker group killed": Fault(kill_group),
    "worker child killed": Fault(kill_child),
    "beat killed": Fault(_kill_beat),
    "web killed": Fault(_kill_web),
}
PROVIDER: dict[str, Fault] = {
    "provider: 429": _provider(*["429:1"] * 12),
    "provider: 500": _provider(*["500"] * 12),
    "provider: hangs, then resets": _provider(*["hang:3"] * 6),
    "provider: torn answers": _provider(*["reset", "truncated", "garbage", "empty"] * 3),
}
QUEUE: dict[str, Fault] = {
    "broker emptied": Fault(_empty_broker),
    "broker emptied, workers killed": Fault(_empty_broker_and_kill),
}
FAILPOINTS: dict[str, Fault] = {f"dies: {name}": _failpoint(name) for name in failpoints.NAMES}
ON_SQLITE: dict[str, Fault] = {"database held": Fault(_hold_database), "database full": Fault(_fill_disk)}
ON_SERVERS: dict[str, Fault] = {"connections cut": Fault(_cut_connections)}
# These wait for product time-outs, so a long list has few of them.
PAUSE: dict[str, Fault] = {"child paused, taken over": Fault(pause_child)}
SLOW: dict[str, Fault] = {
    "child paused beyond its lease": Fault(_pause_beyond_the_lease),
    "provider: never answers": _provider(*["hang"] * 3),
}


def everything(*, on_servers: bool) -> dict[str, Fault]:
    return {**KILLS, **PROVIDER, **QUEUE, **FAILPOINTS, **(ON_SERVERS if on_servers else ON_SQLITE), **PAUSE, **SLOW}


def planned(count: int, seed: int, *, on_servers: bool) -> list[str]:
    """A list of faults from a seed: each kind at least once if there is room, then mostly kills; slow ones are rare."""
    dice = random.Random(seed)
    kinds = everything(on_servers=on_servers)
    names = list(kinds)[:count]
    weights = [1 if name in SLOW or name in PAUSE else 30 if name in KILLS else 10 for name in kinds]
    names += dice.choices(list(kinds), weights, k=max(0, count - len(names)))
    dice.shuffle(names)
    return names
