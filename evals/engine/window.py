"""The loop: calls in flight stay at their limit while one database thread claims ahead and stores behind."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from evals.engine.types import Desk, Finished, Lane, Stop, Ticket

BATCH = 50
FLUSH_S = 0.15  # what is not stored yet is paid for again after a kill
BEAT_S = 2.0
LOOK_S = 0.25  # how often an empty desk is asked again, and a busy one about new runs
GRACE_S = 5.0
MOST_AHEAD = 50

Call = Callable[[Ticket], Awaitable[Any]]
Crash = Callable[[Ticket, Exception], Any]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Limits:
    """`longest_s`: when the slice ends and leaves the rest to its successor. `linger_s`: how long it waits for more."""

    longest_s: float = 900.0
    linger_s: float = 1.0


def ahead(limit: int) -> int:
    """How many tickets wait claimed but not started, so that no slot stays empty while the database is asked."""
    return min(MOST_AHEAD, limit)


async def keep_full(desk: Desk, call: Call, *, on_crash: Crash, stop: Stop = lambda: False, limits: Limits) -> bool:
    """Work until nothing is due, `stop` says so, or the time is up; tells whether work may be left.

    `call` awaits one ticket's outcome; what it raises becomes the outcome that `on_crash` makes of it.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="desk") as thread:
        window = _Window(desk, call, on_crash, thread)
        try:
            return await window.run(stop, limits)
        finally:
            await window.at_desk(desk.close)


@dataclass(slots=True)
class _Lane:
    limit: int = 1
    waiting: deque[Ticket] = field(default_factory=deque)
    flying: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def holding(self) -> int:
        return len(self.waiting) + len(self.flying)

    @property
    def runs_low(self) -> bool:
        return len(self.waiting) <= ahead(self.limit) // 2


class _Window:
    def __init__(self, desk: Desk, call: Call, on_crash: Crash, thread: ThreadPoolExecutor) -> None:
        self.desk = desk
        self.call = call
        self.on_crash = on_crash
        self.thread = thread
        self.wake = asyncio.Event()
        self.lanes: dict[Lane, _Lane] = {}
        self.started: dict[asyncio.Task[None], Ticket] = {}
        self.finished: list[Finished] = []
        self.finished_since = 0.0
        self.returned: list[Ticket] = []
        self.beat_at = self.look_at = 0.0
        self.is_empty = False  # the desk had nothing when last asked
        self.next_due: float | None = None

    async def at_desk(self, act: Callable[..., Answer], *args: Any) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self.thread, act, *args)

    async def run(self, stop: Stop, limits: Limits) -> bool:
        ends_at = time.monotonic() + limits.longest_s
        quiet_since: float | None = None
        while True:
            now = time.monotonic()
            if now >= ends_at or stop():
                await self._wind_up()
                return True
            if await self._one_errand(now):
                quiet_since = None
                continue
            if self.started or self.finished or self.returned or not self.is_empty:
                quiet_since = None
            else:
                quiet_since = now if quiet_since is None else quiet_since
                soon = self.next_due is not None and self.next_due - now < BEAT_S
                if now - quiet_since >= limits.linger_s and not soon:
                    return self.next_due is not None
            await self._sleep(now)

    async def _one_errand(self, now: float) -> bool:
        """The most urgent errand at the desk; False when there is none now."""
        nothing_else_comes = not self.started and not any(lane.waiting for lane in self.lanes.values())
        if now >= self.beat_at:
            await self._beat()
        elif self.finished and (
            len(self.finished) >= BATCH or now >= self.finished_since + FLUSH_S or nothing_else_comes
        ):
            await self._store()
        elif self.returned:
            returned, self.returned = self.returned, []
            await self.at_desk(self.desk.give_back, returned)
        elif now >= self.look_at or (not self.is_empty and any(lane.runs_low for lane in self.lanes.values())):
            return await self._claim()
        else:
            return False
        return True

    async def _claim(self) -> bool:
        for key in [key for key, lane in self.lanes.items() if not lane.holding]:
            del self.lanes[key]
        claimed = await self.at_desk(self.desk.claim, {key: lane.holding for key, lane in self.lanes.items()})
        now = time.monotonic()
        for ticket in claimed.tickets:
            lane = self.lanes.setdefault(ticket.lane, _Lane())
            lane.limit = ticket.limit
            lane.waiting.append(ticket)
        for key in {ticket.lane for ticket in claimed.tickets}:
            self._fill(key)
        self.next_due = None if claimed.due_in_s is None else now + claimed.due_in_s
        self.is_empty = not claimed.tickets and not claimed.worked
        # Asked too often, an empty desk would keep the database busy for nothing.
        self.look_at = now if claimed.worked else now + LOOK_S
        return not self.is_empty

    def _fill(self, key: Lane) -> None:
        lane = self.lanes.get(key)
        now = time.monotonic()
        while lane is not None and lane.waiting and len(lane.flying) < lane.limit:
            ticket = lane.waiting.popleft()
            if now > ticket.start_by:
                self.returned.append(ticket)
                continue
            task = asyncio.create_task(self._fly(ticket))
            lane.flying.add(task)
            self.started[task] = ticket
            task.add_done_callback(self._landed)

    async def _fly(self, ticket: Ticket) -> None:
        try:
            outcome = await self.call(ticket)
        except Exception as error:  # noqa: BLE001  # one bad item must not take down the window of all runs
            outcome = self.on_crash(ticket, error)
        if not self.finished:
            self.finished_since = time.monotonic()
        self.finished.append(Finished(ticket, outcome))

    def _landed(self, task: asyncio.Task[None]) -> None:
        ticket = self.started.pop(task)
        if (lane := self.lanes.get(ticket.lane)) is not None:
            lane.flying.discard(task)
        self._fill(ticket.lane)
        self.wake.set()

    async def _store(self) -> None:
        batch, self.finished = self.finished[:BATCH], self.finished[BATCH:]
        self.finished_since = time.monotonic()
        await self.at_desk(self.desk.store, batch)
        # What was stored may have made new work (a judge's), or closed the lane.
        self.look_at = 0.0

    async def _beat(self) -> None:
        self.beat_at = time.monotonic() + BEAT_S
        for key in await self.at_desk(self.desk.beat, list(self.lanes)):
            if (lane := self.lanes.get(key)) is not None:
                self.returned.extend(lane.waiting)
                lane.waiting.clear()

    async def _sleep(self, now: float) -> None:
        until = min(self.beat_at, self.look_at, now + LOOK_S)
        if self.finished:
            until = min(until, self.finished_since + FLUSH_S)
        self.wake.clear()
        try:
            async with asyncio.timeout(max(until - now, 0.001)):
                await self.wake.wait()
        except TimeoutError:
            pass

    async def _wind_up(self) -> None:
        """Start nothing more; let calls in flight end for a few seconds; hand the rest back."""
        for lane in self.lanes.values():
            self.returned.extend(lane.waiting)
            lane.waiting.clear()
        if self.started:
            await asyncio.wait(list(self.started), timeout=GRACE_S)
        hanging = dict(self.started)
        for task in hanging:
            task.cancel()
        if hanging:
            await asyncio.wait(list(hanging), timeout=1.0)
        while self.finished:
            await self._store()
        self.returned.extend(hanging.values())
        if self.returned:
            await self.at_desk(self.desk.give_back, self.returned)
