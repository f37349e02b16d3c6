"""Metrics of how alike two texts are, by words and by characters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

from evals.metrics import texts
from evals.metrics.grading import best_of
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.types import Json, Metric, NoParams, Outcome, Scorer, Unscored, param, shown, verdict
from llmops.common.errors import Invalid

MOST_FOR_NGRAMS = 20_000


@dataclass(frozen=True, slots=True)
class TokenF1:
    extract: str | None = param(None, "pattern (re2); its last match's first group is compared instead of the output")


@dataclass(frozen=True, slots=True)
class Similarity(TokenF1):
    normalizer: str = param("none", "how both sides are made comparable", choices=tuple(texts.NORMALIZERS))


@dataclass(frozen=True, slots=True)
class WithinEdits:
    at_most: int = param(5, "the most edits that are still right")


@dataclass(frozen=True, slots=True)
class Ngrams:
    method: str = param("ngrams", "how meaning is compared; `ngrams` asks no model", choices=("ngrams",))
    shortest: int = param(3, "characters of the shortest n-grams, 1 to 5")
    longest: int = param(5, "characters of the longest n-grams, at most 8")


def token_f1(params: TokenF1) -> Scorer:
    """Harmonic mean of precision and recall over words, as the official SQuAD script computes it (Rajpurkar 2016)."""
    return best_of(f1, extract=params.extract)


def levenshtein(params: Similarity) -> Scorer:
    """1 − edits / length of the longer text (Levenshtein 1966); two empty texts are equal."""
    normal = texts.NORMALIZERS[params.normalizer]

    def similarity(output: str, wanted: str) -> float:
        return Levenshtein.normalized_similarity(normal(output), normal(wanted))

    return best_of(similarity, extract=params.extract)


def levenshtein_distance(params: Similarity) -> Scorer:
    """The number of inserted, deleted and replaced characters."""
    normal = texts.NORMALIZERS[params.normalizer]

    def distance(output: str, wanted: str) -> float:
        return float(Levenshtein.distance(normal(output), normal(wanted)))

    return best_of(distance, extract=params.extract, lowest=True, named="{value:.0f} edits from {text}")


def within_edits(params: WithinEdits) -> Scorer:
    """Right when at most so many edits lead to the expected text: what promptfoo calls levenshtein."""
    if params.at_most < 0:
        raise Invalid("The number is negative.", fields={"params.at_most": "must not be negative"})
    nearest = levenshtein_distance(Similarity())

    def score(output: str, expected: Json) -> Outcome:
        found = nearest(output, expected)
        if isinstance(found, Unscored):
            return found
        edits = int(found.value)
        return verdict(edits <= params.at_most, found.reason, f"{found.reason}; at most {params.at_most} are right")

    return score


def fuzzy_match(params: Any) -> Scorer:
    """Right when one text holds the other after SQuAD normalisation: what OpenAI's evals call fuzzy match."""

    def score(output: str, expected: Json) -> Outcome:
        wanted = texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        got = texts.squad(output)
        gold = [texts.squad(item) for item in wanted]
        same = any(got == item if not got or not item else got in item or item in got for item in gold)
        return verdict(same, "one holds the other", f"neither holds the other: {shown(output)}, {shown(wanted[0])}")

    return score


def f1(output: str, wanted: str) -> float:
    """Token F1 of two texts after SQuAD normalisation; with no words on a side, 1 if both have none."""
    got, gold = texts.squad(output).split(), texts.squad(wanted).split()
    if not got or not gold:
        return float(got == gold)
    common = (Counter(got) & Counter(gold)).total()
    if not common:
        return 0.0
    precision, recall = common / len(got), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def jaccard(output: str, wanted: str) -> float:
    """Words in both / words in either, without case (Jaccard 1901); two texts without words are equal."""
    got, gold = set(texts.words(output.casefold())), set(texts.words(wanted.casefold()))
    return len(got & gold) / len(got | gold) if got or gold else 1.0


def character_edits(output: str, wanted: str) -> tuple[int, int]:
    """Edits between the texts with single spaces, and the expected text's length: parts of the character error rate."""
    reference = " ".join(wanted.split())
    return Levenshtein.distance(" ".join(output.split()), reference), len(reference)


def word_edits(output: str, wanted: str) -> tuple[int, int]:
    """Edits between the words, which spaces separate, and the number of expected words."""
    reference = wanted.split()
    return Levenshtein.distance(output.split(), reference), len(reference)


def error_rate(edits: Callable[[str, str], tuple[int, int]], pairs: Iterable[tuple[str, str]]) -> float:
    """Edits of all pairs / expected length of all pairs, which weighs long texts more than a mean of rates does.

    Against nothing expected, each character or word too many counts as one whole.
    """
    done = [edits(output, wanted) for output, wanted in pairs]
    return sum(count for count, _ in done) / max(1, sum(length for _, length in done))


def rate(edits: Callable[[str, str], tuple[int, int]], what: str) -> Callable[[Any], Scorer]:
    """The error rate of one output (Levenshtein distance / expected length); it can exceed 1."""

    def build(params: Any) -> Scorer:
        named = "{value:.3g} wrong " + what + " for each of {text}"
        return best_of(lambda output, wanted: error_rate(edits, [(output, wanted)]), lowest=True, named=named)

    return build


def similar(params: Ngrams) -> Scorer:
    """Cosine of the texts' character n-grams, weighed by TF-IDF over the two texts; the reason names the method."""
    if not 1 <= params.shortest <= 5 or not params.shortest <= params.longest <= 8:
        raise Invalid(
            "These n-grams are not possible.", fields={"params.longest": "1 ≤ shortest ≤ 5, shortest ≤ longest ≤ 8"}
        )

    def alike(output: str, wanted: str) -> float:
        return by_ngrams(output, wanted, params.shortest, params.longest)

    named = "{value:.0%} like {text} by character n-grams (TF-IDF cosine); no model was asked"
    return best_of(alike, most=MOST_FOR_NGRAMS, named=named)


def by_ngrams(output: str, wanted: str, shortest: int = 3, longest: int = 5) -> float:
    """Cosine of the texts' character n-grams by TF-IDF."""
    return cosine(ngrams(output, shortest, longest), ngrams(wanted, shortest, longest))


def ngrams(text: str, shortest: int, longest: int) -> Counter[str]:
    """Runs of characters inside words, each word with a space on either side, without case."""
    found: Counter[str] = Counter()
    for word in text.casefold().split():
        padded = f" {word} "
        for size in range(shortest, longest + 1):
            if size >= len(padded):  # a short word is one run, counted once
                found[padded] += 1
                break
            found.update(padded[start : start + size] for start in range(len(padded) - size + 1))
    return found


def cosine(left: Counter[str], right: Counter[str]) -> float:
    """Cosine of two bags by TF-IDF, where IDF is ln(3 / (1 + texts with the run)) + 1, as scikit-learn smooths it."""
    if not left or not right:
        return float(not left and not right)
    alone = math.log(3 / 2) + 1
    product = sum(count * right[run] for run, count in left.items() if run in right)
    sizes = [
        math.sqrt(sum((count if run in other else count * alone) ** 2 for run, count in one.items()))
        for one, other in ((left, right), (right, left))
    ]
    return min(1.0, product / (sizes[0] * sizes[1]))


METRICS = (
    Metric("token_f1", "share of words in common with the expected text", TokenF1, token_f1, pass_fail=False),
    Metric("levenshtein", "how few edits lead to the expected text", Similarity, levenshtein, pass_fail=False),
    Metric(
        "levenshtein_distance",
        "number of edits to the expected text",
        Similarity,
        levenshtein_distance,
        high=math.inf,
        higher_is_better=False,
        pass_fail=False,
        unit="edits",
    ),
    Metric("levenshtein_within", "at most so many edits lead to the expected text", WithinEdits, within_edits),
    Metric("fuzzy_match", "the output holds the expected text or is part of it", NoParams, fuzzy_match),
    Metric(
        "jaccard",
        "words in both texts by words in either",
        NoParams,
        lambda params: best_of(jaccard),
        pass_fail=False,
    ),
    Metric(
        "cer",
        "wrong characters by expected characters",
        NoParams,
        rate(character_edits, "characters"),
        high=math.inf,
        higher_is_better=False,
        pass_fail=False,
    ),
    Metric(
        "wer",
        "wrong words by expected words",
        NoParams,
        rate(word_edits, "words"),
        high=math.inf,
        higher_is_better=False,
        pass_fail=False,
    ),
    Metric("similar", "how alike the texts are by their n-grams", Ngrams, similar, pass_fail=False, family="meaning"),
)
