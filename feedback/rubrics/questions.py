"""The questions of a rubric, read from JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmops.common import text
from llmops.common.errors import Invalid

Json = Any

# What each kind is called on pages.
KINDS = {
    "pass_fail": "Pass or fail",
    "category": "One category",
    "categories": "Several categories",
    "scale": "Number on a scale",
    "text": "Free text",
    "spans": "Highlighted spans",
    "correction": "Corrected answer",
    "pairwise": "Which of two is better",
    "ranking": "Ranking",
}
WITH_CHOICES = frozenset({"category", "categories", "spans"})
KNOWN = frozenset({"key", "kind", "text", "guidelines", "choices", "low", "high", "required"})
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_QUESTIONS = 20
MAX_CHOICES = 30
MAX_POINTS = 11
LONGEST_TEXT = 500
LONGEST_GUIDELINES = 5_000


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers of a category: the value is stored, the words are shown."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `choices` belong to categories and spans, `low` and `high` to a scale."""

    key: str
    kind: str
    text: str
    guidelines: str = ""
    choices: tuple[Choice, ...] = ()
    low: int = 1
    high: int = 5
    required: bool = True

    @property
    def values(self) -> tuple[Json, ...]:
        """Every answer to choose from, in the rubric's order; empty where answers are free."""
        if self.kind == "pass_fail":
            return ("pass", "fail")
        if self.kind == "pairwise":
            return ("a", "b", "tie")
        if self.kind == "scale":
            return tuple(range(self.low, self.high + 1))
        return tuple(choice.value for choice in self.choices)

    @property
    def options(self) -> tuple[Choice, ...]:
        """The same with the words to show."""
        if self.kind == "pass_fail":
            return (Choice("pass", "Pass"), Choice("fail", "Fail"))
        if self.kind == "pairwise":
            return (Choice("a", "A is better"), Choice("b", "B is better"), Choice("tie", "No difference"))
        if self.kind == "scale":
            return tuple(Choice(str(number), str(number)) for number in self.values)
        return self.choices

    @property
    def level(self) -> str:
        """How far apart two answers are: `ordinal` for a scale, `nominal` for what is equal or not."""
        return "ordinal" if self.kind == "scale" else "nominal"


def as_json(question: Question) -> dict[str, Json]:
    """Only what the kind uses: equal questions give equal JSON."""
    found: dict[str, Json] = {"key": question.key, "kind": question.kind, "text": question.text}
    found |= {"guidelines": question.guidelines, "required": question.required}
    if question.kind in WITH_CHOICES:
        found["choices"] = [{"value": choice.value, "text": choice.text} for choice in question.choices]
    if question.kind == "scale":
        found |= {"low": question.low, "high": question.high}
    return found


def parse(given: Json) -> tuple[Question, ...]:
    """The questions of a rubric.

    :raises Invalid: naming the question and its part that is not acceptable.
    """
    if not isinstance(given, list) or not given or len(given) > MAX_QUESTIONS:
        raise _wrong("questions", f"must be a list of 1 to {MAX_QUESTIONS} questions")
    questions = tuple(_question(one, f"questions[{place}]") for place, one in enumerate(given))
    keys = [question.key for question in questions]
    if len(set(keys)) < len(keys):
        raise _wrong("questions", "two questions have the same key")
    return questions


def _question(given: Json, at: str) -> Question:
    if not isinstance(given, dict):
        raise _wrong(at, "must be an object")
    if unknown := sorted(map(str, given.keys() - KNOWN)):
        raise _wrong(f"{at}.{text.shown(unknown[0])}", "is no part of a question")
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise _wrong(f"{at}.kind", f"must be one of {', '.join(KINDS)}")
    key = given.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise _wrong(f"{at}.key", "must be lower-case letters, digits and underscores, a letter first")
    low, high = _range(given, at) if kind == "scale" else (1, 5)
    return Question(
        key=key,
        kind=kind,
        text=_text(given.get("text", ""), f"{at}.text", LONGEST_TEXT, may_be_empty=False),
        guidelines=_text(given.get("guidelines", ""), f"{at}.guidelines", LONGEST_GUIDELINES),
        choices=_choices(given.get("choices"), f"{at}.choices") if kind in WITH_CHOICES else (),
        low=low,
        high=high,
        required=_flag(given.get("required", kind not in {"text", "spans", "correction"}), f"{at}.required"),
    )


def _choices(given: Json, at: str) -> tuple[Choice, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_CHOICES:
        raise _wrong(at, f"must be a list of 1 to {MAX_CHOICES} choices")
    found = tuple(_choice(one, f"{at}[{place}]") for place, one in enumerate(given))
    if len({choice.value for choice in found}) < len(found):
        raise _wrong(at, "has the same choice twice")
    return found


def _choice(given: Json, at: str) -> Choice:
    pair = given if isinstance(given, dict) else {"value": given}
    value = _text(pair.get("value"), f"{at}.value", 100, may_be_empty=False)
    return Choice(value, _text(pair.get("text") or value, f"{at}.text", 200))


def _range(given: Json, at: str) -> tuple[int, int]:
    ends = given.get("low", 1), given.get("high", 5)
    for name, end in zip(("low", "high"), ends, strict=True):
        if type(end) is not int or not -100 <= end <= 100:
            raise _wrong(f"{at}.{name}", "must be a whole number from -100 to 100")
    if not 1 <= ends[1] - ends[0] < MAX_POINTS:
        raise _wrong(f"{at}.high", f"a scale has 2 to {MAX_POINTS} points")
    return ends


def _text(given: Json, at: str, longest: int, *, may_be_empty: bool = True) -> str:
    if not isinstance(given, str) or len(given) > longest:
        raise _wrong(at, f"must be a text of at most {longest:,} characters")
    if (reason := text.problem(given)) is not None:
        raise _wrong(at, reason)
    if not given.strip() and not may_be_empty:
        raise _wrong(at, "must not be empty")
    return given.strip()


def _flag(given: Json, at: str) -> bool:
    if not isinstance(given, bool):
        raise _wrong(at, "must be true or false")
    return given


def by_key(questions: Sequence[Question]) -> dict[str, Question]:
    return {question.key: question for question in questions}


def _wrong(at: str, reason: str) -> Invalid:
    return Invalid(f"{at} {reason}.", fields={at: reason})
