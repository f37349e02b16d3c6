"""Spare a provider that keeps failing: no new work for a while, then one probe, then everything again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

FAILURES_TO_OPEN = 5
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Circuit:
    """One per connection. It opens after FAILURES_TO_OPEN failures in a row without a success between."""

    clock: Callable[[], float]
    failures: int = 0
    pause_s: float = FIRST_PAUSE_S
    closed_until: float = field(default=0.0)

    @property
    def is_open(self) -> bool:
        return self.failures >= FAILURES_TO_OPEN

    def room(self, wanted: int) -> int:
        """How many calls may be taken up now: all, none while it is open, and one as a probe after the pause."""
        if not self.is_open:
            return wanted
        return min(wanted, 1) if self.clock() >= self.closed_until else 0

    def wait_s(self) -> float:
        """Seconds until the next probe."""
        return max(self.closed_until - self.clock(), 0.0) if self.is_open else 0.0

    def succeeded(self) -> None:
        self.failures = 0
        self.pause_s = FIRST_PAUSE_S

    def failed(self) -> None:
        """A transient failure that outlasted the call's own retries."""
        was_open = self.is_open
        self.failures += 1
        if self.is_open and (not was_open or self.clock() >= self.closed_until):
            self.closed_until = self.clock() + self.pause_s
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
