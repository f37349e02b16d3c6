"""Tests of no difference between two versions on the same examples."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from evals.statistics import clusters as clustering
from evals.statistics import quantiles
from evals.statistics.types import Test

if TYPE_CHECKING:
    import numpy as np

LISTED = 20
LARGE = 10_000
RESAMPLES = 9_999
ROUNDING = 1e-12  # spreads below are what is left of equal numbers after adding them up


def mcnemar(b: int, c: int, *, kind: str = "mid") -> Test:
    """Test of equal paired rates (McNemar 1947): `mid` p (Fagerland 2013), `exact`, or `chi2` with continuity.

    :raises ValueError: for another kind.
    """
    k, few = b + c, min(b, c)
    if kind not in ("mid", "exact", "chi2"):
        raise ValueError(f"no such kind of McNemar's test: {kind}")
    if k == 0:
        return Test(1.0, 0.0, "two-sided", f"McNemar, {kind}")
    if kind == "chi2":
        statistic = (abs(b - c) - 1) ** 2 / k
        return Test(math.erfc(math.sqrt(statistic / 2)), statistic, "two-sided", "McNemar, chi2")
    point = _coin(few, k)
    exact = min(1.0, 2 * math.fsum(_coin(heads, k) for heads in range(few + 1)))
    if kind == "exact":
        p = exact
    else:
        p = 1 - point / 2 if b == c else exact - point
    return Test(p, float(few), "two-sided", f"McNemar, {kind}")


def sign_flip(
    d: Sequence[float], *, clusters: Sequence[Hashable] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> Test:
    """Permutation of signs (Fisher 1935; Pitman 1937): all of them up to 20 units that are not 0, else drawn."""
    import numpy as np  # noqa: PLC0415

    units = np.asarray(d if clusters is None else clustering.totals(d, clusters)[0], dtype=float)
    moving = units[units != 0]
    total = float(moving.sum())
    if not len(moving):
        return Test(1.0, 0.0, "two-sided", "sign-flip, exact")
    if len(units) > LARGE:
        return paired_t(units.tolist())
    reached = abs(total) - 1e-12
    if len(moving) <= LISTED:
        sums = np.zeros(1)
        for value in moving:
            sums = np.concatenate([sums + value, sums - value])
        return Test(float((np.abs(sums) >= reached).mean()), total, "two-sided", "sign-flip, exact")
    random = np.random.default_rng(seed)
    hits, step = 0, max(1, 2_000_000 // len(moving))
    for start in range(0, resamples, step):
        signs = random.integers(0, 2, size=(min(step, resamples - start), len(moving))) * 2 - 1
        hits += int((np.abs(signs @ moving) >= reached).sum())
    return Test((1 + hits) / (resamples + 1), total, "two-sided", "sign-flip")


def wilcoxon_pratt(d: Sequence[float], *, exact: bool | None = None, zeros: str = "pratt") -> Test:
    """Signed ranks with zeros ranked and dropped (Wilcoxon 1945; Pratt 1959): about ranks, shown behind.

    Exact up to 25 differences that are not 0, or as `exact` says. `zeros="drop"` leaves zeros out before ranking, as
    Wilcoxon did. The statistic is the sum of the positive ranks.

    :raises ValueError: for another way with zeros.
    """
    import numpy as np  # noqa: PLC0415

    if zeros not in ("pratt", "drop"):
        raise ValueError(f"no such way with zeros: {zeros}")
    values = np.round(np.asarray(d, dtype=float), 10)
    if zeros == "drop":
        values = values[values != 0]
    name = "Wilcoxon–Pratt" if zeros == "pratt" else "Wilcoxon"
    ranks = _mid_ranks(np.abs(values))[values != 0] if len(values) else values
    signs = values[values != 0]
    if not len(ranks):
        return Test(1.0, 0.0, "two-sided", name)
    positive = float(ranks[signs > 0].sum())
    if exact if exact is not None else len(ranks) <= 25:
        return Test(_exact_ranks(ranks, positive), positive, "two-sided", f"{name}, exact")
    z = (positive - float(ranks.sum()) / 2) / math.sqrt(float((ranks**2).sum()) / 4)
    return Test(math.erfc(abs(z) / math.sqrt(2)), positive, "two-sided", name)


def paired_t(d: Sequence[float]) -> Test:
    """Student's test of paired differences: a named alternative, and what many thousands of differences get.

    :raises ValueError: for fewer than two differences.
    """
    n = len(d)
    if n < 2:
        raise ValueError("one difference has no spread")
    center = math.fsum(d) / n
    se = math.sqrt(math.fsum((value - center) ** 2 for value in d) / (n - 1) / n)
    if se == 0:
        t = math.copysign(math.inf, center) if center else 0.0
    else:
        t = center / se
    return Test(quantiles.student_p(t, n - 1), t, "two-sided", "paired t")


def _exact_ranks(ranks: np.ndarray, positive: float) -> float:
    """Two-sided p over all signs of the ranks, counted by sums of doubled ranks, which are whole."""
    import numpy as np  # noqa: PLC0415

    doubled = np.round(2 * ranks).astype(int)
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] = ways[rank:] + ways[:-rank]
    reached = round(2 * positive)
    tail = min(ways[: reached + 1].sum(), ways[reached:].sum()) / ways.sum()
    return min(1.0, 2 * float(tail))


def _coin(heads: int, tosses: int) -> float:
    """Probability of so many heads of a fair coin."""
    ways = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tosses - heads + 1)
    return math.exp(ways - tosses * math.log(2))


def _mid_ranks(sizes: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal sizes sharing the mean of theirs."""
    import numpy as np  # noqa: PLC0415

    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place])
