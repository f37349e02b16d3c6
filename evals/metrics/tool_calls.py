"""Calls of functions and tools: of the right form, with arguments that fit, and the expected ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evals.metrics import schemas, structure
from evals.metrics.json_values import as_json, same
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.types import CallFacts, CallScorer, Json, Metric, Outcome, Score, Unscored, param, verdict
from llmops.common.errors import Invalid

MAX_CALLS = 100
FORMS = ("any", "openai_tools", "openai_function", "google")
# Text that stands for the answer of a tool of the Model Context Protocol.
_MCP = re.compile(r"MCP Tool (Result|Error)(?: ?\(([^()\n]{1,200})\))?:?([^\n]*)")
_NO_CALLS = "the output holds no call of this form"


@dataclass(frozen=True, slots=True)
class Made:
    """One call, whichever provider's form it had."""

    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class ToolCall:
    functions: dict[str, Any] = field(
        default_factory=dict,
        metadata={"meaning": "the functions that exist, by name, with the JSON Schema of their arguments; empty: any"},
    )
    form: str = param("any", "whose form the calls have", choices=FORMS)
    mcp: bool = param(False, "texts of MCP tools count: a result is right, an error is wrong")


@dataclass(frozen=True, slots=True)
class ToolCallF1:
    names_only: bool = param(False, "arguments do not count")


def tool_call(params: ToolCall) -> CallScorer:
    """Right when there is a call, and every call names a known function with arguments that fit its schema."""
    checks = _checks(params.functions)

    def score(output: str, expected: Json, call: CallFacts) -> Outcome:
        if params.mcp and (found := _of_mcp(output)) is not None:
            return found
        calls = calls_of(output, call, params.form)
        if not calls:
            return verdict(False, "", _NO_CALLS)
        try:
            for made in calls:
                if problem := _problem(made, checks):
                    return verdict(False, "", problem)
        except schemas.TooMuchWork:
            return Unscored("checking the schema takes too much work on this output")
        return verdict(True, f"{len(calls)} calls that fit" if len(calls) > 1 else "a call that fits", "")

    return score


def _checks(functions: dict[str, Any]) -> dict[str, Callable[[Any], str | None]]:
    checks = {}
    for name, schema in functions.items():
        if not isinstance(schema, dict):
            raise Invalid("A function has no schema.", fields={"params.functions": f"{name[:60]} must have an object"})
        checks[name] = schemas.compiled(schema, "params.functions")
    return checks


def _problem(made: Made, checks: dict[str, Callable[[Any], str | None]]) -> str:
    if not checks:
        return ""
    check = checks.get(made.name)
    if check is None:
        return f"there is no function “{made.name[:60]}”"
    wrong = check(made.arguments)
    return f"call of “{made.name[:60]}”: {wrong}" if wrong else ""


def _of_mcp(output: str) -> Score | None:
    texts = list(_MCP.finditer(output))
    if not texts:
        return None
    errors = [text for text in texts if text.group(1) == "Error"]
    shown = (errors or texts)[0]
    name = shown.group(2) or "a tool"
    said = shown.group(3).strip()[:200] or "no reason"
    return verdict(not errors, f"{name} gave a result", f"{name} failed: {said}")


def tool_call_f1(params: ToolCallF1) -> CallScorer:
    """Harmonic mean of precision and recall over calls; equal name and equal arguments make a call the expected one.

    The expected value is a list of calls in any of the forms.
    """

    def score(output: str, expected: Json, call: CallFacts) -> Outcome:
        if expected is None:
            return NOTHING_EXPECTED
        wanted, got = _made(as_json(expected), "any"), calls_of(output, call, "any")
        if wanted is None:
            return Unscored("the expected value is no list of calls")
        left, right = list(wanted), 0
        for made in got or []:
            match = next((one for one in left if _equal(made, one, params.names_only)), None)
            if match is not None:
                left.remove(match)
                right += 1
        both = len(got or []) + len(wanted)
        value = 2 * right / both if both else 1.0
        return Score(value, None, f"{right} of {len(wanted)} expected calls, {len(got or [])} made")

    return score


def _equal(made: Made, wanted: Made, names_only: bool) -> bool:
    return made.name == wanted.name and (names_only or same(made.arguments, wanted.arguments))


def calls_of(output: str, call: CallFacts, form: str) -> list[Made]:
    """The calls that the output writes, else those that the provider gave apart from its text."""
    try:
        value = structure.parse(output)
    except ValueError:
        value = None
    found = _made(value, form)
    if not found and call.tool_calls:
        found = _made([dict(one) for one in call.tool_calls], "any")
    return found or []


def _made(value: Json, form: str) -> list[Made] | None:
    """None when the value is not of the form; an empty list of calls is one."""
    items = _unwrapped(value, form)
    if items is None or len(items) > MAX_CALLS:
        return None
    read = [_read(item, form) for item in items]
    return None if any(one is None for one in read) else [one for one in read if one is not None]


def _unwrapped(value: Json, form: str) -> list[Json] | None:
    """The list of calls inside what providers put around it."""
    if isinstance(value, list):
        return None if form == "openai_function" else value
    if not isinstance(value, dict):
        return None
    if form in ("any", "openai_tools") and isinstance(value.get("tool_calls"), list):
        return list(value["tool_calls"])
    if form in ("any", "google") and isinstance(value.get("toolCall"), dict):
        calls = value["toolCall"].get("functionCalls")
        return calls if isinstance(calls, list) else None
    return None if form == "openai_tools" else [value]


def _read(item: Json, form: str) -> Made | None:
    if not isinstance(item, dict):
        return None
    for key, forms in (("function", {"any", "openai_tools"}), ("function_call", {"any", "openai_function"}),
                       ("functionCall", {"any", "google"})):  # fmt: skip
        if isinstance(item.get(key), dict) and form in forms:
            return _named(item[key])
    return None if form == "openai_tools" else _named(item)


def _named(item: dict[str, Json]) -> Made | None:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        return None
    given: Json = next(
        (item[key] for key in ("arguments", "args", "input", "parameters") if item.get(key) is not None), {}
    )
    if isinstance(given, str):
        try:
            given = structure.parse(given)
        except ValueError:
            return Made(name, None)
    return Made(name, given)


METRICS = (
    Metric(
        "tool_call",
        "the output calls a function that exists, with arguments that fit",
        ToolCall,
        tool_call,
        family="structure",
        needs_call=True,
    ),
    Metric(
        "tool_call_f1",
        "calls in common with the expected ones",
        ToolCallF1,
        tool_call_f1,
        pass_fail=False,
        family="structure",
        needs_call=True,
    ),
)
