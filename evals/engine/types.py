"""What passes between the loop and whoever keeps the rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Lane = int


@dataclass(frozen=True, slots=True)
class Ticket:
    """One unit of work that was claimed. `lane` is its run; at most `limit` of a lane are in flight.

    It must start before `start_by` (monotonic seconds), so that its call ends inside the lease.
    """

    lane: Lane
    limit: int
    start_by: float
    job: Any


@dataclass(frozen=True, slots=True)
class Finished:
    """A ticket and what its call gave."""

    ticket: Ticket
    outcome: Any


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a visit to the desk brought: tickets to start; whether it worked on rows itself, so that asking again at
    once is worthwhile; and when the next known item is due, in seconds (None: nothing is waiting)."""

    tickets: Sequence[Ticket] = ()
    worked: bool = False
    due_in_s: float | None = None


class Desk(Protocol):
    """The database side. Every method is called in one thread, one at a time."""

    def claim(self, holding: Mapping[Lane, int]) -> Claimed:
        """Take up work; `holding` counts the tickets of each lane that are started or waiting."""

    def store(self, finished: Sequence[Finished]) -> None:
        """Store outcomes; those that somebody else has taken over are refused and counted."""

    def give_back(self, tickets: Sequence[Ticket]) -> None:
        """Release tickets that never started."""

    def beat(self, lanes: Sequence[Lane]) -> Collection[Lane]:
        """Say that this slice lives; answers which of the lanes were cancelled or paused meanwhile."""

    def close(self) -> None:
        """The last act: release what the thread holds."""


Stop = Callable[[], bool]
