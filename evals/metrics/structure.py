"""Outputs that must be JSON, or JSON of a given shape."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from evals.metrics import schemas
from evals.metrics.types import Json, Metric, Outcome, Scorer, Unscored, param, shown, verdict

MAX_CHARACTERS = 1_000_000
MAX_DIGITS = 4_000
MAX_TRIES = 200
KINDS = ("any", "object", "array", "object or array")
_BRACKET = re.compile(r"[\[{]")


@dataclass(frozen=True, slots=True)
class JsonValid:
    kind: str = param("any", "what the JSON must be", choices=KINDS)
    allow_fence: bool = param(False, "a Markdown code fence around the JSON is taken off first")
    anywhere: bool = param(False, "an object or array somewhere in the output is enough")


@dataclass(frozen=True, slots=True)
class JsonSchema:
    schema: dict[str, Any] = field(
        default_factory=dict, metadata={"meaning": "JSON Schema, draft 7 or 2020-12; `$ref` only to places in itself"}
    )
    allow_fence: bool = param(False, "a Markdown code fence around the JSON is taken off first")
    anywhere: bool = param(False, "an object or array somewhere in the output that fits is enough")
    formats: bool = param(False, "`format` is checked too: date, date-time, email, ipv4, ipv6 and uuid")


def json_valid(params: JsonValid) -> Scorer:
    kinds: Any = {"any": object, "object": dict, "array": list, "object or array": (dict, list)}[params.kind]

    def score(output: str, expected: Json) -> Outcome:
        if params.anywhere:
            there = any(isinstance(value, kinds) for value in inside(output))
            return verdict(there, "the output holds JSON", "no JSON of this kind in the output")
        try:
            value = parse(output, allow_fence=params.allow_fence)
        except ValueError as error:
            return verdict(False, "", str(error))
        return verdict(isinstance(value, kinds), "valid JSON", f"JSON, but no {params.kind}")

    return score


def json_schema(params: JsonSchema) -> Scorer:
    check = schemas.compiled(params.schema, formats=params.formats)

    def score(output: str, expected: Json) -> Outcome:
        try:
            values = inside(output) if params.anywhere else [parse(output, allow_fence=params.allow_fence)]
        except ValueError as error:
            return verdict(False, "", str(error))
        problem: str | None = "no JSON in the output"
        try:
            for value in values:
                problem = check(value)
                if problem is None:
                    break
        except schemas.TooMuchWork:
            return Unscored("checking the schema takes too much work on this output")
        return verdict(problem is None, "valid by the schema", problem or "")

    return score


def inside(text: str) -> list[Json]:
    """The outermost objects and arrays that stand in a text, in order; after MAX_TRIES brackets the rest is left."""
    if len(text) > MAX_CHARACTERS:
        return []
    found: list[Json] = []
    place = 0
    for _ in range(MAX_TRIES):
        bracket = _BRACKET.search(text, place)
        if bracket is None:
            break
        place = bracket.start() + 1
        try:
            value, place = _DECODER.raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            continue
        found.append(value)
    return found


def parse(text: str, *, allow_fence: bool = False) -> Json:
    """The value of a JSON text by RFC 8259: any kind of value at the top, nothing around it but white space.

    :raises ValueError: with a reason for people.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"longer than {MAX_CHARACTERS:,} characters")
    body = _without_fence(text) if allow_fence else text
    try:
        return json.loads(body, parse_constant=_refuse, parse_float=_finite, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}, near {shown(body[error.pos :], 30)}"
        ) from None
    except RecursionError:
        raise ValueError("not readable as JSON: nested too deeply") from None


def _without_fence(text: str) -> str:
    lines = text.strip().splitlines()
    if len(lines) >= 2 and lines[0].startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return text


def _refuse(name: str) -> Json:
    raise ValueError(f"not JSON: {name} is not a number of JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"the number {literal[:20]} is out of range")
    return number


def _integer(literal: str) -> int:
    if len(literal) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(literal):,} digits is out of range")
    return int(literal)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, parse_int=_integer)

METRICS = (
    Metric("json_valid", "the output is JSON", JsonValid, json_valid, family="structure"),
    Metric("json_schema", "the output is JSON of the given shape", JsonSchema, json_schema, family="structure"),
)
