"""The one bootstrap of this package: items are drawn again, each with all its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from evals.statistics.types import Interval

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1_999
FEWEST_ITEMS = 10


def interval(items: np.ndarray, statistic: Callable[[Any, Any], Any], seed: int, level: float) -> Interval | None:
    """Percentile interval of `statistic(distinct rows, weights)`, which answers one value per row of weights.

    Equal rows are counted once, so that thousands of items cost no more than their distinct patterns.
    """
    import numpy as np  # noqa: PLC0415

    n = len(items)
    if n < FEWEST_ITEMS:
        return None
    distinct, repeats = np.unique(items, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(n, repeats / n, size=RESAMPLES).astype(float)
    low, high = np.quantile(statistic(distinct, drawn), [(1 - level) / 2, 1 - (1 - level) / 2])
    return Interval(float(low), float(high), level, "percentile bootstrap over items")


def pattern(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and how often each stands there as one row of weights."""
    import numpy as np  # noqa: PLC0415

    distinct, repeats = np.unique(items, axis=0, return_counts=True)
    return distinct, repeats[None].astype(float)
