"""What requests and answers have in common: the material is JSON, so that no text in it can pose as an instruction."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from llmops.common import text as intake
from llmops.common.errors import DomainError

Json = Any

MOST_CHARACTERS = 1_500  # of one text of the material
MOST_ANSWER = 1_000_000
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL | re.IGNORECASE)


class UnreadableDraftError(ValueError):
    """The answer is not what was asked for; the message says why."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint with what it is about; texts may be empty."""

    said: str
    asked: str = ""
    answered: str = ""
    corrected: str = ""

    def as_json(self) -> dict[str, str]:
        parts = {"said": self.said, "asked": self.asked, "answered": self.answered, "corrected": self.corrected}
        return {name: cut(value) for name, value in parts.items() if value}


@dataclass(frozen=True, slots=True)
class Asked:
    """Messages as `{"role", "content"}`, and the JSON Schema that the answer must fit."""

    messages: list[dict[str, str]]
    schema: dict[str, Json]


def asked(rules: Sequence[str], material: Mapping[str, Json], schema: Mapping[str, Json]) -> Asked:
    messages = [
        {"role": "system", "content": "\n".join(rules)},
        {"role": "user", "content": json.dumps(material, ensure_ascii=False, indent=1)},
    ]
    return Asked(messages, dict(schema))


def read(answer: str, schema: Mapping[str, Json]) -> dict[str, Json]:
    """The answer as JSON that fits the schema; one code fence around it is taken off.

    :raises UnreadableDraftError: when it is not.
    """
    fenced = _FENCE.match(answer)
    try:
        value = intake.loads(fenced[1] if fenced else answer, max_bytes=MOST_ANSWER, repair=True)
    except DomainError as error:
        raise UnreadableDraftError(error.message) from None
    found = jsonschema.Draft202012Validator(dict(schema)).iter_errors(value)
    if (wrong := next(iter(found), None)) is not None:
        place = "/".join(str(part) for part in wrong.absolute_path)
        raise UnreadableDraftError(f"The answer does not fit the schema: {wrong.message[:200]} at /{place}.")
    return dict(value)


def cut(value: str) -> str:
    return value if len(value) <= MOST_CHARACTERS else f"{value[:MOST_CHARACTERS]}…"
