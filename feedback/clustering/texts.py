"""What a complaint says, as one text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

LONGEST = 1_000  # characters of a complaint that count


def complaint(*, comments: Sequence[str], tags: Sequence[str], corrections: Sequence[Any], inputs: Any) -> str:
    """People's own words, else what they asked the app for, else what they wanted instead.

    A thumbs-down without words is still about something: the question that was answered badly. Empty when there is
    nothing to go by.
    """
    said = [part.strip() for part in (*comments, *tags) if part.strip()]
    if said:
        return " ".join(said)[:LONGEST]
    asked = question(inputs)
    return (asked or " ".join(_flat(value) for value in corrections)).strip()[:LONGEST]


def question(inputs: Any) -> str:
    """What was asked: the last message of a person in a conversation, else the inputs' texts."""
    messages = inputs.get("messages") if isinstance(inputs, dict) else inputs
    if isinstance(messages, list) and messages and all(isinstance(one, dict) and "role" in one for one in messages):
        asked = [one for one in messages if one["role"] == "user"]
        return _flat((asked or messages)[-1].get("content", ""))
    if isinstance(inputs, dict):
        return " ".join(_flat(value) for value in inputs.values())
    return "" if inputs is None else _flat(inputs)


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
