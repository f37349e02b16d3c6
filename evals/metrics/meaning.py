"""Likeness of meaning by a model's embeddings. No call is made here: others ask for the vectors and hand them in."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evals.metrics import similarity, texts
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.types import Json, Metric, Outcome, Score, Scorer, Unscored, param, shown
from llmops.common.errors import Invalid

NGRAMS = "ngrams"
BY_EMBEDDINGS = "embeddings"
BY_NGRAMS = "character n-grams"
ASKS = "it compares embeddings of a model, which only a run asks for"
MOST_CHARACTERS = 30_000  # of one text; about what embedding models read
MOST_EXPECTED = 50
MOST_DIMENSIONS = 20_000

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class EmbeddingSimilarity:
    connection: str = param("", "whose embeddings; empty: the project's default connection")
    model: str = param("", "the embedding model; empty: the usual one of the connection's kind")
    dimensions: int | None = param(None, "length of the vectors, where the model offers shorter ones")
    floor: float = param(0.0, "the cosine that counts as 0, for models that find everything somewhat alike")
    fallback: str = param(
        "none", "what compares where the connection offers no embeddings", choices=("none", NGRAMS)
    )  # fmt: skip


class Embedder:
    """The metric with its parameters: which texts need vectors, and the score that the vectors give.

    :param finish: applies threshold and negation.
    """

    def __init__(self, params: EmbeddingSimilarity, finish: Callable[[Outcome], Outcome]) -> None:
        self.params = params
        self.finish = finish

    @property
    def has_fallback(self) -> bool:
        return self.params.fallback == NGRAMS

    def texts(self, output: str, expected: Json) -> tuple[str, ...] | Outcome:
        """The output and every expected text; or the outcome, where it is clear without vectors."""
        wanted = texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        if len(wanted) > MOST_EXPECTED:
            return Unscored(f"more than {MOST_EXPECTED} expected texts")
        if max(len(output), *(len(item) for item in wanted)) > MOST_CHARACTERS:
            return Unscored(f"a text is longer than {MOST_CHARACTERS:,} characters")
        said = [item for item in wanted if item.strip()]
        if not output.strip():  # models refuse empty texts
            return self.finish(Score(float(len(said) < len(wanted)), None, "the output is empty"))
        if not said:
            return self.finish(Score(0.0, None, "nothing but an empty output is expected"))
        return (output, *said)

    def score(self, compared: Sequence[str], vectors: Sequence[Vector], model: str) -> Outcome:
        """The best cosine of the first text's vector with the others', from `floor` (0) to 1."""
        first, *rest = vectors
        cosines = [cosine(first, other) for other in rest]
        known = [(value, item) for value, item in zip(cosines, compared[1:], strict=True) if value is not None]
        if not known:
            return Unscored(f"the vectors of {model} point nowhere")
        best, nearest = max(known)
        value = min(1.0, max(0.0, (best - self.params.floor) / (1 - self.params.floor)))
        reason = f"cosine {best:.3f} to {shown(nearest)} by embeddings of {model}"
        return self.finish(Score(value, None, reason, BY_EMBEDDINGS))

    def without(self, compared: Sequence[str]) -> Outcome | None:
        """The score where there are no embeddings; None when no other way was asked for."""
        if not self.has_fallback:
            return None
        output, *wanted = compared
        if max(map(len, compared)) > similarity.MOST_FOR_NGRAMS:
            return Unscored(f"a text is longer than {similarity.MOST_FOR_NGRAMS:,} characters")
        value, nearest = max((similarity.by_ngrams(output, item), item) for item in wanted)
        reason = f"{value:.0%} like {shown(nearest)} by {BY_NGRAMS} (TF-IDF): the connection offers no embeddings"
        return self.finish(Score(value, None, reason, BY_NGRAMS))


def cosine(left: Vector, right: Vector) -> float | None:
    """Cosine of the angle between two vectors of equal length; None where one of them has no direction.

    :raises ValueError: for vectors of different lengths.
    """
    if len(left) != len(right):
        raise ValueError(f"vectors of {len(left)} and {len(right)} places")
    sizes = math.hypot(*left) * math.hypot(*right)
    if not sizes:
        return None
    return max(-1.0, min(1.0, math.fsum(map(operator.mul, left, right)) / sizes))


def embedding_similarity(params: EmbeddingSimilarity) -> Scorer:
    """Says why it gives no score by itself; :raises Invalid: for parameters that cannot be."""
    if not 0 <= params.floor < 1:
        raise Invalid("The floor is not possible.", fields={"params.floor": "from 0 to below 1"})
    if params.dimensions is not None and not 1 <= params.dimensions <= MOST_DIMENSIONS:
        raise Invalid("The length is not possible.", fields={"params.dimensions": f"1 to {MOST_DIMENSIONS:,}"})

    def score(output: str, expected: Json) -> Outcome:
        return Unscored(ASKS)

    return score


def embedder(params: Any, finish: Callable[[Outcome], Outcome]) -> Embedder:
    """:raises Invalid: for parameters that cannot be."""
    embedding_similarity(params)
    return Embedder(params, finish)


METRICS = (
    Metric(
        "embedding_similarity",
        "how alike the meaning is, by a model's embeddings",
        EmbeddingSimilarity,
        embedding_similarity,
        pass_fail=False,
        family="meaning",
        asks_model=True,
    ),
)
