"""What more labels would bring: the interval after so many more."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evals.statistics.types import Estimate

MORE = 50
A_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Worth:
    """Half the interval's width now and after `more` labeled items; `is_enough` when that gains less than a point."""

    now: float
    then: float
    more: int
    is_enough: bool

    @property
    def sentence(self) -> str:
        gain = f"{self.more} more labels would narrow this by {100 * (self.now - self.then):.1f} points"
        return f"{self.more} more labels would narrow this by less than a point: stop here" if self.is_enough else gain


def worth(found: Estimate, more: int = MORE) -> Worth | None:
    """A half-width h at n items becomes about h · √(n / (n + more)); None without an interval."""
    if found.interval is None or found.n == 0:
        return None
    half = (found.interval.high - found.interval.low) / 2
    then = half * math.sqrt(found.n / (found.n + more))
    return Worth(half, then, more, half - then < A_POINT)
