"""Intervals for one mean, and for quantiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from evals.statistics import clusters as clustering
from evals.statistics import quantiles, rates
from evals.statistics.types import Estimate, Interval

if TYPE_CHECKING:
    import numpy as np

WILSON_SOURCE = "Wilson 1927"
EFFECTIVE_SOURCE = "Korn & Graubard 1998; Dean & Pagano 2015"
BCA_SOURCE = "Efron 1987; Hesterberg 2015"
VERY_FEW = 5
LARGE = 10_000
ROUNDING = 1e-12  # spreads below are what is left of equal numbers after adding them up


def bounded_mean(
    x: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    clusters: Sequence[Hashable] | None = None,
    low: float = 0.0,
    high: float = 1.0,
    level: float = 0.95,
) -> Estimate:
    """Mean of scores whose range is declared: Wilson for plain pass/fail, effective Wilson for everything else.

    Effective Wilson reads the scores as a rate of as many pass/fail answers as would be equally certain, with t in
    place of z: unlike t and bootstrap intervals it keeps its level when scores pile up at the ends of the range.

    :raises ValueError: for numbers outside the range or not finite.
    """
    scaled = _scaled(x, low, high)
    if weights is not None:
        kept = [place for place, weight in enumerate(weights) if weight > 0]
        scaled = [scaled[place] for place in kept]
        weights = [weights[place] for place in kept]
        clusters = None if clusters is None else [clusters[place] for place in kept]
    n = len(scaled)
    if n == 0:
        return Estimate(None, None, 0, method="none", notes=("no scores",))
    if weights is None and clusters is None and set(scaled) <= {0.0, 1.0}:
        found = rates.wilson(math.fsum(scaled), n, level)
        estimate = Estimate(math.fsum(scaled) / n, found, n, float(n), n, method="Wilson", source=WILSON_SOURCE)
    elif clusters is not None:
        estimate = _clustered(scaled, weights, clusters, level)
    else:
        estimate = _independent(scaled, weights, level)
    return _unscaled(estimate, low, high)


def t_mean(x: Sequence[float], *, level: float = 0.95) -> Estimate:
    """Student's interval (1908): for unbounded metrics with few values, and as a named alternative."""
    n, mean = len(x), _mean(x)
    if n < 2:
        return Estimate(mean, None, n, units=n, method="t", source="Student 1908")
    half = quantiles.student(level, n - 1) * _sd(x, mean) / math.sqrt(n)
    interval = Interval(mean - half, mean + half, level, "t") if half > 0 else None
    notes = () if half > 0 else ("no spread seen",)
    return Estimate(mean, interval, n, float(n), n, method="t", source="Student 1908", notes=notes)


def bca(
    x: Sequence[float],
    statistic: Callable[[Any], float] | None = None,
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int | None = None,
    expand: bool = True,
    exhaustive: bool = False,
) -> Estimate:
    """Bias-corrected accelerated bootstrap, expanded for small samples: for unbounded metrics such as latency and cost.

    Without `statistic` it is for the mean. With `clusters` whole clusters are drawn and left out, and it is for the
    mean only. `exhaustive` lists all n^n resamples instead of drawing them. Fewer than 10 units, more than 10,000, and
    samples that bend the method too far get the t interval.

    :raises ValueError: for no numbers, numbers that are not finite, or clusters together with a statistic.
    """
    import numpy as np  # noqa: PLC0415

    values = np.asarray(x, dtype=float)
    if len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("bca needs finite numbers")
    if clusters is not None and (statistic is not None or exhaustive):
        raise ValueError("clusters are drawn for the mean only")
    sums, sizes = clustering.totals(x, clusters) if clusters is not None else ([], [])
    n, units = len(values), len(sums) if clusters is not None else len(values)
    if np.ptp(values) == 0:
        note = ("no spread seen",)
        return Estimate(float(values[0]), None, n, units=units, method="BCa", source=BCA_SOURCE, notes=note)
    fallback = _t_of_clusters(sums, sizes, n, level) if clusters is not None else t_mean(x, level=level)
    if not exhaustive and (units < 10 or units > LARGE):
        return fallback
    count = resamples or 9_999
    center = float(values.mean()) if statistic is None else float(statistic(values))
    if clusters is None:
        drawn = np.sort(_resampled(values, statistic, seed, count, exhaustive))
    else:
        drawn = np.sort(clustering.resampled_means(sums, sizes, seed, count))
    scale = 1e-12 * max(1.0, float(np.abs(values).max()))
    below = float((drawn < center - scale).sum()) + 0.5 * float((np.abs(drawn - center) <= scale).sum())
    if not 0 < below < len(drawn):
        return fallback
    z0 = quantiles.phi_inverse(below / len(drawn))
    acceleration = _acceleration(values, statistic, clustering.left_out(sums, sizes))
    tail = (1 - level) / 2
    if expand:
        tail = quantiles.phi(-math.sqrt(units / (units - 1)) * quantiles.student(level, units - 1))
    limits = []
    for z in (quantiles.phi_inverse(tail), -quantiles.phi_inverse(tail)):
        bend = 1 - acceleration * (z0 + z)
        if abs(z0) > 1 or bend <= 0:
            return fallback
        limits.append(float(np.quantile(drawn, quantiles.phi(z0 + (z0 + z) / bend))))
    name = "BCa, expanded" if expand else "BCa"
    interval = Interval(limits[0], limits[1], level, name)
    return Estimate(
        center, interval, n, float(n), units, method=name, source=BCA_SOURCE, notes=(f"{len(drawn):,} resamples",)
    )


def basic_bootstrap(x: Sequence[float], *, seed: int = 0, level: float = 0.95, resamples: int = 9_999) -> Interval:
    """The mean's basic bootstrap, twice the mean less the resamples' quantiles: for comparison with other tools.

    :raises ValueError: for no numbers.
    """
    import numpy as np  # noqa: PLC0415

    values = np.asarray(x, dtype=float)
    if len(values) == 0:
        raise ValueError("a bootstrap needs numbers")
    tail = (1 - level) / 2
    drawn = _resampled(values, None, seed, resamples, exhaustive=False)
    low, high = 2 * values.mean() - np.quantile(drawn, [1 - tail, tail])
    return Interval(float(low), float(high), level, "basic bootstrap")


def _t_of_clusters(sums: Sequence[float], sizes: Sequence[float], n: int, level: float) -> Estimate:
    """Mean ± t·SE with the jackknife's standard error over clusters."""
    if len(sums) < 2:
        mean = math.fsum(sums) / n
        return Estimate(mean, None, n, units=1, method="t", notes=("all examples come from one cluster",))
    error = clustering.jackknife(sums, sizes)
    half = quantiles.student(level, error.units - 1) * error.se
    interval = Interval(error.mean - half, error.mean + half, level, "t") if half > 0 else None
    return Estimate(error.mean, interval, n, float(n), error.units, method="t", source="Student 1908")


def quantile(x: Sequence[float], q: float, *, level: float = 0.95) -> Estimate:
    """A quantile such as the median or the 95th percentile, with the interval of its order statistics.

    The ranks come from the binomial distribution, so the interval holds for any shape; it needs enough values: 73 for
    the 95th percentile.
    """
    ordered = sorted(x)
    n = len(ordered)
    if n == 0:
        return Estimate(None, None, 0, method="order statistics", notes=("no values",))
    place = q * (n - 1)
    below = int(place)
    above = min(below + 1, n - 1)
    value = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    tail = (1 - level) / 2
    first = _binomial_quantile(tail, n, q)
    last = _binomial_quantile(1 - tail, n, q) + 1
    if first < 1 or last > n:
        return Estimate(value, None, n, units=n, method="order statistics", notes=("too few values for an interval",))
    interval = Interval(ordered[first - 1], ordered[last - 1], level, "order statistics")
    return Estimate(value, interval, n, float(n), n, method="order statistics", source="Conover 1999")


def _binomial_quantile(p: float, n: int, q: float) -> int:
    """The smallest count whose cumulative probability is at least p."""
    from scipy.special import bdtr  # noqa: PLC0415

    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if bdtr(middle, n, q) >= p * (1 - 1e-12) else (middle + 1, high)
    return low


def guarded(n_eff: float, n: float, x: Sequence[float]) -> float:
    """Where more than half of the scores are equal, the others must carry the certainty: at most n·(others + 1)."""
    most = Counter(x).most_common(1)[0][1]
    others = len(x) - most
    return min(n_eff, n * (others + 1)) if most > len(x) / 2 else n_eff


def _independent(x: Sequence[float], weights: Sequence[float] | None, level: float) -> Estimate:
    n = len(x)
    mean = _mean(x, weights)
    kish = n if weights is None else math.fsum(weights) ** 2 / math.fsum(w * w for w in weights)
    if n < 2:
        return Estimate(mean, None, n, float(n), n, method="effective Wilson", source=EFFECTIVE_SOURCE)
    spread = mean * (1 - mean)
    pairs = zip(x, weights or [1.0] * n, strict=True)
    variance = math.fsum(w * (v - mean) ** 2 for v, w in pairs) / math.fsum(weights or [1.0] * n) * n / (n - 1)
    n_eff = guarded(kish * spread / variance, kish, x) if variance > ROUNDING**2 and len(set(x)) > 1 else float(kish)
    return _effective(mean, n_eff, n, n, level)


def _clustered(
    x: Sequence[float], weights: Sequence[float] | None, clusters: Sequence[Hashable], level: float
) -> Estimate:
    n = len(x)
    if weights is None:
        sums, sizes = clustering.totals(x, clusters)
    else:
        sums, _ = clustering.totals([v * w for v, w in zip(x, weights, strict=True)], clusters)
        sizes, _ = clustering.totals(weights, clusters)
    mean = _mean(x, weights)
    if len(sums) < 2:
        return Estimate(
            mean, None, n, units=1, method="effective Wilson", notes=("all examples come from one cluster",)
        )
    error = clustering.jackknife(sums, sizes)
    flat = error.se < ROUNDING or len(set(x)) == 1
    n_eff = math.fsum(sizes) ** 2 / math.fsum(size * size for size in sizes) if flat else min(error.n_eff, n)
    return _effective(mean, n_eff, n, error.units, level)


def _effective(mean: float, n_eff: float, n: int, units: int, level: float) -> Estimate:
    inside = min(max(mean, 0.0), 1.0)
    interval = rates.wilson_at(inside, n_eff, quantiles.student(level, units - 1), level, "effective Wilson")
    notes = ("very few",) if units < VERY_FEW else ()
    return Estimate(mean, interval, n, n_eff, units, method="effective Wilson", source=EFFECTIVE_SOURCE, notes=notes)


def _scaled(x: Sequence[float], low: float, high: float) -> list[float]:
    values = [(float(value) - low) / (high - low) for value in x]
    for value, original in zip(values, x, strict=True):
        if not -1e-9 <= value <= 1 + 1e-9:  # NaN fails both
            raise ValueError(f"{original} is outside the range {low} to {high}")
    return [min(max(value, 0.0), 1.0) for value in values]


def _unscaled(estimate: Estimate, low: float, high: float) -> Estimate:
    if (low, high) == (0.0, 1.0) or estimate.value is None:
        return estimate
    width = high - low
    found = estimate.interval
    return Estimate(
        value=low + estimate.value * width,
        interval=None
        if found is None
        else Interval(low + found.low * width, low + found.high * width, found.level, found.method),
        n=estimate.n,
        n_eff=estimate.n_eff,
        units=estimate.units,
        unscored=estimate.unscored,
        method=estimate.method,
        source=estimate.source,
        notes=estimate.notes,
    )


def _mean(x: Sequence[float], weights: Sequence[float] | None = None) -> float:
    if weights is None:
        return math.fsum(x) / len(x)
    return math.fsum(v * w for v, w in zip(x, weights, strict=True)) / math.fsum(weights)


def _sd(x: Sequence[float], mean: float) -> float:
    return math.sqrt(math.fsum((value - mean) ** 2 for value in x) / (len(x) - 1))


def _resampled(
    values: np.ndarray, statistic: Callable[[Any], float] | None, seed: int, count: int, exhaustive: bool
) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    n = len(values)
    if exhaustive:
        places = np.indices((n,) * n).reshape(n, -1).T
        return _statistics(values[places], statistic)
    random = np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    if statistic is None and len(distinct) <= 1_000:
        return np.asarray(random.multinomial(n, counts / n, size=count) @ distinct / n)
    parts = []
    step = max(1, 2_000_000 // n)  # resamples at once: 16 MB
    for start in range(0, count, step):
        places = random.integers(0, n, size=(min(step, count - start), n))
        parts.append(_statistics(values[places], statistic))
    return np.concatenate(parts)


def _statistics(samples: np.ndarray, statistic: Callable[[Any], float] | None) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    if statistic is None:
        return np.asarray(samples.mean(axis=1))
    return np.array([statistic(sample) for sample in samples])


def _acceleration(
    values: np.ndarray, statistic: Callable[[Any], float] | None, without_cluster: Sequence[float]
) -> float:
    """From the jackknife's skewness; for a mean that is the skewness of the values themselves."""
    import numpy as np  # noqa: PLC0415

    if without_cluster:
        without = np.asarray(without_cluster)
        errors = without.mean() - without
    elif statistic is None:
        errors = values - values.mean()
    else:
        without = np.array([statistic(np.delete(values, place)) for place in range(len(values))])
        errors = without.mean() - without
    square = float((errors**2).sum())
    return float((errors**3).sum()) / (6 * square**1.5) if square > 0 else 0.0
