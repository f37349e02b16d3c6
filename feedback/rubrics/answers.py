"""What counts as an answer to a question, and what of it can be compared between people."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from feedback.rubrics.questions import Question
from llmops.common import text
from llmops.common.errors import Invalid

Json = Any
LONGEST_ANSWER = 100_000
MOST_SPANS = 200
MOST_CANDIDATES = 10


def checked(questions: Sequence[Question], given: Json, snapshot: Mapping[str, Json]) -> dict[str, Json]:
    """The answers as they are stored: one for each question that was answered.

    `snapshot` is the item: spans lie in its output, a ranking orders its candidates.

    :raises Invalid: naming the question whose answer is missing or not acceptable.
    """
    if not isinstance(given, dict):
        raise Invalid("The answers must be an object.", fields={"answers": "must be an object"})
    known = {question.key for question in questions}
    if unknown := sorted(str(key) for key in given if key not in known):
        raise _wrong(text.shown(unknown[0]), "is no question of this rubric")
    found = {}
    for question in questions:
        value = given.get(question.key)
        if _is_empty(value):
            if question.required:
                raise _wrong(question.key, "needs an answer")
            continue
        found[question.key] = _answer(question, value, snapshot)
    if not found:
        raise Invalid("Answer at least one question.", fields={"answers": "empty"})
    return found


def comparable(question: Question, value: Json) -> Hashable:
    """The answer as something that two people can agree on; None where there is none, or where words are free."""
    if value is None or question.kind in {"text", "correction"}:
        return None
    if question.kind == "categories":
        return tuple(sorted(value))
    if question.kind == "ranking":
        return tuple(value)
    if question.kind == "spans":
        return tuple(sorted((span["start"], span["end"], span["label"]) for span in value))
    answer: Hashable = value
    return answer


def said(question: Question, value: Json) -> str:
    """The answer in words, for people."""
    if value is None:
        return ""
    words = {choice.value: choice.text for choice in question.options}
    if question.kind == "categories":
        return ", ".join(words.get(one, one) for one in value)
    if question.kind == "ranking":
        return " > ".join(value)
    if question.kind == "spans":
        return "; ".join(f"{words.get(span['label'], span['label'])}: “{span['text']}”" for span in value)
    return words.get(str(value), str(value))


def output_text(snapshot: Mapping[str, Json]) -> str:
    """The text of the item's output in which spans lie."""
    output = snapshot.get("output")
    return output if isinstance(output, str) else text_of(output)


def text_of(value: Json) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)


def candidates(snapshot: Mapping[str, Json]) -> list[str]:
    """The names of what a pair or a ranking chooses from."""
    return [str(one["name"]) for one in snapshot.get("candidates") or []]


def _answer(question: Question, value: Json, snapshot: Mapping[str, Json]) -> Json:
    if question.kind == "scale":
        return _number(question, value)
    if question.kind in {"pass_fail", "category", "pairwise"}:
        if not isinstance(value, str) or value not in question.values:
            raise _wrong(question.key, f"must be one of {', '.join(map(str, question.values))}")
        return value
    if question.kind == "categories":
        return _several(question, value)
    if question.kind == "ranking":
        return _order(question, value, candidates(snapshot))
    if question.kind == "spans":
        return _spans(question, value, output_text(snapshot))
    return _words(question, value)


def _number(question: Question, value: Json) -> int:
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) < 6:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not question.low <= value <= question.high:
        raise _wrong(question.key, f"must be a whole number from {question.low} to {question.high}")
    return value


def _several(question: Question, value: Json) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one in question.values for one in value):
        raise _wrong(question.key, f"must be a list of {', '.join(map(str, question.values))}")
    return [one for one in question.values if one in value]


def _order(question: Question, value: Json, names: list[str]) -> list[str]:
    if not isinstance(value, list) or len(value) != len(names) or sorted(map(str, value)) != sorted(names):
        raise _wrong(question.key, f"must name each of {', '.join(names) or 'the candidates'} once, the best first")
    return [str(one) for one in value]


def _spans(question: Question, value: Json, marked: str) -> list[Json]:
    if not isinstance(value, list) or len(value) > MOST_SPANS:
        raise _wrong(question.key, f"must be a list of at most {MOST_SPANS} spans")
    return sorted((_span(question, one, marked) for one in value), key=lambda span: (span["start"], span["end"]))


def _span(question: Question, given: Json, marked: str) -> dict[str, Json]:
    ends = (given.get("start"), given.get("end")) if isinstance(given, dict) else (None, None)
    if not all(type(end) is int for end in ends) or not 0 <= ends[0] < ends[1] <= len(marked):  # type: ignore[operator]
        raise _wrong(question.key, f"a span starts and ends within the {len(marked):,} characters of the output")
    if given.get("label") not in question.values:
        raise _wrong(question.key, f"a span's label is one of {', '.join(map(str, question.values))}")
    return {"start": ends[0], "end": ends[1], "label": given["label"], "text": marked[ends[0] : ends[1]]}


def _words(question: Question, value: Json) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_ANSWER:
        raise _wrong(question.key, f"must be a text of at most {LONGEST_ANSWER:,} characters")
    if (reason := text.problem(value)) is not None:
        raise _wrong(question.key, reason)
    return value.replace("\r\n", "\n").strip()


def _is_empty(value: Json) -> bool:
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def _wrong(key: str, reason: str) -> Invalid:
    return Invalid(f"{key}: {reason}.", fields={key: reason})
