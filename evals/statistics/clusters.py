"""Scores that belong together: repeats of an example, questions about one document, messages of one user."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evals.statistics.types import Interval

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class ClusterError:
    """Standard error of a mean over clusters; `deff` is how much wider than if all scores were independent."""

    mean: float
    se: float
    deff: float
    n_eff: float
    units: int


@dataclass(frozen=True, slots=True)
class Averaged:
    """One mean per example, in order of first appearance, and how many repeats each has."""

    examples: list[Hashable]
    means: list[float]
    repeats: list[int]


def average_repeats(x: Sequence[float], example: Sequence[Hashable]) -> Averaged:
    """Repeats of one example are one unit: they make it more exact and never count as more examples."""
    sums: dict[Hashable, float] = {}
    counts: dict[Hashable, int] = {}
    for value, key in zip(x, example, strict=True):
        sums[key] = sums.get(key, 0.0) + value
        counts[key] = counts.get(key, 0) + 1
    return Averaged(list(sums), [sums[key] / counts[key] for key in sums], list(counts.values()))


def totals(x: Sequence[float], cluster: Sequence[Hashable]) -> tuple[list[float], list[float]]:
    """Sum and size of each cluster."""
    averaged = average_repeats(x, cluster)
    sizes = [float(size) for size in averaged.repeats]
    return [mean * size for mean, size in zip(averaged.means, sizes, strict=True)], sizes


def jackknife(sums: Sequence[float], sizes: Sequence[float]) -> ClusterError:
    """Leave one cluster out (CR3): safe for few or unequal clusters.

    :raises ValueError: for fewer than two clusters.
    """
    total, n, units = math.fsum(sums), math.fsum(sizes), len(sums)
    if units < 2:
        raise ValueError("one cluster has no standard error")
    mean = total / n
    without = left_out(sums, sizes)
    se = math.sqrt((units - 1) / units * math.fsum((value - mean) ** 2 for value in without))
    return _error(mean, se, n, units)


def left_out(sums: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """The mean of the others, for each cluster."""
    total, n = math.fsum(sums), math.fsum(sizes)
    return [(total - one) / (n - size) for one, size in zip(sums, sizes, strict=True)]


def robust(sums: Sequence[float], sizes: Sequence[float]) -> ClusterError:
    """Cluster-robust standard error, CR1 (Liang, Zeger 1986).

    :raises ValueError: for fewer than two clusters.
    """
    total, n, units = math.fsum(sums), math.fsum(sizes), len(sums)
    if units < 2:
        raise ValueError("one cluster has no standard error")
    mean = total / n
    square = math.fsum((one - mean * size) ** 2 for one, size in zip(sums, sizes, strict=True))
    return _error(mean, math.sqrt(units / (units - 1) * square) / n, n, units)


def cluster_bootstrap(
    sums: Sequence[float], sizes: Sequence[float], seed: int, *, resamples: int = 9_999, level: float = 0.95
) -> tuple[float, Interval]:
    """Standard error and percentile interval of a mean over resampled clusters (Davison, Hinkley 1997).

    :raises ValueError: for fewer than two clusters.
    """
    import numpy as np  # noqa: PLC0415

    if len(sums) < 2:
        raise ValueError("one cluster has no standard error")
    means = resampled_means(sums, sizes, seed, resamples)
    low, high = np.quantile(means, [(1 - level) / 2, 1 - (1 - level) / 2])
    return float(means.std(ddof=1)), Interval(float(low), float(high), level, "cluster bootstrap")


def resampled_means(sums: Sequence[float], sizes: Sequence[float], seed: int, resamples: int) -> np.ndarray:
    """Ratio of sums to sizes over clusters drawn with replacement."""
    import numpy as np  # noqa: PLC0415

    units = len(sums)
    random = np.random.default_rng(seed)
    parts = []
    step = max(1, 2_000_000 // units)  # resamples at once: 16 MB
    for start in range(0, resamples, step):
        counts = random.multinomial(units, np.full(units, 1 / units), size=min(step, resamples - start))
        parts.append((counts @ np.asarray(sums, dtype=float)) / (counts @ np.asarray(sizes, dtype=float)))
    return np.concatenate(parts)


def _error(mean: float, se: float, n: float, units: int) -> ClusterError:
    spread = mean * (1 - mean)
    simple = spread / n
    deff = se * se / simple if simple > 0 else 1.0
    n_eff = spread / (se * se) if se > 0 and spread > 0 else n
    return ClusterError(mean=mean, se=se, deff=deff, n_eff=n_eff, units=units)
