"""Fleiss' kappa: chance-corrected agreement of equally many people per item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evals.statistics.types import Estimate
from feedback.agreement import resampling

if TYPE_CHECKING:
    import numpy as np

SOURCE = "Fleiss 1971"


def fleiss(counts: Sequence[Sequence[int]], seed: int = 0, *, level: float = 0.95) -> Estimate:
    """P_i = (Σ n_ij² − m) / (m (m − 1)), p_e = Σ p_j². Items need the same number of answers: alpha needs not.

    Where everyone gave the same answer, and where numbers differ, there is no value.
    """
    import numpy as np  # noqa: PLC0415

    items = np.asarray(counts, dtype=float)
    sizes = set(items.sum(axis=1).tolist()) if len(items) else set()
    if len(sizes) != 1 or min(sizes) < 2:
        notes = ("items have different numbers of answers: see alpha",) if len(sizes) > 1 else ("no pair of answers",)
        return Estimate(None, None, len(items), method="Fleiss' kappa", source=SOURCE, notes=notes)
    n = len(items)
    if (items.sum(axis=0) > 0).sum() == 1:
        return Estimate(None, None, n, method="Fleiss' kappa", source=SOURCE, notes=("everyone gave the same answer",))
    value = float(_kappas(*resampling.pattern(items))[0])
    found = resampling.interval(items, _kappas, seed, level)
    return Estimate(value, found, n, float(n), n, method="Fleiss' kappa", source=SOURCE)


def randolph(counts: Sequence[Sequence[int]]) -> Estimate:
    """Randolph's free-marginal kappa (2005): Fleiss' with p_e = 1 / K. Named only, no interval."""
    import numpy as np  # noqa: PLC0415

    items = np.asarray([row for row in counts if sum(row) >= 2], dtype=float)
    size = items.sum(axis=1)
    observed = float(((items * (items - 1)).sum(axis=1) / (size * (size - 1))).mean())
    chance = 1 / items.shape[1]
    value = (observed - chance) / (1 - chance)
    return Estimate(value, None, len(items), method="Randolph's kappa", source="Randolph 2005")


def _kappas(distinct: np.ndarray, weights: np.ndarray) -> Any:
    """A draw without variety counts as perfect agreement."""
    import numpy as np  # noqa: PLC0415

    m = distinct.sum(axis=1)[0]
    agreed = ((distinct**2).sum(axis=1) - m) / (m * (m - 1))
    observed = weights @ agreed / weights.sum(axis=1)
    shares = weights @ distinct / (weights.sum(axis=1, keepdims=True) * m)
    expected = (shares**2).sum(axis=1)
    varied = expected < 1 - 1e-12
    return np.where(varied, (observed - expected) / np.where(varied, 1 - expected, 1), 1.0)
