"""How often a theme comes up, against the traffic, and whether that changes. Plain Python.

STATISTICS, sections 2 and 6: a week's rate is its complaints out of its logged calls with Wilson's interval; two weeks
are compared by Newcombe's hybrid score interval (1998, method 10; MOVER).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from feedback import thumbs

WEEKS = 12
BEFORE = 4  # weeks that the last one is compared with
FEW = 5  # complaints in the last and the earlier weeks together; below, only counts are said
NORMAL = 1.959963984540054

Word = Literal["growing", "shrinking", "steady", "few", "unknown"]
METHOD = "Newcombe’s hybrid score interval of the difference of two rates, each with Wilson’s"


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from `first`; no rate without calls, or with more complaints than calls."""

    first: date
    complaints: int
    calls: int

    @property
    def rate(self) -> float | None:
        return self.complaints / self.calls if 0 < self.calls >= self.complaints else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval (1927)."""
        return None if self.rate is None else thumbs.wilson(self.rate, self.calls, NORMAL)


@dataclass(frozen=True, slots=True)
class Trend:
    """The last week against the BEFORE weeks before it.

    `change` is the difference of the rates with `low` and `high`; the word is “steady” when the interval holds zero
    (nothing shown, not: nothing changed), “few” below FEW complaints, “unknown” without enough logged calls.
    """

    weeks: tuple[Week, ...]
    now: Week
    before: Week
    change: float | None
    low: float | None
    high: float | None
    word: Word


def trend(weeks: Sequence[Week]) -> Trend:
    """From weeks in order, the last one last; at least two."""
    now, earlier = weeks[-1], weeks[-1 - BEFORE : -1]
    before = Week(earlier[0].first, sum(week.complaints for week in earlier), sum(week.calls for week in earlier))
    change = low = high = None
    if (rate := now.rate) is not None and (other := before.rate) is not None:
        (now_low, now_high), (was_low, was_high) = now.interval or (0.0, 1.0), before.interval or (0.0, 1.0)
        change, low, high = thumbs.difference(rate, now_low, now_high, other, was_low, was_high)
    return Trend(tuple(weeks), now, before, change, low, high, _word(now, before, low, high))


def _word(now: Week, before: Week, low: float | None, high: float | None) -> Word:
    if now.complaints + before.complaints < FEW:
        return "few"
    if low is None or high is None:
        return "unknown"
    return "growing" if low > 0 else "shrinking" if high < 0 else "steady"
