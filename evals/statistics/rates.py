"""Intervals for one rate: k passes of n."""

from __future__ import annotations

import math

from evals.statistics import quantiles
from evals.statistics.types import Interval


def wilson(k: float, n: float, level: float = 0.95) -> Interval:
    """Score interval of a rate (Wilson 1927; Brown, Cai, DasGupta 2001).

    :raises ValueError: unless 0 ≤ k ≤ n and n > 0.
    """
    return wilson_at(k / n if n else math.nan, n, quantiles.normal(level), level, "Wilson")


def wilson_at(p: float, n: float, quantile: float, level: float, method: str) -> Interval:
    """The same for a real count n and another quantile than the normal one: what effective counts need.

    :raises ValueError: unless 0 ≤ p ≤ 1 and n > 0.
    """
    if not (n > 0 and 0 <= p <= 1):
        raise ValueError(f"no rate: {p} of {n}")
    square = quantile * quantile
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = quantile * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(0.0 if p == 0 else centre - half, 1.0 if p == 1 else centre + half, level, method)


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """Exact interval, never below its level and wider for it (Clopper, Pearson 1934).

    :raises ValueError: unless 0 ≤ k ≤ n and n > 0.
    """
    from scipy.special import betaincinv  # noqa: PLC0415

    _check(k, n)
    tail = (1 - level) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Interval(low, high, level, "Clopper–Pearson")


def agresti_coull(k: int, n: int, level: float = 0.95) -> Interval:
    """Wald on added successes and failures (Agresti, Coull 1998): for comparison with other tools."""
    _check(k, n)
    square = quantiles.normal(level) ** 2
    size = n + square
    rate = (k + square / 2) / size
    half = math.sqrt(square * rate * (1 - rate) / size)
    return Interval(rate - half, rate + half, level, "Agresti–Coull")


def wald(k: int, n: int, level: float = 0.95) -> Interval:
    """The textbook's interval, unclipped: unreliable near 0 and 1, never shown by itself."""
    _check(k, n)
    rate = k / n
    half = quantiles.normal(level) * math.sqrt(rate * (1 - rate) / n)
    return Interval(rate - half, rate + half, level, "Wald (textbook, unreliable)")


def zero_failures(n: int, level: float = 0.95) -> Interval:
    """What “0 failures in n” still allows: the one-sided bound, about 3/n."""
    _check(0, n)
    return Interval(0.0, 1 - (1 - level) ** (1 / n), level, "one-sided exact")


def _check(k: float, n: float) -> None:
    if not (n > 0 and 0 <= k <= n):
        raise ValueError(f"no rate: {k} of {n}")
