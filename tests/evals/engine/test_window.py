"""The loop against a desk in memory: no database, no network."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from evals.engine import Claimed, Finished, Limits, Ticket, keep_full
from evals.engine.window import ahead

FOREVER = 1e12


class MemoryDesk:
    """Hands out numbered jobs of one lane; remembers what happened and in which thread."""

    def __init__(self, count: int, limit: int, start_by: float = FOREVER) -> None:
        self.left = list(range(count))
        self.limit = limit
        self.start_by = start_by
        self.stored: list[Any] = []
        self.batches: list[int] = []
        self.returned: list[int] = []
        self.most_held = 0
        self.threads: set[int] = set()
        self.closed_lanes: set[int] = set()
        self.is_closed = False

    def claim(self, holding: Mapping[int, int]) -> Claimed:
        self.threads.add(threading.get_ident())
        room = self.limit + ahead(self.limit) - holding.get(1, 0)
        taken, self.left = self.left[:room], self.left[room:]
        self.most_held = max(self.most_held, holding.get(1, 0) + len(taken))
        return Claimed([Ticket(1, self.limit, self.start_by, job) for job in taken])

    def store(self, finished: Sequence[Finished]) -> None:
        self.threads.add(threading.get_ident())
        self.batches.append(len(finished))
        self.stored += [one.outcome for one in finished]

    def give_back(self, tickets: Sequence[Ticket]) -> None:
        self.returned += [ticket.job for ticket in tickets]

    def beat(self, lanes: Sequence[int]) -> Collection[int]:
        return self.closed_lanes & set(lanes)

    def close(self) -> None:
        self.is_closed = True


def work(desk: MemoryDesk, call: Any, **limits: float) -> bool:
    given = Limits(**({"longest_s": 20.0, "linger_s": 0.0} | limits))
    return asyncio.run(keep_full(desk, call, on_crash=lambda ticket, error: (ticket.job, str(error)), limits=given))


def test_every_job_is_done_once_by_at_most_the_limit_at_a_time() -> None:
    flying = most = 0

    async def call(ticket: Ticket) -> int:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.001)
        flying -= 1
        return int(ticket.job)

    desk = MemoryDesk(500, limit=20)
    assert work(desk, call) is False
    assert sorted(desk.stored) == list(range(500))
    assert most == 20
    assert desk.most_held <= 40
    assert max(desk.batches) <= 50
    assert desk.is_closed


def test_the_desk_is_visited_by_one_thread_that_is_not_the_loops() -> None:
    async def call(ticket: Ticket) -> int:
        return int(ticket.job)

    desk = MemoryDesk(100, limit=5)
    work(desk, call)
    assert len(desk.threads) == 1
    assert threading.get_ident() not in desk.threads


def test_the_window_stays_full_while_the_desk_is_slow() -> None:
    class SlowDesk(MemoryDesk):
        def claim(self, holding: Mapping[int, int]) -> Claimed:
            time.sleep(0.02)
            return super().claim(holding)

        def store(self, finished: Sequence[Finished]) -> None:
            time.sleep(0.02)
            super().store(finished)

    in_flight, seen = 0, []

    async def call(ticket: Ticket) -> int:
        nonlocal in_flight
        in_flight += 1
        await asyncio.sleep(0.1)
        seen.append(in_flight)
        in_flight -= 1
        return int(ticket.job)

    desk = SlowDesk(400, limit=40)
    work(desk, call)
    assert max(seen) == 40
    assert sum(seen) / len(seen) > 20, "the window ran empty while the desk was at work"


def test_a_call_that_raises_is_an_outcome_and_the_others_go_on() -> None:
    async def call(ticket: Ticket) -> Any:
        if ticket.job == 3:
            raise RuntimeError("bug")
        return ticket.job

    desk = MemoryDesk(10, limit=2)
    work(desk, call)
    assert (3, "bug") in desk.stored
    assert len(desk.stored) == 10


def test_tickets_whose_lease_would_run_out_are_handed_back_unstarted() -> None:
    async def call(ticket: Ticket) -> int:
        return int(ticket.job)

    desk = MemoryDesk(5, limit=5, start_by=0.0)
    work(desk, call)
    assert (desk.stored, sorted(desk.returned)) == ([], [0, 1, 2, 3, 4])


def test_when_the_time_is_up_what_flies_is_stored_and_what_waits_is_handed_back() -> None:
    async def call(ticket: Ticket) -> int:
        await asyncio.sleep(0.3)
        return int(ticket.job)

    desk = MemoryDesk(100, limit=5)
    assert work(desk, call, longest_s=0.1) is True
    assert len(desk.stored) == 5
    assert len(desk.returned) == 5
    assert sorted(desk.stored + desk.returned + desk.left) == list(range(100))
