"""Metrics of machine translation: BLEU, chrF and TER by sacrebleu, GLEU, and BLEU over plain words."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evals.metrics.grading import with_references
from evals.metrics.types import Json, Metric, NoParams, Outcome, Scorer, Unscored, param

MOST = 50_000
MOST_FOR_TER = 2_000  # characters, and
MOST_WORDS_FOR_TER = 250  # its search for moved words is slow on long texts
ORDER = 4
SMALLEST = 1e-7


@dataclass(frozen=True, slots=True)
class Bleu:
    tokenize: str = param("13a", "how sacrebleu finds words", choices=("13a", "intl", "char", "zh", "none"))
    lowercase: bool = param(False, "upper and lower case are equal")


@dataclass(frozen=True, slots=True)
class Chrf:
    word_order: int = param(0, "0 is chrF, 2 is chrF++")
    lowercase: bool = param(False, "upper and lower case are equal")


def bleu(params: Bleu) -> Scorer:
    """Sentence BLEU from 0 to 100 (Papineni 2002) with sacrebleu's exponential smoothing and effective order."""

    def measure(output: str, references: list[str]) -> float:
        found = _bleu(params.tokenize, params.lowercase).sentence_score(output, references).score
        return min(100.0, float(found))

    return with_references(measure, most=MOST, named="BLEU {value:.1f} of 100")


def chrf(params: Chrf) -> Scorer:
    """Character F-score from 0 to 100 (Popović 2015)."""
    order = max(0, min(2, params.word_order))

    def measure(output: str, references: list[str]) -> float:
        return min(100.0, float(_chrf(order, params.lowercase).sentence_score(output, references).score))

    return with_references(measure, most=MOST, named="chrF {value:.1f} of 100")


def ter(params: NoParams) -> Scorer:
    """Edits and moves by expected words, times 100 (Snover 2006); it can exceed 100."""

    def measure(output: str, references: list[str]) -> float:
        return float(_ter().sentence_score(output, references).score)

    score = with_references(measure, most=MOST_FOR_TER, named="TER {value:.1f}, 0 is best")

    def bounded(output: str, expected: Json) -> Outcome:
        if len(output) <= MOST_FOR_TER and len(output.split()) > MOST_WORDS_FOR_TER:
            return Unscored(f"the output has more than {MOST_WORDS_FOR_TER} words")
        return score(output, expected)

    return bounded


@functools.lru_cache(maxsize=16)
def _bleu(tokenize: str, lowercase: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415  (half a second)

    return BLEU(tokenize=tokenize, lowercase=lowercase, effective_order=True)


@functools.lru_cache(maxsize=4)
def _chrf(word_order: int, lowercase: bool) -> Any:
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    return CHRF(word_order=word_order, lowercase=lowercase)


@functools.lru_cache(maxsize=1)
def _ter() -> Any:
    from sacrebleu.metrics.ter import TER  # noqa: PLC0415

    return TER()


def words_of(text: str) -> list[str]:
    """Lower-case words between spaces, without full stops at their end."""
    return [word.rstrip(".") for word in text.lower().split()]


def _ngrams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


def bleu_words(output: str, references: list[str]) -> float:
    """BLEU from 0 to 1 over words between spaces, with 10⁻⁷ for an n-gram order without a match.

    Against the closest length: the brevity penalty is exp(1 − reference / output) for shorter outputs (Papineni 2002).
    """
    got = words_of(output)
    if not got:
        return 0.0
    known = [words_of(reference) for reference in references]
    closest = min((len(words) for words in known), key=lambda size: (abs(size - len(got)), size))
    logs = 0.0
    for n in range(1, ORDER + 1):
        mine = _ngrams(got, n)
        most: Counter[tuple[str, ...]] = Counter()
        for words in known:
            most |= _ngrams(words, n)
        share = (mine & most).total() / mine.total() if mine else 0.0
        logs += math.log(max(share, SMALLEST)) / ORDER
    brevity = 1.0 if len(got) >= closest else math.exp(1 - closest / len(got))
    return min(1.0, brevity * math.exp(logs))


def gleu_words(output: str, references: list[str]) -> float:
    """The smaller of precision and recall over all n-grams up to four words (Wu 2016); the best reference counts."""
    return max(_gleu(words_of(output), words_of(reference)) for reference in references)


def _gleu(got: list[str], gold: list[str]) -> float:
    if got == gold:
        return 1.0
    pairs = [(_ngrams(got, n), _ngrams(gold, n)) for n in range(1, ORDER + 1)]
    common = sum((mine & theirs).total() for mine, theirs in pairs)
    longest = max(sum(mine.total() for mine, _ in pairs), sum(theirs.total() for _, theirs in pairs))
    return common / longest if longest else 0.0


def plain(measure: Callable[[str, list[str]], float], named: str) -> Callable[[Any], Scorer]:
    """A metric without parameters over all references."""
    return lambda params: with_references(measure, most=MOST, named=named)


METRICS = (
    Metric("bleu", "BLEU from 0 to 100, as sacrebleu computes it", Bleu, bleu, high=100.0, pass_fail=False, unit=""),
    Metric(
        "bleu_words",
        "BLEU from 0 to 1 over words between spaces",
        NoParams,
        plain(bleu_words, "BLEU {value:.4f} of 1"),
        pass_fail=False,
    ),
    Metric("chrf", "chrF from 0 to 100, as sacrebleu computes it", Chrf, chrf, high=100.0, pass_fail=False, unit=""),
    Metric(
        "ter",
        "edits and moves for 100 expected words",
        NoParams,
        ter,
        high=math.inf,
        higher_is_better=False,
        pass_fail=False,
        unit="",
    ),
    Metric(
        "gleu",
        "GLEU: the smaller of precision and recall over n-grams",
        NoParams,
        plain(gleu_words, "GLEU {value:.4f} of 1"),
        pass_fail=False,
    ),
)
