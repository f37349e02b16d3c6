"""Feedback that names a score: its value is checked against the project's definition of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback.forms.fields import MAX_TEXT, Reader
from feedback.models import ScoreDefinition
from feedback.queries.definitions import Definition

# The shorthand that may carry the value, beside `value` itself.
SHORT = {"number": ("score", "number"), "boolean": ("score",), "category": ("category",), "text": ("text",)}
KIND_OF_EVENT = {"number": "score", "boolean": "score", "category": "category", "text": "comment"}
TRUTH: dict[Any, float] = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, 1: 1.0, 0: 0.0}  # True is 1 here

Kind = ScoreDefinition.Kind


def definition(reader: Reader, known: Mapping[str, Definition], name: str) -> Definition | None:
    """The definition of this name; what there is instead is said when there is none."""
    found = known.get(name.strip().lower())
    if found is None and "name" not in reader.problems:
        names = ", ".join(sorted(one.name for one in known.values())[:10])
        there_is = f"there is {names}" if names else "this project has no score definitions"
        reader.problems["name"] = f"is no score definition of this project: {there_is}"
    return found


def value(reader: Reader, definition: Definition, raw: Any, comment: str) -> tuple[str, float | None, str, str]:
    """The event's kind, number, category and comment. `value` is named when it is not what the definition wants."""
    field = "value"
    for short in SHORT[definition.kind]:
        if raw is None and reader.item.get(short) is not None:
            field, raw = short, reader.get(short)
    _check_kind(reader, definition)
    kind = KIND_OF_EVENT[definition.kind]
    if definition.kind == Kind.NUMBER:
        return kind, _number(reader, definition, field, raw), "", comment
    if definition.kind == Kind.BOOLEAN:
        return kind, _truth(reader, field, raw), "", comment
    if definition.kind == Kind.CATEGORY:
        return kind, None, _category(reader, definition, field, raw), comment
    said = raw if isinstance(raw, str) else comment if raw is None else ""
    if not said or len(said) > MAX_TEXT:
        reader.problems[field] = f"must be a text of 1 to {MAX_TEXT:,} characters"
    return kind, None, "", said


def _check_kind(reader: Reader, definition: Definition) -> None:
    """A kind may be said again, if it is the definition's."""
    said = reader.get("kind")
    if said is not None and said not in {definition.kind, KIND_OF_EVENT[definition.kind]}:
        reader.problems["kind"] = f"is {definition.kind} for the score {definition.name}"


def _number(reader: Reader, definition: Definition, field: str, raw: Any) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or abs(raw) > 1e12:
        reader.problems[field] = "must be a number"
        return None
    if (definition.low is not None and raw < definition.low) or (definition.high is not None and raw > definition.high):
        reader.problems[field] = f"must be {_range(definition)} for the score {definition.name}"
        return None
    return float(raw)


def _range(definition: Definition) -> str:
    if definition.low is None:
        return f"at most {definition.high:g}"
    if definition.high is None:
        return f"at least {definition.low:g}"
    return f"from {definition.low:g} to {definition.high:g}"


def _truth(reader: Reader, field: str, raw: Any) -> float | None:
    asked = raw.strip().lower() if isinstance(raw, str) else raw
    found = TRUTH.get(asked) if isinstance(asked, str | int | float) else None
    if found is None:
        reader.problems[field] = "must be true or false"
    return found


def _category(reader: Reader, definition: Definition, field: str, raw: Any) -> str:
    if not isinstance(raw, str) or not raw or len(raw) > 200:
        reader.problems[field] = "must be a text of 1 to 200 characters"
        return ""
    if definition.categories and raw not in definition.categories:
        shown = ", ".join(definition.categories[:20])
        reader.problems[field] = f"must be one of {shown} for the score {definition.name}"
    return raw
