"""Metrics of retrieval: what was found, in order, against what is relevant.

The output is a JSON array or one item a line; items may be texts, numbers or objects with an `id`. The expected value
is the list of relevant items. An item found twice is found once, at its first place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evals.metrics.json_values import as_json, listed
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.types import Json, Metric, Outcome, Score, Scorer, param
from llmops.common.errors import Invalid

Found = Sequence[str]


@dataclass(frozen=True, slots=True)
class AtK:
    k: int | None = param(None, "only the first k items found count; without it, all")


@dataclass(frozen=True, slots=True)
class Precision(AtK):
    by: str = param("found", "divide by the items found (at most k), or always by k", choices=("found", "k"))


def precision(found: Found, relevant: set[str], k: int | None, *, by_k: bool = False) -> float:
    """Relevant items found / items found; with nothing found 0."""
    looked = found[:k]
    size = k if by_k and k is not None else len(looked)
    return len(relevant.intersection(looked)) / size if size else 0.0


def recall(found: Found, relevant: set[str], k: int | None) -> float:
    """Relevant items found / relevant items; with nothing relevant, 1 if nothing was found."""
    looked = found[:k]
    return len(relevant.intersection(looked)) / len(relevant) if relevant else float(not looked)


def f1(found: Found, relevant: set[str], k: int | None) -> float:
    """Harmonic mean of precision and recall; 1 if nothing is relevant and nothing was found."""
    if not relevant and not found[:k]:
        return 1.0
    first, second = precision(found, relevant, k), recall(found, relevant, k)
    return 2 * first * second / (first + second) if first + second else 0.0


def hit_rate(found: Found, relevant: set[str], k: int | None) -> float:
    """1 when a relevant item was found."""
    return float(not relevant.isdisjoint(found[:k]))


def reciprocal_rank(found: Found, relevant: set[str], k: int | None) -> float:
    """1 / the place of the first relevant item, counted from 1; 0 without one. Its mean is MRR (Voorhees 1999)."""
    place = next((place for place, item in enumerate(found[:k], start=1) if item in relevant), None)
    return 1 / place if place else 0.0


def ndcg(found: Found, relevant: set[str], k: int | None) -> float:
    """Discounted gain / the best possible one, with gain 1 and discount log₂(place + 1) (Järvelin, Kekäläinen 2002).

    The best possible one has all relevant items first, k of them at most. With nothing relevant, 1 if nothing
    was found.
    """
    looked = found[:k]
    if not relevant:
        return float(not looked)
    left, gain = set(relevant), 0.0
    for place, item in enumerate(looked, start=1):
        if item in left:
            left.remove(item)
            gain += 1 / math.log2(place + 1)
    most = len(relevant) if k is None else min(k, len(relevant))
    return gain / sum(1 / math.log2(place + 1) for place in range(1, most + 1))


def builder(measure: Callable[..., float]) -> Callable[[Any], Scorer]:
    def build(params: AtK) -> Scorer:
        if params.k is not None and params.k < 1:
            raise Invalid("The number of items is too small.", fields={"params.k": "must be 1 or more"})
        options: dict[str, bool] = {}
        if isinstance(params, Precision) and params.by == "k":
            if params.k is None:
                raise Invalid("There is no k to divide by.", fields={"params.k": "required"})
            options["by_k"] = True

        def score(output: str, expected: Json) -> Outcome:
            if expected is None:
                return NOTHING_EXPECTED
            found, relevant = items(output), set(items(expected))
            value = measure(found, relevant, params.k, **options)
            hits = len(relevant.intersection(found[: params.k]))
            return Score(value, None, f"{hits} of {len(relevant)} relevant items among {len(found[: params.k])}")

        return score

    return build


def items(value: Json) -> list[str]:
    """The items as texts; of an object its `id` counts, else all of it."""
    read = as_json(value) if isinstance(value, str) else value
    if isinstance(read, list):
        read = [item["id"] if isinstance(item, dict) and "id" in item else item for item in read]
        return listed(read)
    return listed(value)


def _metric(name: str, meaning: str, measure: Callable[..., float], params: type[Any] = AtK) -> Metric:
    return Metric(name, meaning, params, builder(measure), pass_fail=False, family="retrieval")


METRICS = (
    _metric("precision_at_k", "share of the found items that are relevant", precision, Precision),
    _metric("recall_at_k", "share of the relevant items that were found", recall),
    _metric("f1_at_k", "harmonic mean of precision and recall", f1),
    _metric("hit_rate_at_k", "1 when a relevant item was found", hit_rate),
    _metric("mrr_at_k", "1 by the place of the first relevant item", reciprocal_rank),
    _metric("ndcg_at_k", "gain by place, against the best order", ndcg),
)
