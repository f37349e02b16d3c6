"""What pages of labeling show: an item, its questions with their keys, answers side by side, figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evals.statistics import Estimate
from feedback import rubrics
from feedback.models import Annotation, QueueItem
from feedback.queries.agreement import QuestionFigures
from feedback.queries.reading import shown


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    text: str
    key: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One question as a form field; `kind` says which control, `value` what was answered before."""

    name: str
    kind: str
    text: str
    guidelines: str
    required: bool
    options: list[Option]
    value: str
    problem: str
    key: str = ""  # goes to the field, where the answer is written


def item(one: QueueItem) -> dict[str, Any]:
    """The item's parts in the order in which people read them."""
    snapshot = one.snapshot
    inputs = snapshot.get("inputs")
    pairs = list(inputs.items()) if isinstance(inputs, dict) else [("input", inputs)]
    expected = snapshot.get("expected")
    return {
        "inputs": [(name, shown(value)) for name, value in pairs if value is not None],
        "output": shown(snapshot["output"]) if snapshot.get("output") is not None else "",
        "contexts": [shown(value) for value in snapshot.get("contexts") or []],
        "candidates": [(str(each["name"]), shown(each.get("text"))) for each in snapshot.get("candidates") or []],
        "expected": shown(expected) if expected is not None else "",
        "origin": ", ".join(str(value) for value in (snapshot.get("origin") or {}).values()),
    }


def fields(
    questions: Sequence[rubrics.Question], answers: Mapping[str, Any], problems: Mapping[str, str]
) -> list[Field]:
    """The questions as fields. Digits choose answers of the first question with choices, letters those of the next;
    other letters go to the fields where an answer is written."""
    rows, letters = iter(["1234567890", "qwertzio", "yxcvbnm"]), iter("adhlp")
    return [
        _field(
            one, answers.get(one.key), problems.get(one.key, ""),
            next(rows, "") if one.options and one.kind != "spans" else next(letters, ""),
        )
        for one in questions
    ]  # fmt: skip


def columns(questions: Sequence[rubrics.Question], given: Sequence[Annotation]) -> list[dict[str, Any]]:
    """By question: what each person said, and whether they all said the same."""
    rows = []
    for one in questions:
        said = [(row.seat.who, rubrics.said(one, row.answers.get(one.key))) for row in given]
        rows.append({"text": one.text, "said": said, "agree": len({words for _, words in said}) <= 1})
    return rows


def question(figures: QuestionFigures) -> dict[str, Any]:
    """One question's agreement in words."""
    return {
        "text": figures.question.text,
        "n": figures.percent.n,
        "percent": _interval(figures.percent),
        "alpha": _interval(figures.alpha),
        "ac1": _interval(figures.ac1),
        "words": figures.words,
        "worth": figures.worth.sentence if figures.worth else "",
        "fleiss": _interval(figures.fleiss),
        "pairs": [
            {"who": f"{pair.first}, {pair.second}", "n": pair.n, "share": pair.share, "kappa": _interval(pair.kappa)}
            for pair in figures.pairs
        ],
    }


def _field(one: rubrics.Question, value: Any, problem: str, keys: str) -> Field:
    chosen = {str(each) for each in value} if isinstance(value, list) else {str(value)}
    options = [
        Option(choice.value, choice.text, keys[place] if place < len(keys) else "", choice.value in chosen)
        for place, choice in enumerate(one.options)
    ]
    written = "\n".join(map(str, value)) if one.kind == "ranking" and value else shown(value) if value else ""
    key = "" if one.options and one.kind != "spans" else keys
    return Field(f"q-{one.key}", one.kind, one.text, one.guidelines, one.required, options, written, problem, key)


def _interval(found: Estimate) -> str:
    if found.value is None:
        return "; ".join(found.notes) or "–"
    if found.interval is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.interval.low:.2f} to {found.interval.high:.2f})"
