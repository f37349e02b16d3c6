"""ROUGE in the way of rouge_score 0.1.2: ASCII words without case; Porter's stemmer for words over 3 letters."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import LCSseq

from evals.metrics import texts
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.types import Json, Metric, Outcome, Score, Scorer, Unscored, param, shown

_NOT_WORD = re.compile(r"[^a-z0-9]+")
MAX_WORDS = 20_000
MAX_CELLS = 1_500_000  # of the tables behind ROUGE-Lsum: about half a second

Tokens = list[str]


@dataclass(frozen=True, slots=True)
class Rouge:
    measure: str = param("f1", "what the value is", choices=("f1", "precision", "recall"))
    stem: bool = param(False, "compare word stems (Porter's stemmer, English)")


@dataclass(frozen=True, slots=True)
class Overlap:
    """Shares between 0 and 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class TooLong(Exception):
    """The texts are too long for the table of common words."""


def tokens(text: str, *, stem: bool = False) -> Tokens:
    """Lower-case runs of a–z and 0–9; other scripts have none."""
    found = _NOT_WORD.sub(" ", text.lower()).split()
    return [_stem(word) if len(word) > 3 else word for word in found] if stem else found


def rouge_n(output: str, reference: str, n: int, *, stem: bool = False) -> Overlap:
    """N-grams in common (Lin 2004)."""
    got, gold = (_ngrams(tokens(text, stem=stem), n) for text in (output, reference))
    common = (got & gold).total()
    return Overlap(common / max(1, got.total()), common / max(1, gold.total()))


def rouge_l(output: str, reference: str, *, stem: bool = False) -> Overlap:
    """The longest common subsequence of words (Lin 2004)."""
    got, gold = tokens(output, stem=stem), tokens(reference, stem=stem)
    if not got or not gold:
        return Overlap(0.0, 0.0)
    common = LCSseq.similarity(got, gold)
    return Overlap(common / len(got), common / len(gold))


def rouge_lsum(output: str, reference: str, *, stem: bool = False) -> Overlap:
    """The union of common subsequences over sentences, which line ends separate (Lin 2004, 3.2).

    :raises TooLong: see MAX_CELLS.
    """
    got, gold = (_lines(text, stem) for text in (output, reference))
    sizes = [sum(map(len, lines)) for lines in (got, gold)]
    if not all(sizes):
        return Overlap(0.0, 0.0)
    if sizes[0] * sizes[1] > MAX_CELLS:
        raise TooLong
    left = [Counter(word for line in lines for word in line) for lines in (got, gold)]
    hits = 0
    for line in gold:
        places = set().union(*(_common_places(line, other) for other in got))
        for word in (line[place] for place in sorted(places)):
            if left[0][word] > 0 and left[1][word] > 0:
                hits += 1
                left[0][word] -= 1
                left[1][word] -= 1
    return Overlap(hits / sizes[0], hits / sizes[1])


def _lines(text: str, stem: bool) -> list[Tokens]:
    return [tokens(line, stem=stem) for line in text.split("\n") if line]


def _ngrams(words: Tokens, n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


def _common_places(reference: Tokens, output: Tokens) -> set[int]:
    """Where the words of one longest common subsequence stand in the reference; of several, rouge_score's choice."""
    table = [[0] * (len(output) + 1)]
    for word in reference:
        above, row = table[-1], [0]
        for column, other in enumerate(output, start=1):
            row.append(above[column - 1] + 1 if word == other else max(above[column], row[-1]))
        table.append(row)
    places, i, j = set(), len(reference), len(output)
    while i and j:
        if reference[i - 1] == output[j - 1]:
            places.add(i - 1)
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return places


@functools.lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word))


@functools.lru_cache(maxsize=1)
def _stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer  # noqa: PLC0415  (takes seconds to import)

    return PorterStemmer()


def builder(overlap: Callable[..., Overlap]) -> Callable[[Rouge], Scorer]:
    """The best value over the expected texts."""

    def build(params: Rouge) -> Scorer:
        def score(output: str, expected: Json) -> Outcome:
            wanted = texts.candidates(expected)
            if not wanted:
                return NOTHING_EXPECTED
            if _too_many_words([output, *wanted]):
                return Unscored(f"a text has more than {MAX_WORDS:,} words")
            try:
                found = [(overlap(output, item, stem=params.stem), item) for item in wanted]
            except TooLong:
                return Unscored("the texts are too long for this metric")
            value, (best, item) = max(
                ((float(getattr(pair[0], params.measure)), pair) for pair in found), key=lambda one: one[0]
            )
            return Score(
                value, None, f"precision {best.precision:.2f}, recall {best.recall:.2f} against {shown(item, 60)}"
            )

        return score

    return build


def _too_many_words(given: Sequence[str]) -> bool:
    return any(len(text) > MAX_WORDS and len(text.split()) > MAX_WORDS for text in given)


METRICS = (
    Metric(
        "rouge_1",
        "words in common with the expected text (ROUGE-1)",
        Rouge,
        builder(lambda output, wanted, stem: rouge_n(output, wanted, 1, stem=stem)),
        pass_fail=False,
    ),
    Metric(
        "rouge_2",
        "pairs of words in common (ROUGE-2)",
        Rouge,
        builder(lambda output, wanted, stem: rouge_n(output, wanted, 2, stem=stem)),
        pass_fail=False,
    ),
    Metric("rouge_l", "longest common subsequence of words (ROUGE-L)", Rouge, builder(rouge_l), pass_fail=False),
    Metric("rouge_lsum", "the same line by line (ROUGE-Lsum)", Rouge, builder(rouge_lsum), pass_fail=False),
)
