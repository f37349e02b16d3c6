"""Metrics that measure an output alone: its length, how easy it is to read, its language."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evals.metrics import texts
from evals.metrics.types import Json, Metric, Outcome, Score, Scorer, Unscored, param, verdict
from llmops.common.errors import Invalid

MAX_READ = 200_000
# Flesch 1948 (English) and Amstad 1978 (German): constant, factor of words a sentence, factor of syllables a word.
READING_EASE = {"en": (206.835, 1.015, 84.6), "de": (180.0, 1.0, 58.5)}
DICTIONARIES = {"en": "en_US", "de": "de_DE"}


@dataclass(frozen=True, slots=True)
class Bounds:
    at_least: int | None = param(None, "the fewest that pass")
    at_most: int | None = param(None, "the most that pass")


@dataclass(frozen=True, slots=True)
class Reading:
    language: str = param("en", "whose formula and syllables", choices=tuple(READING_EASE))


@dataclass(frozen=True, slots=True)
class Language:
    language: str | None = param(None, "two-letter code such as `en`; without it, the example's expected value")


def counted(count: Callable[[str], int], what: str) -> Callable[[Any], Scorer]:
    """A metric whose value is a number of things; bounds decide what passes."""

    def build(params: Bounds) -> Scorer:
        if params.at_least is not None and params.at_most is not None and params.at_least > params.at_most:
            raise Invalid("No number is in these bounds.", fields={"params.at_most": "must not be below at_least"})

        def score(output: str, expected: Json) -> Outcome:
            number = count(output)
            return Score(float(number), within(number, params.at_least, params.at_most), f"{number:,} {what}")

        return score

    return build


def within(number: float, at_least: float | None, at_most: float | None) -> bool | None:
    """Whether the number is in the bounds; None without bounds."""
    if at_least is None and at_most is None:
        return None
    return (at_least is None or number >= at_least) and (at_most is None or number <= at_most)


def reading_ease(params: Reading) -> Scorer:
    def score(output: str, expected: Json) -> Outcome:
        if len(output) > MAX_READ:
            return Unscored(f"the output is longer than {MAX_READ:,} characters")
        value = ease(output, params.language)
        if value is None:
            return Unscored("the output holds no words")
        return Score(value, None, f"reading ease {value:.1f} by the formula for `{params.language}`")

    return score


def ease(text: str, language: str) -> float | None:
    """Flesch's reading ease: near 100 is very easy, below 30 very hard; None without words.

    Syllables are counted by where Hunspell's dictionary allows a hyphen, which can miss some.
    """
    words = [word for word in texts.words(text) if not word.isdecimal()]
    if not words:
        return None
    constant, by_sentence, by_word = READING_EASE[language]
    spoken = sum(_syllables(word.casefold(), language) for word in words)
    return constant - by_sentence * len(words) / max(1, len(texts.sentences(text))) - by_word * spoken / len(words)


@functools.lru_cache(maxsize=20_000)
def _syllables(word: str, language: str) -> int:
    return len(_dictionary(language).positions(word)) + 1


@functools.lru_cache(maxsize=4)
def _dictionary(language: str) -> Any:
    import pyphen  # noqa: PLC0415  (the dictionary is loaded by those who ask for it)

    # The margins of typography would hide the first and last syllable.
    return pyphen.Pyphen(lang=DICTIONARIES[language], left=1, right=1)


def language(params: Language) -> Scorer:
    if params.language is not None and params.language.lower() not in _identifier().labels:
        raise Invalid("This language is not known.", fields={"params.language": "two letters, such as en, de or fr"})

    def score(output: str, expected: Json) -> Outcome:
        wanted = [params.language] if params.language is not None else texts.candidates(expected)
        if not wanted:
            return Unscored("the example has no expected value")
        if not texts.words(output):
            return Unscored("the output holds no words")
        found, certainty = _identifier().classify(output[:MAX_READ])
        reason = f"the output is `{found}` ({float(certainty):.0%} certain)"
        right = found in {item.strip().lower() for item in wanted}
        answer = verdict(right, reason, f"{reason}, not {' or '.join(wanted[:3])}")
        return Score(answer.value, answer.passed, answer.reason, category=found)

    return score


@functools.lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  (loads a model)

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _metric(name: str, meaning: str, count: Callable[[str], int], what: str) -> Metric:
    return Metric(
        name, meaning, Bounds, counted(count, what), high=math.inf, higher_is_better=False, pass_fail=False, unit=what,
    )  # fmt: skip


METRICS = (
    _metric("length", "number of characters", len, "characters"),
    _metric("word_count", "number of words", lambda text: len(texts.words(text)), "words"),
    _metric("sentence_count", "number of sentences", lambda text: len(texts.sentences(text)), "sentences"),
    Metric(
        "reading_ease",
        "Flesch's reading ease: 100 is easy, 0 is hard",
        Reading,
        reading_ease,
        low=-math.inf,
        high=math.inf,
        pass_fail=False,
        unit="",
    ),
    Metric("language", "the output is in the language", Language, language),
)
