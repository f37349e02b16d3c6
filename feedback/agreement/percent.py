"""Plain agreement, and agreement of each two people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from evals.statistics import agreement
from evals.statistics.types import Estimate
from feedback.agreement import resampling

if TYPE_CHECKING:
    import numpy as np

Answer = Hashable


def counted(items: Iterable[Iterable[Answer]], values: Sequence[Answer]) -> list[list[int]]:
    """A row for each item and in it how many people gave each of `values`; None is no answer.

    :raises ValueError: for an answer that is none of the values.
    """
    places = {value: place for place, value in enumerate(values)}
    rows = []
    for answers in items:
        row = [0] * len(values)
        for answer in answers:
            if answer is None:
                continue
            if answer not in places:
                raise ValueError(f"{answer!r} is none of the values")
            row[places[answer]] += 1
        rows.append(row)
    return rows


def percent(counts: Sequence[Sequence[int]], seed: int = 0, *, level: float = 0.95) -> Estimate:
    """The share of agreeing pairs, averaged over items with two answers or more."""
    import numpy as np  # noqa: PLC0415

    items = np.asarray([row for row in counts if sum(row) >= 2], dtype=float)
    n = len(items)
    if n == 0:
        return Estimate(None, None, 0, method="percent", notes=("no item has two answers",))
    value = float(_shares(*resampling.pattern(items))[0])
    found = resampling.interval(items, _shares, seed, level)
    return Estimate(value, found, n, float(n), n, method="percent", source="share of agreeing pairs")


def cohen(
    pairs_of_answers: Sequence[tuple[Answer, Answer]], values: Sequence[Answer], level: str = "nominal"
) -> Estimate:
    """Cohen's kappa of two people over the items that both answered; quadratic weights on a scale.

    One item has no interval: drawing it again says nothing.
    """
    places = {value: place for place, value in enumerate(values)}
    table = [[0] * len(values) for _ in values]
    for first, second in pairs_of_answers:
        table[places[first]][places[second]] += 1
    found = agreement.kappa(table, "identity" if level == "nominal" else "quadratic")
    return found if len(pairs_of_answers) > 1 else replace(found, interval=None)


def pairs(
    answers: Iterable[Mapping[int, Answer]],
) -> dict[tuple[int, int], list[tuple[Answer, Answer]]]:
    """By pair of people: what both answered. Each item is a mapping of person to answer."""
    found: dict[tuple[int, int], list[tuple[Answer, Answer]]] = defaultdict(list)
    for item in answers:
        for first, second in combinations(sorted(item), 2):
            found[first, second].append((item[first], item[second]))
    return dict(found)


def _shares(distinct: np.ndarray, weights: np.ndarray) -> Any:
    size = distinct.sum(axis=1)
    agreed = (distinct * (distinct - 1)).sum(axis=1) / (size * (size - 1))
    return weights @ agreed / weights.sum(axis=1)
