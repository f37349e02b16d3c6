"""An item with its labels as a task of Label Studio's JSON.

See https://labelstud.io/guide/task_format. What stands is an annotation more, marked as ground truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feedback.labelfiles import parts
from feedback.labelfiles.label_studio.config import TIE, has_stars, target
from feedback.labelfiles.types import LabeledItem
from feedback.rubrics import Question

Json = Any
TYPES = {
    "pass_fail": "choices", "category": "choices", "categories": "choices", "text": "textarea",
    "correction": "textarea", "spans": "labels", "pairwise": "pairwise", "ranking": "ranker",
}  # fmt: skip
SIDES = {"a": "left", "b": "right"}


def task(questions: Sequence[Question], item: LabeledItem, number: int) -> dict[str, Json]:
    """The task of this number. `data` holds the item twice: as texts to show, and whole for our own import."""
    ours: dict[str, Json] = {"item": item.key, "title": item.title, "snapshot": item.snapshot}
    skips = {given.who: given.skipped for given in item.given if given.skipped}
    annotations = [
        _annotation(questions, given.answers, given.who, cancelled=bool(given.skipped), seconds=given.seconds)
        for given in item.given
    ]
    if item.gold is not None:
        ours["gold"] = True
        annotations.append(_annotation(questions, item.gold, parts.NOBODY, truth=True))
    if item.decision is not None:
        ours["settled"] = {"method": item.decision.method, "reason": item.decision.reason or ""}
        annotations.append(_annotation(questions, item.decision.answers, item.decision.by, truth=True))
    return {
        "id": number,
        "data": {**_data(item.snapshot), parts.OURS: ours | ({"skips": skips} if skips else {})},
        "annotations": annotations,
        "predictions": [],
    }


def _data(snapshot: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = dict(parts.texts(snapshot))
    listed = parts.candidates(snapshot)
    found["candidates"] = [{"id": name, "title": name, "body": body} for name, body in listed]
    bodies = [body for _, body in listed[:2]] + ["", ""]
    return found | {"candidate_a": bodies[0], "candidate_b": bodies[1]}


def _annotation(
    questions: Sequence[Question],
    answers: Mapping[str, Json],
    who: str,
    *,
    truth: bool = False,
    cancelled: bool = False,
    seconds: int | None = None,
) -> dict[str, Json]:
    result = [
        line for question in questions if question.key in answers for line in _lines(question, answers[question.key])
    ]
    return {
        "completed_by": {"email": who} if "@" in who else {"email": "", "first_name": who, "last_name": ""},
        "result": result,
        "was_cancelled": cancelled,
        "ground_truth": truth,
        "lead_time": seconds,
    }


def _lines(question: Question, answer: Json) -> Iterator[dict[str, Json]]:
    if question.kind == "spans":
        for place, span in enumerate(answer):
            value = {"start": span["start"], "end": span["end"], "text": span["text"], "labels": [span["label"]]}
            yield _line(question.key, "output", "labels", value, place)
    elif question.kind == "scale":
        kind = "rating" if has_stars(question) else "number"
        yield _line(question.key, "output", kind, {kind: answer})
    elif question.kind == "pairwise" and answer == "tie":
        yield _line(question.key + TIE, "candidate_a", "choices", {"choices": ["tie"]})
    elif question.kind == "pairwise":
        yield _line(question.key, question.key, "pairwise", {"selected": SIDES[answer]})  # a pair is about itself
    elif question.kind == "ranking":
        yield _line(question.key, "candidates", "ranker", {"ranker": {question.key: answer}})
    else:
        kind = TYPES[question.kind]
        value = {"text": [answer]} if kind == "textarea" else {kind: answer if isinstance(answer, list) else [answer]}
        yield _line(question.key, target(question), kind, value)


def _line(name: str, about: str, kind: str, value: dict[str, Json], place: int = 0) -> dict[str, Json]:
    return {
        "id": f"{name}-{place}", "from_name": name, "to_name": about, "type": kind, "origin": "manual", "value": value
    }  # fmt: skip
