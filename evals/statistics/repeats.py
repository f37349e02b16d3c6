"""Repeats as a subject: at least one of k passes, all k pass, and how often two repeats disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evals.statistics import means
from evals.statistics.types import Estimate

ANY_SOURCE = "Chen et al. 2021"
ALL_SOURCE = "Yao et al. 2024"


def pass_at_k(n: Sequence[int], c: Sequence[int], k: int, *, level: float = 0.95) -> Estimate:
    """Chance that at least one of k repeats passes: the mean of 1 − C(n−c, k)/C(n, k) over examples.

    n repeats and c passes of each example. Examples with fewer than k repeats are left out and counted as unscored.

    :raises ValueError: unless k ≥ 1 and 0 ≤ c ≤ n for each example.
    """
    values = [1 - _share(total - passes, total, k) for total, passes in _kept(n, c, k)]
    return _over_examples(values, len(n), k, f"pass@{k}", ANY_SOURCE, level)


def pass_hat_k(n: Sequence[int], c: Sequence[int], k: int, *, level: float = 0.95) -> Estimate:
    """Chance that all of k repeats pass: the mean of C(c, k)/C(n, k) over examples; otherwise as `pass_at_k`.

    :raises ValueError: unless k ≥ 1 and 0 ≤ c ≤ n for each example.
    """
    values = [_share(passes, total, k) for total, passes in _kept(n, c, k)]
    return _over_examples(values, len(n), k, f"pass^{k}", ALL_SOURCE, level)


def flake_rate(n: Sequence[int], c: Sequence[int], *, level: float = 0.95) -> Estimate:
    """Chance that two repeats of the same example disagree; unbiased, so runs with other numbers of repeats compare.

    Examples with one repeat are left out and counted as unscored.

    :raises ValueError: unless 0 ≤ c ≤ n for each example.
    """
    values = [disagreement(total, passes) for total, passes in _kept(n, c, 2)]
    return _over_examples(values, len(n), 2, "flake rate", "unbiased over pairs of repeats", level)


def disagreement(n: int, c: int) -> float:
    """Of the pairs of an example's n repeats, the share with one pass and one fail.

    :raises ValueError: for fewer than two repeats.
    """
    if n < 2:
        raise ValueError("one repeat cannot disagree")
    return 2 * c * (n - c) / (n * (n - 1))


def mixed_share(n: Sequence[int], c: Sequence[int]) -> float | None:
    """Share of examples with both outcomes among those repeated; it grows with repeats, so compare it at equal n only.

    :raises ValueError: unless 0 ≤ c ≤ n for each example.
    """
    kept = _kept(n, c, 2)
    return sum(0 < passes < total for total, passes in kept) / len(kept) if kept else None


def _kept(n: Sequence[int], c: Sequence[int], least: int) -> list[tuple[int, int]]:
    if least < 1:
        raise ValueError("k counts repeats from 1")
    pairs = list(zip(n, c, strict=True))
    for total, passes in pairs:
        if not 0 <= passes <= total:
            raise ValueError(f"{passes} passes of {total} repeats")
    return [pair for pair in pairs if pair[0] >= least]


def _share(some: int, total: int, k: int) -> float:
    """C(some, k)/C(total, k) as a product, which factorials would overflow."""
    return math.prod(max(some - j, 0) / (total - j) for j in range(k))


def _over_examples(values: list[float], given: int, k: int, method: str, source: str, level: float) -> Estimate:
    if not values:
        return Estimate(None, None, 0, unscored=given, method=method, notes=(f"needs at least {k} repeats",))
    found = means.bounded_mean(values, level=level)
    notes = found.notes if len(values) == given else (*found.notes, f"{given - len(values)} with too few repeats")
    return Estimate(
        found.value, found.interval, found.n, found.n_eff, found.units, given - len(values), method, source, notes
    )
