"""What statistical functions answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its doubt. `n` counts scores, `units` what was drawn independently, `n_eff` what it is worth."""

    value: float | None
    interval: Interval | None
    n: int
    n_eff: float | None = None
    units: int = 0
    unscored: int = 0
    method: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Test:
    """A p-value of the hypothesis that there is no difference."""

    __test__ = False  # no test of pytest's

    p: float
    statistic: float
    alternative: str
    method: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate minus baseline, turned so that positive is good; wins, losses and ties count examples.

    `tests[0]` is the one that decides, with the interval. `sd` is the spread of one example's difference, such that the
    standard error is sd/√n; None where wins and losses say everything. Unpaired comparisons count no wins, and their
    `n` adds both sides up.
    """

    difference: Estimate
    wins: int
    losses: int
    ties: int
    tests: tuple[Test, ...] = ()
    margin: float | None = None
    sd: float | None = None
    is_paired: bool = True


@dataclass(frozen=True, slots=True)
class Power:
    """How many examples a question needs: `exact` before rounding up, `more` than there are already."""

    n: int
    exact: float
    power: float
    assumptions: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of four words, and the sentence that says it with its numbers."""

    word: str
    sentence: str
    comparison: Comparison
    p_adjusted: float | None
    alpha: float
    needed: int | None = None
