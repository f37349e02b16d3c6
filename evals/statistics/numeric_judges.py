"""A judge that gives numbers, against people's numbers: how they go together, and where the judge is off."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from evals.statistics import clusters as clustering
from evals.statistics import means, paired, quantiles, resampling
from evals.statistics.prediction import Moments
from evals.statistics.types import Estimate, Interval

if TYPE_CHECKING:
    import numpy as np

PEARSON_SOURCE = "Pearson 1895; Fisher 1921"
FEWEST = 4  # Fisher's interval divides by n − 3
RESAMPLES = 9_999


def correlation(
    y: Sequence[float],
    f: Sequence[float],
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Pearson's correlation with Fisher's interval; over `groups` the cluster bootstrap's.

    Undefined where one side always gives the same number. A resample without it counts as 0.

    :raises ValueError: of lists of different length.
    """
    n, source = len(y), PEARSON_SOURCE
    if len(f) != n:
        raise ValueError("two lists of the same length have a correlation")
    units = n if groups is None else len(set(groups))
    value = _pearson(y, f) if n else None
    if value is None:
        return Estimate(None, None, n, units=units, method="Pearson", source=source, notes=("one side never varies",))
    if groups is not None:
        interval = None if units < 2 else _by_groups(y, f, groups, seed, level)
        return Estimate(value, interval, n, None, units, method="Pearson, cluster bootstrap", source=source)
    interval = None
    if n >= FEWEST:
        half = quantiles.normal(level) / math.sqrt(n - 3)
        centre = math.atanh(min(max(value, -1 + 1e-15), 1 - 1e-15))
        interval = Interval(math.tanh(centre - half), math.tanh(centre + half), level, "Fisher")
    return Estimate(value, interval, n, float(n), n, method="Pearson", source=source)


def bias(y: Sequence[float], f: Sequence[float], *, groups: Sequence[Hashable] | None = None) -> Estimate:
    """How much higher the judge's mean is than people's, both between 0 and 1: effective Tango.

    :raises ValueError: for numbers outside that range.
    """
    return paired.bounded([b - a for a, b in zip(y, f, strict=True)], clusters=groups).difference


def error(y: Sequence[float], f: Sequence[float], *, groups: Sequence[Hashable] | None = None) -> Estimate:
    """By how much a single score is off, on average: the mean absolute difference, effective Wilson."""
    return means.bounded_mean([abs(b - a) for a, b in zip(y, f, strict=True)], clusters=groups)


def _pearson(y: Sequence[float], f: Sequence[float]) -> float | None:
    human, judge = Moments.of(y), Moments.of(f)
    spread = math.sqrt(human.squares * judge.squares)
    if spread <= 0:
        return None
    shared = math.fsum((a - human.mean) * (b - judge.mean) for a, b in zip(y, f, strict=True))
    return min(max(shared / spread, -1.0), 1.0)


def _by_groups(y: Sequence[float], f: Sequence[float], groups: Sequence[Hashable], seed: int, level: float) -> Interval:
    """From resampled sums; the numbers are centred first, so that no digits are lost."""
    import numpy as np  # noqa: PLC0415

    a, b = np.asarray(y, dtype=float) - np.mean(y), np.asarray(f, dtype=float) - np.mean(f)
    columns = (np.ones(len(a)), a, b, a * a, b * b, a * b)
    sums = [clustering.totals([float(value) for value in column], groups) for column in columns]
    parts = [[mean[place] for mean, _ in sums] for place in range(len(sums[0][0]))]
    low, high = np.quantile(_pearsons(resampling.of_groups(parts, seed, RESAMPLES)), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, "cluster bootstrap")


def _pearsons(drawn: np.ndarray) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    n, a, b, aa, bb, ab = drawn.T
    spread = np.sqrt(np.maximum(aa - a * a / n, 0) * np.maximum(bb - b * b / n, 0))
    found = np.zeros(len(n))
    np.divide(ab - a * b / n, spread, out=found, where=spread > 1e-12)
    return np.clip(found, -1, 1)
