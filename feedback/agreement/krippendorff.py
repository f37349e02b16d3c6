"""Krippendorff's alpha: any number of people, missing answers, and answers that can be more or less apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evals.statistics.types import Estimate
from feedback.agreement import resampling

if TYPE_CHECKING:
    import numpy as np

SOURCE = "Krippendorff 2004; 2011"
LEVELS = ("nominal", "ordinal", "interval", "ratio")
TENTATIVE, RELIABLE = 0.667, 0.8


def alpha(
    counts: Sequence[Sequence[int]],
    level: str = "nominal",
    values: Sequence[float] | None = None,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """1 − observed / expected disagreement. `counts` has a row for each item and a column for each category, in the
    schema's order (that matters for `ordinal`); `values` are the categories' numbers, for `interval` and `ratio`.

    Items with fewer than two answers say nothing. Where everyone gave the same answer there is no value.

    :raises ValueError: for a level that is none of LEVELS.
    """
    import numpy as np  # noqa: PLC0415

    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}")
    items = np.asarray([row for row in counts if sum(row) >= 2], dtype=float)
    n = len(items)
    name = f"Krippendorff's alpha, {level}"
    if n == 0:
        return Estimate(None, None, 0, method=name, source=SOURCE, notes=("no item has two answers",))
    if (items.sum(axis=0) > 0).sum() == 1:
        return Estimate(None, None, n, method=name, source=SOURCE, notes=("everyone gave the same answer",))
    numbers = np.asarray(values if values is not None else range(items.shape[1]), dtype=float)

    def alphas(distinct: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.asarray(_alphas(distinct, weights, level, numbers))

    value = float(alphas(*resampling.pattern(items))[0])
    found = resampling.interval(items, alphas, seed, confidence)
    return Estimate(value, found, n, float(n), n, method=name, source=SOURCE)


def words(found: Estimate) -> str:
    """Krippendorff's convention, decided on the lower limit."""
    if found.value is None:
        return found.notes[0] if found.notes else ""
    lowest = found.interval.low if found.interval else found.value
    if lowest >= RELIABLE:
        return "reliable"
    return "tentative" if lowest >= TENTATIVE else "do not build on this question"


def _alphas(distinct: np.ndarray, weights: np.ndarray, level: str, values: np.ndarray) -> Any:
    """One alpha for each row of weights. A draw in which nothing disagrees counts as 1."""
    import numpy as np  # noqa: PLC0415

    totals = weights @ distinct
    n = totals.sum(axis=1)
    pairs = distinct[:, :, None] * distinct[:, None, :] - np.einsum("uc,ck->uck", distinct, np.eye(len(values)))
    coincidences = pairs / (distinct.sum(axis=1) - 1)[:, None, None]
    by_draw = np.tensordot(weights, coincidences, axes=1)
    apart = _ordinal(totals) if level == "ordinal" else _distances(level, values)[None]
    observed = (by_draw * apart).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * apart).sum(axis=(1, 2)) / (n - 1)
    varied = expected > 0
    return np.where(varied, 1 - observed / np.where(varied, expected, 1), 1.0)


def _distances(level: str, values: np.ndarray) -> np.ndarray:
    import numpy as np  # noqa: PLC0415

    size = len(values)
    if level == "nominal":
        return np.asarray(1 - np.eye(size))
    apart: np.ndarray = np.subtract.outer(values, values) ** 2
    if level == "interval":
        return apart
    sums = np.add.outer(values, values) ** 2
    return np.asarray(np.divide(apart, sums, out=np.zeros((size, size)), where=sums > 0))


def _ordinal(totals: np.ndarray) -> np.ndarray:
    """(Σ of the totals from c to k − half of both ends)², for each draw."""
    import numpy as np  # noqa: PLC0415

    upto = np.cumsum(totals, axis=1)
    before = upto - totals
    between = np.abs(upto[:, None, :] - before[:, :, None])
    low = np.arange(totals.shape[1])
    upper = low[:, None] <= low[None, :]
    span = np.where(upper[None], between, np.swapaxes(between, 1, 2))
    result: np.ndarray = (span - (totals[:, :, None] + totals[:, None, :]) / 2) ** 2
    return result * (1 - np.eye(totals.shape[1]))[None]
