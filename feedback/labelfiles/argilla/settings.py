"""A rubric as the settings of an Argilla dataset, and such settings read into questions.

The shapes are those of `Settings.to_json` (https://docs.argilla.io/latest/reference/argilla/settings/settings/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from feedback.labelfiles import parts
from feedback.labelfiles.types import Asked, LeftOuts
from feedback.rubrics import Question, as_json
from llmops.common.errors import Invalid

Json = Any
FIELD = "settings"
MAX_QUESTIONS = 100
HIGHEST_RATING = 10  # Argilla rates from 0
FIELDS = {
    "inputs": "Input",
    "output": "Output",
    "contexts": "Contexts",
    "expected": "Expected",
    "candidates": "Candidates",
}
ELSEWHERE = frozenset({"image_annotation"})


def settings(questions: Sequence[Question], names: Sequence[str] = (), guidelines: str = "") -> dict[str, Json]:
    """The settings for records that `record` writes; `names` are those of the candidates that a ranking orders.

    Argilla does not read the part of ours, which tells a correction from a text.
    """
    fields = [
        {
            "name": name, "title": title, "required": name == "inputs",
            "settings": {"type": "text", "use_markdown": False},
        }
        for name, title in FIELDS.items()
    ]  # fmt: skip
    return {
        "guidelines": guidelines or None,
        "allow_extra_metadata": True,
        "fields": fields,
        "questions": [_asked_there(question, names) for question in questions],
        "vectors": [],
        "metadata": [],
        parts.OURS: {"questions": [as_json(question) for question in questions]},
    }


def asked(given: Json) -> Asked:
    """The questions of such settings, with what else they say about records.

    :raises Invalid: naming the question, for what is no settings, asks nothing, or asks in an unknown way.
    """
    if not isinstance(given, dict) or not isinstance(given.get("questions"), list):
        raise _wrong(FIELD, "the settings must be an object with a list of questions")
    if len(given["questions"]) > MAX_QUESTIONS:
        raise _wrong(FIELD, f"the settings have more than {MAX_QUESTIONS} questions")
    left = LeftOuts()
    questions: list[dict[str, Json]] = []
    keys: dict[str, str] = {}
    output = ""
    candidates: tuple[str, ...] = ()
    ours = _ours(given)
    for place, one in enumerate(given["questions"]):
        at = f"{FIELD}.questions[{place}]"
        name, said = _named(one, keys, at)
        kind = _kind(said, name, at, left)
        if kind is None:
            continue
        keys[name] = parts.key_of(name, keys.values())
        questions.append(ours.get(keys[name]) or {**_texts(one, name, at), "key": keys[name], **kind})
        if kind["kind"] == "spans":
            output = output or str(said.get("field") or "")
        if kind["kind"] == "ranking":
            candidates = candidates or tuple(option["value"] for option in _options(said, at))
    if not questions:
        raise _wrong(FIELD, "the settings ask nothing that a rubric can ask")
    return Asked(questions, keys, str(given.get("guidelines") or "")[:10_000], output, candidates, left.listed())


def as_labels(question: Question) -> bool:
    """Whether a scale's numbers are labels there, because Argilla rates from 0 to 10 only."""
    return question.low < 0 or question.high > HIGHEST_RATING


def _asked_there(question: Question, names: Sequence[str]) -> dict[str, Json]:
    return {
        "name": question.key,
        "title": question.text,
        "description": question.guidelines or None,
        "required": question.required,
        "settings": _settings(question, names),
    }


def _settings(question: Question, names: Sequence[str]) -> dict[str, Json]:
    if question.kind in {"text", "correction"}:
        return {"type": "text", "use_markdown": False}
    if question.kind == "scale" and not as_labels(question):
        return {"type": "rating", "options": [{"value": value} for value in question.values]}
    if question.kind == "ranking":
        return {"type": "ranking", "options": [{"value": name, "text": name, "description": None} for name in names]}
    options = [{"value": one.value, "text": one.text, "description": None} for one in question.options]
    if question.kind == "spans":
        return {"type": "span", "field": "output", "allow_overlapping": True, "options": options}
    kind = "multi_label_selection" if question.kind == "categories" else "label_selection"
    return {"type": kind, "options": options}


def _ours(given: dict[str, Json]) -> dict[str, dict[str, Json]]:
    """The questions of our own export; one that is edited there is read as Argilla holds it."""
    block = given.get(parts.OURS)
    listed = block.get("questions") if isinstance(block, dict) else None
    return {one["key"]: one for one in listed or [] if isinstance(one, dict) and isinstance(one.get("key"), str)}


def _named(one: Json, keys: dict[str, str], at: str) -> tuple[str, dict[str, Json]]:
    name = one.get("name") if isinstance(one, dict) else None
    said = one.get("settings") if isinstance(one, dict) else None
    if not isinstance(name, str) or not name.strip() or not isinstance(said, dict):
        raise _wrong(at, "a question needs a name and settings")
    if name in keys:
        raise _wrong(at, f"a second question has the name “{name[:60]}”")
    return name, said


def _kind(said: dict[str, Json], name: str, at: str, left: LeftOuts) -> dict[str, Json] | None:
    kind = str(said.get("type"))
    if kind in ELSEWHERE:
        left.add(f"The question “{name[:60]}” ({kind}): no kind of question holds it", at)
        return None
    if kind == "text":
        return {"kind": "text"}
    if kind == "rating":
        values = [one["value"] for one in _options(said, at)]
        if not values or not all(type(value) is int for value in values):
            raise _wrong(at, "the options of a rating must be whole numbers")
        return {"kind": "scale", "low": min(values), "high": max(values)}
    if kind == "ranking":
        return {"kind": "ranking"}
    if kind in {"label_selection", "multi_label_selection", "span"}:
        options = [{"value": str(one["value"]), "text": str(one.get("text") or "")} for one in _options(said, at)]
        if kind == "label_selection" and [one["value"] for one in options] == ["pass", "fail"]:
            return {"kind": "pass_fail"}
        kinds = {"label_selection": "category", "multi_label_selection": "categories", "span": "spans"}
        return {"kind": kinds[kind], "choices": options}
    raise _wrong(at, f"there is no question of the type “{kind[:60]}”")


def _options(said: dict[str, Json], at: str) -> list[dict[str, Json]]:
    options = said.get("options")
    if not isinstance(options, list) or not all(
        isinstance(one, dict) and isinstance(one.get("value"), str | int) for one in options
    ):
        raise _wrong(at, "options must be a list of objects with a value")
    return options


def _texts(one: dict[str, Json], name: str, at: str) -> dict[str, Json]:
    for part in ("title", "description"):
        if not isinstance(one.get(part) or "", str):
            raise _wrong(at, f"{part} must be a text")
    required = one.get("required", True)
    if not isinstance(required, bool):
        raise _wrong(at, "required must be true or false")
    title = (one.get("title") or name)[:500]
    return {"text": title, "guidelines": (one.get("description") or "")[:5_000], "required": required}


def _wrong(at: str, reason: str) -> Invalid:
    return Invalid(f"{at}: {reason}.", fields={at: reason})
