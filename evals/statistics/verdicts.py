"""The four words: better, no worse, worse, not known yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evals.statistics import power, scales
from evals.statistics.scales import Scale
from evals.statistics.types import Comparison, Interval, Verdict

BETTER, NO_WORSE, WORSE, UNKNOWN = "better", "no worse", "worse", "not known yet"
FEWEST_UNITS = 5
MANY_UNSCORED = 0.05
SHARES = Scale()


@dataclass(frozen=True, slots=True)
class Words:
    """How differences are said: in points or the metric's own unit, and few examples earn no decimals."""

    n: int
    scale: Scale = SHARES

    @property
    def up(self) -> str:
        """The candidate is this where its difference is positive: differences are turned so that positive is good."""
        return "higher" if self.scale.higher_is_better else "better"

    @property
    def down(self) -> str:
        return "lower" if self.scale.higher_is_better else "worse"

    def number(self, difference: float) -> str:
        points = abs(difference) * self.scale.per_unit
        if not self.scale.in_points:
            return scales.significant(points)
        whole = self.n < 100 and (points >= 0.5 or points == 0)
        return f"{points:.0f}" if whole else f"{points:.1f}".removesuffix(".0")

    def points(self, difference: float) -> str:
        return self._with_unit(self.number(difference))

    def allowed(self, margin: float) -> str:
        return self._with_unit(f"{margin * self.scale.per_unit:.3g}")

    def _with_unit(self, number: str) -> str:
        if not self.scale.in_points:
            return self.scale.with_unit(number)
        return f"{number} point" if number == "1" else f"{number} points"


def decide(
    comparison: Comparison,
    *,
    p_adjusted: float | None = None,
    margin: float | None = None,
    alpha: float = 0.05,
    unscored_worst: Comparison | None = None,
    unscored_best: Comparison | None = None,
    family: int = 1,
    smallest: float | None = None,
    scale: Scale = SHARES,
    is_identical: bool = False,
) -> Verdict:
    """The word for a comparison, by its interval and its test together.

    `p_adjusted` is the first test's p after correction for `family` metrics, that p itself without one. `margin` is the
    loss that was allowed before the run; without it “no worse” is never said, unless `is_identical`: all outputs are
    the same to the byte. The unscored comparisons have all unscored examples against and for the candidate: if they
    lead to different words, nothing is known. `smallest` is the difference that matters for “examples still needed”:
    the margin, else 5 points. `scale` is the metric's: it says in which unit differences are told.

    :raises ValueError: for a margin or smallest difference that is not positive.
    """
    p = p_adjusted if p_adjusted is not None else comparison.tests[0].p if comparison.tests else None
    margin = margin if margin is not None else comparison.margin
    for given in (margin, smallest):
        if given is not None and not 0 < given < math.inf:
            raise ValueError(f"{given} is no difference that could be allowed")
    found = comparison.difference
    words = Words(found.n, scale)

    def verdict(word: str, sentence: str, needed: int | None = None) -> Verdict:
        return Verdict(word, sentence, comparison, p, alpha, needed)

    if not found.n:
        return verdict(UNKNOWN, "no example is scored for both")
    if is_identical:
        return verdict(NO_WORSE, f"the outputs are identical on all {found.n:,} examples")
    if found.units < FEWEST_UNITS:
        return verdict(UNKNOWN, f"only {found.units} examples" if found.units != 1 else "only one example")
    if unscored_worst is not None and unscored_best is not None:
        both = (unscored_worst, unscored_best)
        if len({decide(each, margin=margin, alpha=alpha, scale=scale).word for each in both}) > 1:
            return verdict(UNKNOWN, f"{found.unscored} of {found.n + found.unscored} were not scored")
    if found.interval is None or found.value is None:
        return verdict(UNKNOWN, found.notes[0] if found.notes else "no interval")
    low, high = found.interval.low, found.interval.high
    is_clear = p is not None and p <= alpha
    if low > 0 and is_clear:
        between = f"{words.number(low)} to {words.number(high)}"
        return verdict(BETTER, f"better by {words.points(found.value)} ({between})")
    if margin is not None and low > -margin:
        return verdict(NO_WORSE, _no_worse(found.interval, margin, words))
    if high < 0 and is_clear:
        between = f"{words.number(high)} to {words.number(low)}"
        return verdict(WORSE, f"worse by {words.points(found.value)} ({between})")
    if _is_only_corrected_away(comparison, p, alpha):
        return verdict(UNKNOWN, f"clear on its own, not after comparing {_metrics(family)}")
    needed, more = _more(comparison, smallest or margin or power.SMALLEST * scales.POINTS / scale.per_unit, alpha)
    return verdict(UNKNOWN, f"{_between(comparison, found.interval, words)}; {more}", needed)


def _no_worse(interval: Interval, margin: float, words: Words) -> str:
    if interval.high < 0:
        between = f"{words.number(interval.high)} to {words.points(interval.low)}"
        return f"slightly {words.down} ({between}), inside the {words.allowed(margin)} you allow"
    if interval.high < margin:
        return f"the same within {words.allowed(margin)}"
    below = "below" if words.scale.higher_is_better else "behind"
    return f"no worse than {words.allowed(margin)} {below}"


def _is_only_corrected_away(comparison: Comparison, p: float | None, alpha: float) -> bool:
    interval = comparison.difference.interval
    own = comparison.tests[0].p if comparison.tests else None
    if interval is None or own is None or p is None:
        return False
    return (interval.low > 0 or interval.high < 0) and own <= alpha < p


def _between(comparison: Comparison, interval: Interval, words: Words) -> str:
    if comparison.is_paired and (interval.low > 0 or interval.high < 0):
        return f"too few examples on which the two differ ({comparison.wins + comparison.losses})"
    if interval.low > 0:
        return f"between {words.number(interval.low)} and {words.points(interval.high)} {words.up}"
    if interval.high < 0:
        return f"between {words.number(interval.high)} and {words.points(interval.low)} {words.down}"
    return f"between {words.number(interval.low)} {words.down} and {words.points(interval.high)} {words.up}"


def _more(comparison: Comparison, smallest: float, alpha: float) -> tuple[int | None, str]:
    """How many more examples would tell a difference that matters, as a number and in words."""
    found = power.still_needed(comparison, smallest, alpha=alpha)
    if not found.more:
        return None, "the versions are too alike to tell apart at this size"
    if found.more > power.MOST:
        return None, "more examples will not settle this: ask for a larger difference, or find a better metric"
    needed = power.two_digits(found.more)
    sides = "" if comparison.is_paired else ", both runs together"
    return needed, f"about {needed:,} more example{'' if needed == 1 else 's'} would tell{sides}"


def _metrics(family: int) -> str:
    return f"{family} metrics" if family > 1 else "several metrics"
