"""Agreement of a judge with people: confusion table, kappa, AC1, MCC, and the rates of being right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evals.statistics import rates, resampling
from evals.statistics.types import Estimate, Interval

if TYPE_CHECKING:
    import numpy as np

KAPPA_SOURCE = "Cohen 1960; Cohen 1968"
AC1_SOURCE = "Gwet 2008; Gwet 2014"
MCC_SOURCE = "Matthews 1975"
RESAMPLES = 9_999
ITEM_RESAMPLES = 1_999
FEWEST_ITEMS, ENOUGH_OF_A_CLASS, ENOUGH_GROUPS = 10, 20, 30
WEIGHTS = ("identity", "linear", "quadratic")


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows are people's labels, columns the judge's verdicts, both in the order of `classes`.

    `no_verdict` counts, by people's label, the answers of the judge that could not be read: they are wrong in every
    rate. For two classes the first one is the positive one; `tpr`, `tnr` and `mcc` are None for any other number.
    """

    classes: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    no_verdict: tuple[int, ...]
    tpr: Estimate | None
    tnr: Estimate | None
    mcc: float | None
    method: str = "confusion table"
    source: str = "Wilson 1927; Matthews 1975"
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return sum(map(sum, self.table)) + sum(self.no_verdict)

    @property
    def labels(self) -> tuple[int, ...]:
        """How many labels of people each class has."""
        return tuple(sum(row) + lost for row, lost in zip(self.table, self.no_verdict, strict=True))

    @property
    def agreeing(self) -> int:
        return sum(row[place] for place, row in enumerate(self.table))


def confusion(human: Sequence[str], judge: Sequence[str | None], classes: Sequence[str]) -> Confusion:
    """Count labels against verdicts, item by item; None is an answer without a readable verdict.

    :raises ValueError: for a label or a verdict that is no class, or lists of different length.
    """
    places = {name: place for place, name in enumerate(classes)}
    table = [[0] * len(classes) for _ in classes]
    lost = [0] * len(classes)
    for label, verdict in zip(human, judge, strict=True):
        if label not in places or (verdict is not None and verdict not in places):
            raise ValueError(f"{label!r} or {verdict!r} is none of {', '.join(classes)}")
        if verdict is None:
            lost[places[label]] += 1
        else:
            table[places[label]][places[verdict]] += 1
    return of_table(table, classes, lost)


def of_table(
    table: Sequence[Sequence[int]], classes: Sequence[str], no_verdict: Sequence[int] | None = None
) -> Confusion:
    """The same from counts."""
    lost = tuple(no_verdict or [0] * len(classes))
    rows = tuple(tuple(row) for row in table)
    labels = [sum(row) + gone for row, gone in zip(rows, lost, strict=True)]
    notes = tuple(
        f"too few “{name}” examples ({count}) to know" for name, count in zip(classes, labels, strict=True)
        if count < ENOUGH_OF_A_CLASS
    )  # fmt: skip
    if len(rows) != 2:
        return Confusion(tuple(classes), rows, lost, None, None, None, notes=notes)
    (tp, _), (_, tn) = rows
    return Confusion(
        tuple(classes), rows, lost, _rate(tp, labels[0]), _rate(tn, labels[1]), mcc(_with_lost(rows, lost)), notes=notes
    )


def mcc(table: Sequence[Sequence[float]]) -> float | None:
    """Matthews' correlation of a 2 × 2 table; None where a margin is empty."""
    (tp, fn), (fp, tn) = table
    margins = (tp + fn) * (fp + tn) * (tp + fp) * (fn + tn)
    return (tp * tn - fp * fn) / math.sqrt(margins) if margins > 0 else None


def mcc_interval(
    found: Confusion, seed: int, *, groups: Sequence[Confusion] | None = None, level: float = 0.95
) -> Interval | None:
    """Percentile bootstrap of the table, or of its `groups`; a resample without the coefficient counts as 0."""
    if len(found.table) != 2 or found.mcc is None or (groups is not None and len(groups) < 2):
        return None
    if groups is None:
        drawn = resampling.of_items(_with_lost(found.table, found.no_verdict), seed, RESAMPLES)
    else:
        parts = [_with_lost(one.table, one.no_verdict) for one in groups]
        drawn = resampling.of_groups(parts, seed, RESAMPLES)
    tp, fn, fp, tn = (drawn[:, row, column] for row in (0, 1) for column in (0, 1))
    margins = (tp + fn) * (fp + tn) * (tp + fp) * (fn + tn)
    return _percentiles(_divided(tp * tn - fp * fn, margins**0.5), level)


def kappa(
    table: Sequence[Sequence[float]],
    weights: str = "identity",
    seed: int = 0,
    *,
    no_verdict: Sequence[float] | None = None,
    groups: Sequence[Confusion] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Cohen's kappa with the percentile bootstrap of the table's counts, or of its `groups`.

    `weights` is one of `WEIGHTS`; unreadable verdicts agree with nothing. Where everyone used one answer there is no
    kappa. `groups` are the tables of documents, which add up to this one; below 30 the interval is too narrow.
    """
    counts, matrix = _prepared(table, weights, no_verdict)
    n = int(counts.sum())
    name = "kappa" if weights == "identity" else f"kappa, {weights} weights"
    if n == 0:
        return Estimate(None, None, 0, method=name, source=KAPPA_SOURCE, notes=("no labels",))
    value, certain = _kappas(counts[None], matrix)
    if certain[0]:
        return Estimate(None, None, n, units=n, method=name, source=KAPPA_SOURCE, notes=("everyone used one answer",))
    notes: tuple[str, ...] = (f"{RESAMPLES:,} resamples",)
    if groups is None:
        drawn, units = resampling.of_items(counts, seed, RESAMPLES), n
    else:
        units, notes = len(groups), _group_notes(len(groups))
        if units < 2:
            return Estimate(float(value[0]), None, n, units=units, method=name, source=KAPPA_SOURCE, notes=notes)
        lost = None if no_verdict is None or not any(no_verdict) else no_verdict
        parts = [_prepared(one.table, weights, lost and one.no_verdict, padded=bool(lost))[0] for one in groups]
        drawn = resampling.of_groups(parts, seed, RESAMPLES)
    interval = _percentiles(_kappas(drawn, matrix)[0], level)
    return Estimate(float(value[0]), interval, n, float(n), units, method=name, source=KAPPA_SOURCE, notes=notes)


def kappa_error(table: Sequence[Sequence[float]], weights: str = "identity") -> float | None:
    """Kappa's standard error for large samples (Fleiss, Cohen, Everitt 1969); None where there is no kappa."""
    counts, matrix = _prepared(table, weights, None)
    n = float(counts.sum())
    share = counts / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    expected = float(rows @ matrix @ columns)
    if expected >= 1:
        return None
    value = (float((matrix * share).sum()) - expected) / (1 - expected)
    u, v = matrix @ columns, matrix.T @ rows
    spread = float((share * (matrix - (u[:, None] + v[None, :]) * (1 - value)) ** 2).sum())
    return math.sqrt(max(spread - (value - expected * (1 - value)) ** 2, 0) / (n * (1 - expected) ** 2))


def pair_counts(table: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The items of a table of two annotators as counts by category, for `gwet_ac1`."""
    size = len(table)
    items = []
    for row in range(size):
        for column in range(size):
            counts = [0] * size
            counts[row] += 1
            counts[column] += 1
            items += [tuple(counts)] * table[row][column]
    return items


def gwet_ac1(
    counts: Sequence[Sequence[float]], categories: int | None = None, seed: int = 0, *, level: float = 0.95
) -> Estimate:
    """Gwet's AC1: chance-corrected agreement that stays sensible when one category dominates.

    `counts` has a row for each item: how many annotators chose each category. Items with fewer than two annotations
    only count for the shares of categories, of which there are `categories`.
    """
    import numpy as np  # noqa: PLC0415

    items = np.asarray([row for row in counts if sum(row) > 0], dtype=float)
    known = categories or (items.shape[1] if len(items) else 0)
    n = len(items)
    if n == 0 or not (items.sum(axis=1) >= 2).any() or known < 2:
        return Estimate(None, None, n, method="AC1", source=AC1_SOURCE, notes=("no item has two annotations",))
    distinct, repeats = np.unique(items, axis=0, return_counts=True)
    value = float(_ac1(distinct, repeats[None], known)[0])
    interval = None
    if n >= FEWEST_ITEMS:
        drawn = np.random.default_rng(seed).multinomial(n, repeats / n, size=ITEM_RESAMPLES)
        interval = _percentiles(_ac1(distinct, drawn, known), level)
    return Estimate(value, interval, n, float(n), n, method="AC1", source=AC1_SOURCE)


def ac1_error(counts: Sequence[Sequence[float]], categories: int | None = None) -> float | None:
    """AC1's standard error over items (Gwet 2014); None below two items."""
    import numpy as np  # noqa: PLC0415

    items = np.asarray([row for row in counts if sum(row) > 0], dtype=float)
    n = len(items)
    if n < 2:
        return None
    known = categories or items.shape[1]
    size = items.sum(axis=1)
    paired = size >= 2
    agreed = _divided((items * (items - 1)).sum(axis=1), size * (size - 1))
    shares = (items / size[:, None]).mean(axis=0)
    expected = float((shares * (1 - shares)).sum()) / (known - 1)
    value = (float(agreed[paired].mean()) - expected) / (1 - expected)
    own = np.where(paired, n / paired.sum() * (agreed - expected) / (1 - expected), 0.0)
    chance = (items @ (1 - shares)) / size / (known - 1)
    terms = own - 2 * (1 - value) * (chance - expected) / (1 - expected)
    return math.sqrt(float(((terms - value) ** 2).sum()) / (n * (n - 1)))


def _ac1(distinct: np.ndarray, weights: np.ndarray, categories: int) -> np.ndarray:
    """One value for each row of weights over the distinct items."""
    size = distinct.sum(axis=1)
    paired = (size >= 2).astype(float)
    agreed = _divided((distinct * (distinct - 1)).sum(axis=1), size * (size - 1))
    observed = _divided(weights @ (agreed * paired), weights @ paired)
    shares = weights @ (distinct / size[:, None]) / weights.sum(axis=1, keepdims=True)
    expected = (shares * (1 - shares)).sum(axis=1) / (categories - 1)
    result: np.ndarray = (observed - expected) / (1 - expected)
    return result


def _rate(k: int, n: int) -> Estimate:
    if n == 0:
        return Estimate(None, None, 0, method="Wilson", source="Wilson 1927", notes=("no labels",))
    return Estimate(k / n, rates.wilson(k, n), n, float(n), n, method="Wilson", source="Wilson 1927")


def _with_lost(table: Sequence[Sequence[int]], lost: Sequence[int]) -> list[list[int]]:
    """A 2 × 2 table in which an unreadable verdict counts as the wrong one."""
    (tp, fn), (fp, tn) = table
    return [[tp, fn + lost[0]], [fp + lost[1], tn]]


def _group_notes(groups: int) -> tuple[str, ...]:
    few = () if groups >= ENOUGH_GROUPS else (f"only {groups} groups: the interval is too narrow",)
    return (f"{RESAMPLES:,} resamples of {groups:,} groups", *few) if groups > 1 else ("all labels are of one group",)


def _prepared(
    table: Sequence[Sequence[float]], weights: str, no_verdict: Sequence[float] | None, *, padded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and weights, both with a place for unreadable verdicts where there are any, or one is asked for."""
    import numpy as np  # noqa: PLC0415

    if weights not in WEIGHTS:
        raise ValueError(f"weights must be one of {', '.join(WEIGHTS)}")
    counts = np.asarray(table, dtype=float)
    size = len(counts)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / max(size - 1, 1)
    matrix = {"identity": np.eye(size), "linear": 1 - apart, "quadratic": 1 - apart**2}[weights]
    if padded or (no_verdict is not None and any(no_verdict)):
        counts = np.pad(np.column_stack([counts, np.asarray(no_verdict, dtype=float)]), ((0, 1), (0, 0)))
        matrix = np.pad(matrix, ((0, 1), (0, 1)))
        matrix[size, size] = 1
    return counts, matrix


def _kappas(tables: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kappa of each table, and whether chance alone agrees always, where kappa is 0 by rule."""
    import numpy as np  # noqa: PLC0415

    n = tables.sum(axis=(1, 2))
    share = tables / n[:, None, None]
    observed = (share * matrix).sum(axis=(1, 2))
    expected = np.einsum("bi,ij,bj->b", share.sum(axis=2), matrix, share.sum(axis=1))
    certain = expected >= 1 - 1e-12
    return _divided(observed - expected, np.where(certain, 0.0, 1 - expected)), certain


def _divided(top: Any, bottom: Any) -> np.ndarray:
    """0 where nothing can be divided."""
    import numpy as np  # noqa: PLC0415

    out = np.zeros(np.broadcast(top, bottom).shape)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out


def _percentiles(values: np.ndarray, level: float) -> Interval:
    import numpy as np  # noqa: PLC0415

    low, high = np.quantile(values, [(1 - level) / 2, 1 - (1 - level) / 2])
    return Interval(float(low), float(high), level, "percentile bootstrap")
