"""Two versions on different examples: expect to need three to ten times as many as with the same examples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evals.statistics import quantiles
from evals.statistics import rates as single
from evals.statistics.types import Comparison, Estimate, Interval, Test

RATES_SOURCE = "Newcombe 1998; Zou & Donner 2008"
WELCH_SOURCE = "Welch 1947"
NOTE = "different examples: expect to need 3–10 times as many as with the same examples"


def rates(first: Estimate, second: Estimate, *, low: float = 0.0, high: float = 1.0, level: float = 0.95) -> Comparison:
    """First less second, from the Wilson or effective Wilson interval of each side (MOVER).

    Both are estimates of a metric with the given range. The p-value is that of the interval itself: one less the level
    at which it would just touch 0.

    :raises ValueError: when a side has no value or no effective count.
    """
    width = high - low
    sides = (_scaled(first, low, width), _scaled(second, low, width))
    value = sides[0][0] - sides[1][0]
    n = first.n + second.n
    ends = _mover(first, second, sides, level)
    found = Interval(ends[0] * width, ends[1] * width, level, "Newcombe")
    difference = Estimate(
        value=value * width,
        interval=found if first.interval is not None and second.interval is not None else None,
        n=n,
        units=min(first.units, second.units),
        unscored=first.unscored + second.unscored,
        method="Newcombe",
        source=RATES_SOURCE,
        notes=(NOTE,),
    )
    test = Test(_touching(first, second, sides), value * width, "two-sided", "Newcombe, inverted")
    variance = sum(p * (1 - p) / n_eff for p, n_eff in sides)
    sd = math.sqrt(variance * n) * width
    return Comparison(difference, 0, 0, 0, (test,), sd=sd or None, is_paired=False)


def welch(x: Sequence[float], y: Sequence[float], *, level: float = 0.95) -> Comparison:
    """Difference of two means with unequal spreads (Welch 1947, degrees of freedom by Satterthwaite).

    Without two values on each side, or with no spread on both, there is no interval and no test.

    :raises ValueError: when a side is empty.
    """
    if not x or not y:
        raise ValueError("a mean needs values on both sides")
    value = math.fsum(x) / len(x) - math.fsum(y) / len(y)
    n, units = len(x) + len(y), min(len(x), len(y))
    squares = [_square(side) for side in (x, y)]
    total = sum(squares)
    if units < 2 or total == 0:
        notes = ("too few values",) if units < 2 else ("no spread seen",)
        difference = Estimate(value, None, n, units=units, method="Welch", source=WELCH_SOURCE, notes=notes)
        return Comparison(difference, 0, 0, 0, is_paired=False)
    df = total**2 / sum(square**2 / (len(side) - 1) for square, side in zip(squares, (x, y), strict=True))
    se = math.sqrt(total)
    half = quantiles.student(level, df) * se
    interval = Interval(value - half, value + half, level, "Welch")
    difference = Estimate(value, interval, n, units=units, method="Welch", source=WELCH_SOURCE, notes=(NOTE,))
    test = Test(quantiles.student_p(value / se, df), value / se, "two-sided", "Welch")
    return Comparison(difference, 0, 0, 0, (test,), sd=se * math.sqrt(n), is_paired=False)


def degrees_of_freedom(x: Sequence[float], y: Sequence[float]) -> float:
    """Satterthwaite's, as `welch` uses them.

    :raises ZeroDivisionError: when neither side has any spread.
    """
    squares = [_square(side) for side in (x, y)]
    return sum(squares) ** 2 / sum(s**2 / (len(side) - 1) for s, side in zip(squares, (x, y), strict=True))


def _square(side: Sequence[float]) -> float:
    """Squared standard error of a side's mean, 0 for one value."""
    n = len(side)
    if n < 2:
        return 0.0
    mean = math.fsum(side) / n
    return math.fsum((value - mean) ** 2 for value in side) / (n - 1) / n


def _scaled(side: Estimate, low: float, width: float) -> tuple[float, float]:
    if side.value is None or not side.n_eff:
        raise ValueError("a side has no score")
    return min(max((side.value - low) / width, 0.0), 1.0), side.n_eff


def _quantile(side: Estimate, level: float) -> float:
    return quantiles.normal(level) if side.method == "Wilson" else quantiles.student(level, max(side.units - 1, 1))


def _mover(
    first: Estimate, second: Estimate, sides: tuple[tuple[float, float], tuple[float, float]], level: float
) -> tuple[float, float]:
    """Lower and upper limit of the difference, each side's limits joined as if independent."""
    (p, n), (q, m) = sides
    one = single.wilson_at(p, n, _quantile(first, level), level, "")
    other = single.wilson_at(q, m, _quantile(second, level), level, "")
    low = p - q - math.hypot(p - one.low, other.high - q)
    high = p - q + math.hypot(one.high - p, q - other.low)
    return low, high


def _touching(first: Estimate, second: Estimate, sides: tuple[tuple[float, float], tuple[float, float]]) -> float:
    """One less the level at which the interval's end reaches 0, by bisection: the interval widens with its level."""
    if sides[0][0] == sides[1][0]:
        return 1.0
    end = 0 if sides[0][0] > sides[1][0] else 1
    smallest, largest = 1e-15, 1.0 - 1e-12

    def excludes(p: float) -> bool:
        limit = _mover(first, second, sides, 1 - p)[end]
        return limit > 0 if end == 0 else limit < 0

    if excludes(smallest):
        return smallest
    while largest - smallest > 1e-12 * largest + 1e-16:
        middle = math.sqrt(smallest * largest)
        if middle in (smallest, largest):
            break
        smallest, largest = (smallest, middle) if excludes(middle) else (middle, largest)
    return largest
