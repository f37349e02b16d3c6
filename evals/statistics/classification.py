"""Labels against labels: accuracy, precision, recall, F, and the confusion matrix.

Pure functions over two lists of labels of equal length. Checked against scikit-learn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares between 0 and 1; `support` is the number of expected labels behind them."""

    precision: float
    recall: float
    f: float
    support: int


@dataclass(frozen=True, slots=True)
class OfLabel:
    """One label's figures."""

    label: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Report:
    """How well outputs name the expected labels.

    `labels` are in order; `matrix[i][j]` counts outputs of label j where label i was expected. `macro` is the plain
    mean over labels, `weighted` the mean by support, `micro` counts all decisions alike: with one label an example it
    equals the accuracy.
    """

    n: int
    accuracy: float | None
    balanced_accuracy: float | None
    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    by_label: tuple[OfLabel, ...]
    macro: Figures
    micro: Figures
    weighted: Figures

    def of(self, label: str) -> Figures:
        """:raises KeyError: for a label that nobody expected or gave."""
        for one in self.by_label:
            if one.label == label:
                return one.figures
        raise KeyError(label)


def report(
    expected: Sequence[str],
    given: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    beta: float = 1.0,
    zero_division: float = 0.0,
) -> Report:
    """The report of outputs `given` where `expected` was right.

    :param labels: which labels are told apart, in this order; without it all that occur, sorted. What is outside of
        them counts in the accuracy, and as a miss of what was expected.
    :param beta: how many times recall counts as much as precision in F (van Rijsbergen 1979).
    :param zero_division: the value of a share of nothing.
    :raises ValueError: for lists of different lengths, a label named twice, or a beta that is not positive.
    """
    if len(expected) != len(given):
        raise ValueError(f"{len(expected)} expected labels and {len(given)} given ones")
    if not beta > 0 or not math.isfinite(beta):
        raise ValueError("beta must be positive")
    names = tuple(sorted(set(expected) | set(given))) if labels is None else tuple(labels)
    if len(set(names)) != len(names):
        raise ValueError("a label is named twice")
    pairs = Counter(zip(expected, given, strict=True))
    wanted, got = Counter(expected), Counter(given)
    n, right = len(expected), sum(count for (one, other), count in pairs.items() if one == other)
    by_label = tuple(
        OfLabel(name, _figures(pairs[name, name], got[name], wanted[name], beta, zero_division)) for name in names
    )
    hits = sum(pairs[name, name] for name in names)
    micro = _figures(hits, sum(got[name] for name in names), sum(wanted[name] for name in names), beta, zero_division)
    recalls = [one.figures.recall for one in by_label if one.figures.support]
    return Report(
        n=n,
        accuracy=right / n if n else None,
        balanced_accuracy=math.fsum(recalls) / len(recalls) if recalls else None,
        labels=names,
        matrix=tuple(tuple(pairs[row, column] for column in names) for row in names),
        by_label=by_label,
        macro=_mean(by_label, lambda one: 1.0, zero_division),
        micro=micro,
        weighted=_mean(by_label, lambda one: float(one.support), zero_division),
    )


def _figures(hits: int, given: int, wanted: int, beta: float, nothing: float) -> Figures:
    square = beta * beta
    both = square * wanted + given
    return Figures(
        precision=hits / given if given else nothing,
        recall=hits / wanted if wanted else nothing,
        f=(1 + square) * hits / both if both else nothing,
        support=wanted,
    )


def _mean(by_label: Sequence[OfLabel], weigh: Callable[[Figures], float], nothing: float) -> Figures:
    """The mean of each figure by the weights; `nothing` where no label has weight."""
    found = [one.figures for one in by_label]
    weights = [weigh(one) for one in found]
    total = math.fsum(weights)

    def mean(read: Callable[[Figures], float]) -> float:
        if not total:
            return nothing
        return math.fsum(weight * read(one) for weight, one in zip(weights, found, strict=True)) / total

    return Figures(
        mean(lambda one: one.precision),
        mean(lambda one: one.recall),
        mean(lambda one: one.f),
        sum(one.support for one in found),
    )
