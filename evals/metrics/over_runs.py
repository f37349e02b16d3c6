"""Figures that are of a whole run and no mean of its scores: corpus BLEU, chrF and TER, error rates, classification.

A measure is fed result by result, so that a run of any size takes no more room than its sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from evals.metrics import matching, similarity, specs, texts, translation
from evals.metrics.types import Json
from evals.statistics import classification

MOST_CLASSES = 30
FEWEST_PER_CLASS = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """`low` is the worst or best end as the metric has it, `high` None where there is none; `n` results are in it."""

    name: str
    value: float
    high: float | None
    higher_is_better: bool
    n: int
    method: str


@dataclass(frozen=True, slots=True)
class OverRun:
    """What a measure found; `left_out` results could not be taken in, too long ones above all."""

    figures: tuple[Figure, ...] = ()
    classes: classification.Report | None = None
    left_out: int = 0


class Measure(Protocol):
    def add(self, output: str, expected: Json) -> None:
        """Take one result in; a failed one as an empty output. What expects nothing does not count."""
        ...

    def found(self) -> OverRun: ...


class _Corpus:
    """A score of sacrebleu over all sentences: their counts are added up, then the formula is applied once."""

    def __init__(self, name: str, metric: Any, high: float | None, most: int, *, higher_is_better: bool = True) -> None:
        self.name, self.metric, self.high, self.most = name, metric, high, most
        self.higher_is_better = higher_is_better
        self.sums: list[float] = []
        self.n = self.left_out = 0

    def add(self, output: str, expected: Json) -> None:
        wanted = texts.candidates(expected)
        if not wanted:
            return
        if len(output) > self.most or any(len(item) > self.most for item in wanted):
            self.left_out += 1
            return
        [counts] = self.metric._extract_corpus_statistics([output], [[item] for item in wanted])
        self.sums = [one + other for one, other in zip(self.sums, counts, strict=True)] if self.sums else list(counts)
        self.n += 1

    def found(self) -> OverRun:
        if not self.n:
            return OverRun(left_out=self.left_out)
        value = float(self.metric._aggregate_and_compute([self.sums]).score)
        value = value if self.high is None else min(self.high, value)
        method = f"sacrebleu {self.metric.get_signature().info['version']} over all sentences"
        figure = Figure(self.name, value, self.high, self.higher_is_better, self.n, method)
        return OverRun((figure,), left_out=self.left_out)


class _ErrorRate:
    """All edits by all expected characters or words, against the nearest of several expected texts."""

    def __init__(self, name: str, edits: Callable[[str, str], tuple[int, int]]) -> None:
        self.name, self.edits = name, edits
        self.wrong = self.length = self.n = self.left_out = 0

    def add(self, output: str, expected: Json) -> None:
        wanted = texts.candidates(expected)
        if not wanted:
            return
        if max(len(output), *map(len, wanted)) > similarity.MOST_FOR_NGRAMS:
            self.left_out += 1
            return
        wrong, length = min(
            (self.edits(output, item) for item in wanted), key=lambda found: found[0] / max(1, found[1])
        )
        self.wrong, self.length, self.n = self.wrong + wrong, self.length + length, self.n + 1

    def found(self) -> OverRun:
        if not self.n:
            return OverRun(left_out=self.left_out)
        value = self.wrong / max(1, self.length)
        figure = Figure(self.name, value, None, False, self.n, "all edits / all expected")
        return OverRun((figure,), left_out=self.left_out)


class _Classes:
    """Outputs as labels, where the expected values are a few that come back: accuracy, F and the confusion matrix."""

    def __init__(self, params: matching.ExactMatch) -> None:
        self.normal = matching.normalizer(params)
        self.extract = matching.extractor(params.extract)
        self.expected: list[str] = []
        self.given: list[str] = []
        self.labels: set[str] = set()

    def add(self, output: str, expected: Json) -> None:
        wanted = [self.normal(item) for item in texts.candidates(expected)]
        if not wanted or len(self.labels) > MOST_CLASSES:
            return
        answer = self.extract(output)
        given = self.normal(answer) if isinstance(answer, str) else ""
        right = given if given in wanted else wanted[0]
        self.labels.add(right)
        self.expected.append(right)
        self.given.append(given)

    def found(self) -> OverRun:
        few = 2 <= len(self.labels) <= MOST_CLASSES and len(self.expected) >= FEWEST_PER_CLASS * len(self.labels)
        if not few:
            return OverRun()
        return OverRun(classes=classification.report(self.expected, self.given, labels=sorted(self.labels)))


def _bleu(params: translation.Bleu) -> Measure:
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415  (half a second)

    metric = BLEU(tokenize=params.tokenize, lowercase=params.lowercase, force=True)
    return _Corpus("corpus BLEU", metric, 100.0, translation.MOST)


def _chrf(params: translation.Chrf) -> Measure:
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    metric = CHRF(word_order=max(0, min(2, params.word_order)), lowercase=params.lowercase)
    return _Corpus("corpus chrF", metric, 100.0, translation.MOST)


def _ter(params: Any) -> Measure:
    from sacrebleu.metrics.ter import TER  # noqa: PLC0415

    return _Corpus("corpus TER", TER(), None, translation.MOST_FOR_TER, higher_is_better=False)


MEASURES: dict[str, Callable[[Any], Measure]] = {
    "bleu": _bleu,
    "chrf": _chrf,
    "ter": _ter,
    "wer": lambda params: _ErrorRate("word error rate of the run", similarity.word_edits),
    "cer": lambda params: _ErrorRate("character error rate of the run", similarity.character_edits),
    "exact_match": _Classes,
}


def measure_of(read: specs.Read) -> Measure | None:
    """What measures a whole run by this configuration; None where the mean of the scores says it all."""
    make = MEASURES.get(read.metric.name)
    is_fixed = getattr(read.params, "value", None) is not None  # one answer for all rows makes no classes
    return None if make is None or is_fixed else make(read.params)
