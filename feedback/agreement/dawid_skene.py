"""Dawid and Skene's estimate of what is true from labels of people who err each in their own way."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SOURCE = "Dawid & Skene 1979"
MOST_ROUNDS = 500
ENOUGH = 1e-8
SURE = 0.9
FEWEST_PER_ITEM = 3
FEWEST_PER_LABELER = 20


@dataclass(frozen=True, slots=True)
class Estimated:
    """`labels` by item, None where the estimate is refused; `posterior` the probability of each class, `confusion` by
    labeler the probability of each label (columns) when a class (rows) is true. `reasons` say why it is refused."""

    labels: dict[Hashable, Hashable | None]
    posterior: dict[Hashable, tuple[float, ...]]
    prior: tuple[float, ...]
    confusion: dict[Hashable, tuple[tuple[float, ...], ...]]
    log_likelihood: float
    rounds: int
    converged: bool
    reasons: tuple[str, ...] = ()
    method: str = "Dawid–Skene"
    source: str = SOURCE


def estimate(
    item: Sequence[Hashable],
    labeler: Sequence[Hashable],
    label: Sequence[Hashable],
    classes: Sequence[Hashable],
    *,
    smoothing: float = 0.01,
    demand: bool = True,
) -> Estimated:
    """From triples (item, labeler, label) by EM, from soft and from hard majorities, the likelier of both.

    With `demand`, too few labels, people who contradict each other and no convergence are reasons to write no labels.

    :raises ValueError: for no triples, or a label that is no class.
    """
    import numpy as np  # noqa: PLC0415

    if not item:
        raise ValueError("no labels")
    items, people, places = list(dict.fromkeys(item)), list(dict.fromkeys(labeler)), list(classes)
    index = [{name: n for n, name in enumerate(names)} for names in (items, people, places)]
    if unknown := set(label) - set(places):
        raise ValueError(f"{sorted(map(str, unknown))[0]!r} is no class")
    triples = tuple(
        np.asarray([names[one] for one in column]) for names, column in zip(index, (item, labeler, label), strict=True)
    )
    sizes = len(items), len(people), len(places)
    votes = np.zeros((sizes[0], sizes[2]))
    np.add.at(votes, (triples[0], triples[2]), 1)
    starts = [votes / votes.sum(axis=1, keepdims=True), np.eye(sizes[2])[votes.argmax(axis=1)]]
    best = max((_fitted(triples, sizes, start, smoothing) for start in starts), key=lambda found: found[3])
    truth, prior, confusion, likelihood, rounds, converged = best
    reasons = _reasons(triples, sizes, truth, converged) if demand else ()
    chosen = [None if reasons else places[place] for place in truth.argmax(axis=1)]
    return Estimated(
        labels=dict(zip(items, chosen, strict=True)),
        posterior={name: tuple(map(float, row)) for name, row in zip(items, truth, strict=True)},
        prior=tuple(map(float, prior)),
        confusion={name: tuple(tuple(map(float, row)) for row in confusion[n]) for n, name in enumerate(people)},
        log_likelihood=float(likelihood),
        rounds=rounds,
        converged=converged,
        reasons=reasons,
    )


def _fitted(triples: Any, sizes: tuple[int, int, int], start: np.ndarray, smoothing: float) -> Any:
    import numpy as np  # noqa: PLC0415

    item, person, label = triples
    truth, last, converged, rounds = start, -np.inf, False, 0
    while rounds < MOST_ROUNDS and not converged:
        rounds += 1
        prior = (truth.sum(axis=0) + smoothing) / (sizes[0] + sizes[2] * smoothing)
        counts = np.full((sizes[1], sizes[2], sizes[2]), smoothing)
        np.add.at(counts, (person, slice(None), label), truth[item])  # type: ignore[arg-type]  # NumPy's stubs know no slices here
        totals = counts.sum(axis=2, keepdims=True)
        confusion = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
        with np.errstate(divide="ignore"):
            logs = np.tile(np.log(prior), (sizes[0], 1))
            np.add.at(logs, item, np.log(confusion)[person, :, label])
        top = logs.max(axis=1, keepdims=True)
        weights = np.exp(logs - top)
        likelihood = float((top[:, 0] + np.log(weights.sum(axis=1))).sum())
        truth = weights / weights.sum(axis=1, keepdims=True)
        converged = likelihood - last < ENOUGH * abs(likelihood)
        last = likelihood
    return truth, prior, confusion, likelihood, rounds, converged


def _reasons(triples: Any, sizes: tuple[int, int, int], truth: np.ndarray, converged: bool) -> tuple[str, ...]:
    import numpy as np  # noqa: PLC0415
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    item, _, label = triples
    found = [] if converged else ["not converged"]
    if np.bincount(item).min() < FEWEST_PER_ITEM:
        found.append(f"an item has fewer than {FEWEST_PER_ITEM} labels")
    pooled = np.zeros((sizes[2], sizes[2]))
    np.add.at(pooled.T, label, truth[item])
    rows, columns = linear_sum_assignment(-pooled)
    totals = pooled.sum(axis=1)
    diagonal = np.divide(np.diag(pooled), totals, out=np.ones(sizes[2]), where=totals > 0)
    if (rows != columns).any() or diagonal.min() < 0.5:
        found.append("labelers disagree too much to estimate")
    return tuple(found)
