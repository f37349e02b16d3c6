"""Draws with replacement of what was drawn independently: single items of a table, or whole groups of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

AT_ONCE = 4_000_000  # numbers held while drawing: 32 MB


def of_items(table: Any, seed: int, resamples: int) -> np.ndarray:
    """Tables of the same total, each item drawn from the cells of this one."""
    import numpy as np  # noqa: PLC0415

    counts = np.asarray(table, dtype=float)
    n = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(n, counts.ravel() / n, size=resamples)
    return drawn.reshape(resamples, *counts.shape).astype(float)


def of_groups(parts: Any, seed: int, resamples: int) -> np.ndarray:
    """Sums over as many groups as there are, drawn with replacement; `parts` has an array for each group.

    The cluster bootstrap (Davison & Hinkley 1997, 3.8). Equal groups are drawn as one kind with its frequency.
    """
    import numpy as np  # noqa: PLC0415

    arrays = np.asarray(parts, dtype=float)
    groups, shape = len(arrays), arrays.shape[1:]
    kinds, times = np.unique(arrays.reshape(groups, -1), axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    step = max(1, AT_ONCE // len(kinds))
    found = [
        random.multinomial(groups, times / groups, size=min(step, resamples - start)) @ kinds
        for start in range(0, resamples, step)
    ]
    return np.concatenate(found).reshape(resamples, *shape)
