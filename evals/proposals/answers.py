"""A model's answer as rows, checked against the schema that it was asked to fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jsonschema

from llmops.common import text as intake
from llmops.common.errors import DomainError

Json = Any

MOST_CHARACTERS = 2_000_000
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL | re.IGNORECASE)


class UnreadableAnswerError(ValueError):
    """The answer is not what was asked for; the message says why."""


def read(answer: str, schema: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The rows of an answer, each `{"inputs", "expected", "tags"}`; one code fence around the JSON is taken off.

    Inputs that the schema takes as JSON inside a text are parsed.

    :raises UnreadableAnswerError: when it is not JSON, does not fit the schema, or has no rows.
    """
    fenced = _FENCE.match(answer)
    try:
        value = intake.loads(fenced[1] if fenced else answer, max_bytes=MOST_CHARACTERS, repair=True)
    except DomainError as error:
        raise UnreadableAnswerError(error.message) from None
    found = jsonschema.Draft202012Validator(dict(schema)).iter_errors(value)
    if (wrong := next(iter(found), None)) is not None:
        place = "/".join(str(part) for part in wrong.absolute_path)
        raise UnreadableAnswerError(f"The answer does not fit the schema: {wrong.message[:200]} at /{place}.")
    if not value["rows"]:
        raise UnreadableAnswerError("The answer has no rows.")
    parts = schema["properties"]["rows"]["items"]["properties"]
    return [_parsed(row, parts) for row in value["rows"]]


def _parsed(row: Mapping[str, Json], parts: Mapping[str, Json]) -> dict[str, Json]:
    kinds = parts["inputs"]["properties"]
    inputs = {name: _value(value, kinds[name], f"inputs.{name}") for name, value in row["inputs"].items()}
    return {**row, "inputs": inputs, "expected": _value(row["expected"], parts["expected"], "expected")}


def _value(value: Json, kind: Mapping[str, Json], place: str) -> Json:
    if "description" not in kind or value is None:
        return value
    try:
        return intake.loads(value, max_bytes=MOST_CHARACTERS, repair=True)
    except DomainError as error:
        raise UnreadableAnswerError(f"{place} should be JSON written as text: {error.message}") from None
