"""Two versions on the same examples: the difference and its interval."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from evals.statistics import clusters as clustering
from evals.statistics import means, paired_tests, quantiles, rates
from evals.statistics.types import Comparison, Estimate, Interval, Test

TANGO_SOURCE = "Tango 1998"
EFFECTIVE_SOURCE = "Tango 1998 on effective counts"


def pass_fail(wins: int, losses: int, n: int, *, level: float = 0.95) -> Comparison:
    """Difference of two pass rates on the same n examples: only the examples on which they differ count."""
    interval = tango(wins, losses, n, quantiles.normal(level), level=level) if n else None
    value = (wins - losses) / n if n else None
    difference = Estimate(value, interval, n, float(n), n, method="Tango", source=TANGO_SOURCE)
    tests = (paired_tests.mcnemar(wins, losses, kind="mid"), paired_tests.mcnemar(wins, losses, kind="exact"))
    return Comparison(difference, wins, losses, n - wins - losses, tests)


def bounded(
    d: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    clusters: Sequence[Hashable] | None = None,
    width: float = 1.0,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Mean of paired differences of a metric whose range has the given width: effective Tango.

    The differences are read as wins and losses of as many pass/fail pairs as would be equally certain.

    :raises ValueError: for differences beyond ± width or not finite.
    """
    scaled = [value / width for value in d]
    if not all(-1 - 1e-9 <= value <= 1 + 1e-9 for value in scaled):
        raise ValueError("a difference is outside the metric's range")
    n = len(scaled)
    wins, losses = sum(value > 0 for value in d), sum(value < 0 for value in d)
    if n == 0:
        return Comparison(Estimate(None, None, 0, method="none", notes=("no scores",)), 0, 0, 0)
    if weights is None and clusters is None and set(scaled) <= {-1.0, 0.0, 1.0}:
        plain = pass_fail(wins, losses, n, level=level)
        return Comparison(_times(plain.difference, width), wins, losses, plain.ties, plain.tests)
    difference = _effective(scaled, weights, clusters, level)
    square, _, _ = _squared_error(scaled, weights or [1.0] * n, clusters, difference.value or 0.0)
    tests: tuple[Test, ...] = ()
    if weights is None:
        units = scaled if clusters is None else clustering.totals(scaled, clusters)[0]
        tests = (paired_tests.sign_flip(units, seed=seed), paired_tests.wilcoxon_pratt(scaled))
    return Comparison(
        _times(difference, width), wins, losses, n - wins - losses, tests, sd=math.sqrt(n * square) * width
    )


def unbounded(d: Sequence[float], seed: int, *, level: float = 0.95) -> Comparison:
    """Mean of paired differences of a metric without a range, such as latency: expanded BCa.

    :raises ValueError: for differences that are not finite.
    """
    wins, losses, n = sum(value > 0 for value in d), sum(value < 0 for value in d), len(d)
    if n == 0:
        return Comparison(Estimate(None, None, 0, method="none", notes=("no scores",)), 0, 0, 0)
    difference = means.bca(d, seed=seed, level=level)
    if wins == losses == 0:
        difference = Estimate(0.0, None, n, units=n, method="BCa", notes=(f"identical on all {n} examples",))
    center = math.fsum(d) / n
    sd = math.sqrt(math.fsum((value - center) ** 2 for value in d) / (n - 1)) if n > 1 else 0.0
    tests = (paired_tests.sign_flip(d, seed=seed), paired_tests.wilcoxon_pratt(d))
    return Comparison(difference, wins, losses, n - wins - losses, tests, sd=sd)


def tango(b: float, c: float, n: float, quantile: float, *, level: float = 0.95, method: str = "Tango") -> Interval:
    """Score interval of the difference of paired rates: b wins, c losses, n pairs, all of them real numbers."""
    if b == 0 and c == 0:
        half = quantile**2 / (n + quantile**2)
        return Interval(-half, half, level, method)
    return Interval(_lowest(b, c, n, quantile), -_lowest(c, b, n, quantile), level, method)


def _lowest(b: float, c: float, n: float, quantile: float) -> float:
    """Where the statistic, which falls as the supposed difference grows, is the quantile: by bisection."""
    low, high = -1 + 1e-12, min((b - c) / n, 1 - 1e-12)
    if tango_z(b, c, n, low) <= quantile:
        return -1.0
    while high - low > 1e-13:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if tango_z(b, c, n, middle) > quantile else (low, middle)
    return (low + high) / 2


def tango_z(b: float, c: float, n: float, d: float) -> float:
    """Tango's statistic for a supposed difference d."""
    q = -b - c + (2 * n - b + c) * d
    root = math.sqrt(max(q * q + 8 * n * c * d * (1 - d), 0.0))
    rate = (root - q) / (4 * n)
    variance = n * (2 * rate + d * (1 - d))
    distance = b - c - n * d
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def newcombe_paired(a: int, b: int, c: int, e: int, *, level: float = 0.95) -> Interval:
    """Wilson limits of both rates joined with their correlation (Newcombe 1998, method 10): a named alternative."""
    n = a + b + c + e
    candidate, baseline = (a + b) / n, (a + c) / n
    first, second = rates.wilson(a + b, n, level), rates.wilson(a + c, n, level)
    margins = (a + b) * (c + e) * (a + c) * (b + e)
    cross = a * e - b * c
    numerator = cross - n / 2 if cross > n / 2 else 0.0 if cross >= 0 else float(cross)
    phi = numerator / math.sqrt(margins) if margins else 0.0

    def joined(x: float, y: float) -> float:
        return math.sqrt(max(x * x - 2 * phi * x * y + y * y, 0.0))

    difference = candidate - baseline
    low = difference - joined(candidate - first.low, second.high - baseline)
    high = difference + joined(baseline - second.low, first.high - candidate)
    return Interval(low, high, level, "Newcombe, paired")


def agresti_min(b: float, c: float, n: float, *, level: float = 0.95) -> Interval:
    """Wald after half a pair is added to each kind of difference (Agresti, Min 2005): a named alternative."""
    wins, losses, size = b + 0.5, c + 0.5, n + 2
    center = (wins - losses) / size
    half = quantiles.normal(level) * math.sqrt(wins + losses - (wins - losses) ** 2 / size) / size
    return Interval(center - half, center + half, level, "Agresti–Min")


def _effective(
    d: Sequence[float], weights: Sequence[float] | None, clusters: Sequence[Hashable] | None, level: float
) -> Estimate:
    n, counted = len(d), float(len(d))
    scaled_weights = [1.0] * n
    if weights is not None:
        counted = math.fsum(weights) ** 2 / math.fsum(w * w for w in weights)
        scaled_weights = [w * counted / math.fsum(weights) for w in weights]
    pairs = list(zip(d, scaled_weights, strict=True))
    wins = math.fsum(v * w for v, w in pairs if v > 0)
    losses = math.fsum(-v * w for v, w in pairs if v < 0)
    value = (wins - losses) / counted
    square, units, flat = _squared_error(d, scaled_weights, clusters, value)
    if units < 2:
        notes = ("all examples come from one cluster",) if clusters is not None else ()
        return Estimate(value, None, n, units=units, method="effective Tango", source=EFFECTIVE_SOURCE, notes=notes)
    simple = ((wins + losses) - (wins - losses) ** 2 / counted) / counted**2
    if simple * counted < paired_tests.ROUNDING or square < paired_tests.ROUNDING**2:
        deff = flat
    else:
        deff = square / simple
        if clusters is not None and set(d) <= {-1.0, 0.0, 1.0}:
            deff = max(deff, 1.0)
        deff = _guarded(deff, d, clusters)
    quantile = quantiles.student(level, units - 1)
    interval = tango(wins / deff, losses / deff, counted / deff, quantile, level=level, method="effective Tango")
    notes = ("very few",) if units < means.VERY_FEW else ()
    return Estimate(
        value, interval, n, counted / deff, units, method="effective Tango", source=EFFECTIVE_SOURCE, notes=notes
    )


def _squared_error(
    d: Sequence[float], weights: Sequence[float], clusters: Sequence[Hashable] | None, value: float
) -> tuple[float, int, float]:
    """Squared standard error, number of units, and the design effect where nothing varies."""
    n, total = len(d), math.fsum(weights)
    if clusters is None:
        if n < 2:
            return 0.0, n, 1.0
        spread = math.fsum(w * (v - value) ** 2 for v, w in zip(d, weights, strict=True)) / total * n / (n - 1)
        return spread / total, n, 1.0
    sums, _ = clustering.totals([v * w for v, w in zip(d, weights, strict=True)], clusters)
    sizes, _ = clustering.totals(weights, clusters)
    if len(sums) < 2:
        return 0.0, len(sums), 1.0
    flat = math.fsum(size * size for size in sizes) / total
    return clustering.jackknife(sums, sizes).se ** 2, len(sums), flat


def _guarded(deff: float, d: Sequence[float], clusters: Sequence[Hashable] | None) -> float:
    """Where more than half of the differences are 0, the others must carry the certainty."""
    if sum(value == 0 for value in d) <= len(d) / 2:
        return deff
    units = d if clusters is None else clustering.totals([abs(value) for value in d], clusters)[0]
    return max(deff, 1 / (sum(value != 0 for value in units) + 1))


def _times(estimate: Estimate, width: float) -> Estimate:
    if width == 1 or estimate.value is None:
        return estimate
    found = estimate.interval
    return Estimate(
        value=estimate.value * width,
        interval=None if found is None else Interval(found.low * width, found.high * width, found.level, found.method),
        n=estimate.n,
        n_eff=estimate.n_eff,
        units=estimate.units,
        unscored=estimate.unscored,
        method=estimate.method,
        source=estimate.source,
        notes=estimate.notes,
    )
