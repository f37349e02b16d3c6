"""The shape of a judge's answer, and reading it: strictly, or not at all."""

from __future__ import annotations

from typing import Any

from evals.judges.specs import PAIRWISE, Scale
from evals.metrics.types import Outcome, Score, Unscored
from llmops.common import text as intake
from llmops.common.errors import DomainError

Json = Any

MAX_ANSWER = 64 * 1024
MAX_REASON = 4_000


def response_schema(scale: Scale) -> dict[str, Json]:
    """The reason comes first: models judge better after they have written it."""
    field, shape = _verdict_field(scale)
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, field: shape},
        "required": ["reason", field],
        "additionalProperties": False,
    }


def answer_in_words(scale: Scale) -> str:
    """The same for models that are not held to a schema."""
    field, shape = _verdict_field(scale)
    allowed = (
        " or ".join(f'"{word}"' for word in shape["enum"])
        if "enum" in shape
        else f"a whole number from {scale.low} to {scale.high}"
    )
    return (
        "Answer with one JSON object and nothing around it, no code fence: "
        f'{{"reason": "<one or two sentences>", "{field}": <{allowed}>}}.'
    )


def verdict(answer: str, scale: Scale) -> Outcome:
    """The score in a judge's answer. Anything that does not fit the schema exactly is unscored: nothing is guessed."""
    try:
        value = intake.loads(answer, max_bytes=MAX_ANSWER)
    except DomainError as error:
        return Unscored(f"the judge's answer cannot be read: {error.message[:200]}")
    field, _ = _verdict_field(scale)
    if not isinstance(value, dict) or set(value) != {"reason", field}:
        return Unscored(f"the judge's answer must be an object with “reason” and “{field}” alone")
    reason, given = value["reason"], value[field]
    if not isinstance(reason, str):
        return Unscored("the judge's reason is not a text")
    if scale.is_pairwise and given in ("first", "second", "tie"):
        return Score({"first": 1.0, "tie": 0.5, "second": 0.0}[given], None, reason[:MAX_REASON], str(given))
    if scale.kind == "pass_fail" and given in ("pass", "fail"):
        return Score(float(given == "pass"), given == "pass", reason[:MAX_REASON], str(given))
    if scale.kind == "choice" and isinstance(given, str) and given in scale.choices:
        return _score(scale, float(scale.choices[given]), reason, given)
    if scale.kind == "score" and type(given) is int and scale.low <= given <= scale.high:
        return _score(scale, (given - scale.low) / (scale.high - scale.low), reason, str(given))
    return Unscored(f"the judge's {field} {str(given)[:40]!r} is not on the scale")


def _score(scale: Scale, value: float, reason: str, category: str) -> Score:
    passed = None if scale.pass_at is None else value >= scale.pass_at
    return Score(value, passed, reason[:MAX_REASON], category)


def _verdict_field(scale: Scale) -> tuple[str, dict[str, Json]]:
    if scale.kind == "score":
        return "score", {"type": "integer", "minimum": scale.low, "maximum": scale.high}
    words = {"choice": list(scale.choices), PAIRWISE: ["first", "second", "tie"]}.get(scale.kind, ["pass", "fail"])
    return "verdict", {"type": "string", "enum": words}
