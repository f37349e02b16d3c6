"""Run after run with a fault in the middle of each, and a verdict over each."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException

from tests.faults import kinds
from tests.faults.checker import History, Table, Verdict, judged
from tests.faults.systems import Platform, System
from tests.installation import wait_for

EXAMPLES = 150
STRIKE_AT = 15  # results, so that work is in every state
PATIENCE_S = 300.0


def go_through(
    platform: Platform, faults: Sequence[str], seed: int, table: Table, *, examples: int = EXAMPLES, aloud: bool = False
) -> None:
    """Do each fault to a run of its own and add its verdict to the table, which may hold others.

    Prints a line for what went wrong, and with `aloud` for every fault.

    :raises AssertionError: when a run does not end.
    """
    known = kinds.everything(on_servers=platform.on_servers)
    for number, fault in enumerate(faults, start=table.faults):
        verdict, seconds = strike(platform, known[fault], f"fault-{number}", examples, random.Random(seed + number))
        if aloud or not verdict.is_clean:
            print(f"{number + 1}. {fault}: {seconds:.1f} s, {verdict}", flush=True)
        table.add(fault, verdict, seconds, examples)


def strike(
    platform: Platform, fault: kinds.Fault, name: str, examples: int, dice: random.Random
) -> tuple[Verdict, float]:
    """The verdict over one run that the fault met, and the seconds from the fault to the run's end."""
    platform.ready()
    fault.before(platform, dice)
    return meet(platform, lambda: fault.during(platform, dice), name, examples)


def meet(system: System, act: Callable[[], None], name: str, examples: int = EXAMPLES) -> tuple[Verdict, float]:
    """The same for any system and act."""
    asked = system.start(name, examples)
    history = History()
    wait_for(lambda: system.done() >= STRIKE_AT, 120, system.said(), every_s=0.05)
    history.remember(system.new_results())
    struck_at = time.monotonic()
    with watched(system, history):
        act()
        wait_for(system.is_over, PATIENCE_S, system.said())
    seconds = time.monotonic() - struck_at
    return judged(asked, history, system.results(), system.answered()), seconds


@contextmanager
def watched(system: System, history: History) -> Iterator[None]:
    """A client that reads results all the while, so that what changes later is noticed."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.3):
            try:
                history.remember(system.new_results())
            except (OSError, HTTPException, AssertionError):
                continue  # the web process is dead or not well: what a client may not expect an answer from

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(60)
