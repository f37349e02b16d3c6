"""An item with its labels as a record of Argilla, as `records.to_json` writes it.

Argilla knows its people by UUID, has no answer for who skipped an item and none that stands: names, skips and the item
itself are in the metadata, as one text; what stands is a suggestion.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from feedback.labelfiles import parts
from feedback.labelfiles.argilla.settings import as_labels
from feedback.labelfiles.types import LabeledItem
from feedback.rubrics import Question

Json = Any
STANDS = "settled"  # the agent of a suggestion that is what stands
GOLD = "gold"


def record(questions: Sequence[Question], item: LabeledItem) -> dict[str, Json]:
    people = {user_id(given.who): given.who for given in item.given}
    ours: dict[str, Json] = {
        "title": item.title,
        "snapshot": item.snapshot,
        "people": people,
        "skips": {given.who: given.skipped for given in item.given if given.skipped},
        "seconds": {given.who: given.seconds for given in item.given if given.seconds is not None},
    }
    if item.gold is not None:
        ours["gold"] = item.gold
    if item.decision is not None:
        one = item.decision
        ours["settled"] = {"by": one.by, "method": one.method, "reason": one.reason or ""}
    responses: dict[str, list[Json]] = defaultdict(list)
    for given in item.given:
        for question in questions:
            if question.key in given.answers:
                value = _there(question, given.answers[question.key])
                who = user_id(given.who)
                responses[question.key].append({"value": value, "user_id": who, "status": "submitted"})
    return {
        "id": item.key,
        "fields": _fields(item),
        "metadata": {parts.OURS: json.dumps(ours, ensure_ascii=False)},
        "suggestions": _suggestions(questions, item),
        "responses": responses,
        "vectors": {},
        "_server_id": None,
    }


def user_id(who: str) -> str:
    """The same person has the same id in every export."""
    return str(uuid5(NAMESPACE_URL, f"llmops:labeler:{who}"))


def _fields(item: LabeledItem) -> dict[str, str]:
    found = parts.texts(item.snapshot)
    found["candidates"] = "\n\n".join(f"{name}: {body}" for name, body in parts.candidates(item.snapshot))
    return found


def _suggestions(questions: Sequence[Question], item: LabeledItem) -> dict[str, Json]:
    answers, agent = (item.decision.answers, STANDS) if item.decision else (item.gold or {}, GOLD)
    return {
        question.key: {"value": _there(question, answers[question.key]), "score": None, "agent": agent}
        for question in questions
        if question.key in answers
    }


def _there(question: Question, answer: Json) -> Json:
    if question.kind == "scale" and as_labels(question):
        return str(answer)
    if question.kind == "spans":
        return [{name: span[name] for name in ("start", "end", "label")} for span in answer]
    return answer
