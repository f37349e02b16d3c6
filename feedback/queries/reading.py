"""A logged call's JSON as turns, contexts and steps that people can read, whatever shape it came in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feedback.models import Call

LONGEST_SHOWN = 20_000
MOST_SPANS = 200
ROLES = {"assistant": "Assistant", "user": "User", "human": "User", "ai": "Assistant", "system": "System"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation. `is_answer` marks the output that the feedback is about, `is_later` what came
    after it."""

    who: str
    text: str
    is_model: bool
    is_answer: bool = False
    is_later: bool = False
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """A passage that was given to the model; `note` is where it came from and how well it matched."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a trace; `start` and `width` are percentages of the whole."""

    name: str
    latency_ms: float | None
    start: float
    width: float
    is_model: bool
    error: str = ""


def shown(value: Any) -> str:
    """A JSON value as people read it: text as it is, everything else indented."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n… {len(text) - LONGEST_SHOWN:,} more"


def has_history(call: Call) -> bool:
    """Whether the call's messages hold earlier answers, so that the conversation before it is in them already."""
    return any(_role(message) in {"assistant", "ai"} for message in _messages(call) or [])


def turns_of(call: Call, *, is_answer: bool = False, is_later: bool = False) -> list[Turn]:
    """The messages of a call, or its input, and then its answer."""
    messages = _messages(call)
    turns = []
    if messages is not None:
        for message in messages:
            role = _role(message)
            who = ROLES.get(role, role.capitalize() or "Message")
            turns.append(Turn(who, _content(message), who == "Assistant", is_later=is_later))
    elif call.inputs is not None:
        turns.append(Turn("Input", _input(call.inputs), is_model=False, is_later=is_later, at=call.started_at))
    answer = f"Failed: {call.error}" if call.error else _output(call.output) if call.output is not None else ""
    if answer:
        turns.append(Turn("Answer", answer, is_model=True, is_answer=is_answer, is_later=is_later, note=call.model))
    return turns


def inputs_of(call: Call) -> list[tuple[str, str]]:
    """The inputs by name, as sent."""
    if isinstance(call.inputs, dict):
        return [(str(name), shown(value)) for name, value in call.inputs.items()]
    return [] if call.inputs is None else [("input", shown(call.inputs))]


def contexts_of(call: Call) -> list[Context]:
    """The passages that were retrieved; objects show their text first, then what else they say."""
    return [_context(value) for value in call.contexts] if isinstance(call.contexts, list) else []


def spans(trace: Any) -> list[Span]:
    """The steps of a trace, drawn one after the other unless they say when they began."""
    if isinstance(trace, dict):
        trace = trace.get("spans", trace.get("steps"))
    steps = trace if isinstance(trace, list) else []
    rows: list[tuple[str, float | None, float, bool, str]] = []
    clock = 0.0
    for step in steps[:MOST_SPANS]:
        if not isinstance(step, dict):
            continue
        latency = _number_or_none(step.get("latency_ms", step.get("duration_ms")))
        offset = _number_or_none(step.get("offset_ms", step.get("start_ms")))
        begin = clock if offset is None else offset
        name = str(step.get("name") or step.get("step") or step.get("kind") or "step")[:100]
        error = step.get("error")
        rows.append((name, latency, begin, step.get("kind") == "llm", str(error or "")[:300]))
        clock = max(clock, begin + (latency or 0))
    whole = clock or 1.0
    return [
        Span(name, ms, round(100 * begin / whole, 2), max(1.0, round(100 * (ms or 0) / whole, 2)), is_model, error)
        for name, ms, begin, is_model, error in rows
    ]


def _messages(call: Call) -> list[dict[str, Any]] | None:
    messages = call.inputs.get("messages") if isinstance(call.inputs, dict) else call.inputs
    if not isinstance(messages, list) or not messages:
        return None
    return messages if all(isinstance(one, dict) and "role" in one for one in messages) else None


def _role(message: dict[str, Any]) -> str:
    return str(message.get("role", ""))[:40].lower()


def _content(message: dict[str, Any]) -> str:
    text = _parts(message.get("content", ""))
    called = message.get("tool_calls")
    if isinstance(called, list) and called:
        text = "\n".join(part for part in [text, *(_tool_call(one) for one in called)] if part)
    return text


def _parts(content: Any) -> str:
    """Text, or content parts such as `[{"type": "text", "text": …}]` as their text."""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return "" if content is None else shown(content)
    texts = [part["text"] if isinstance(part.get("text"), str) else shown(part) for part in content]
    return shown("\n".join(texts))


def _tool_call(called: Any) -> str:
    function = called.get("function") if isinstance(called, dict) else None
    if not isinstance(function, dict):
        return shown(called)
    return f"→ {str(function.get('name', ''))[:100]}({shown(function.get('arguments', ''))})"


def _input(inputs: Any) -> str:
    if not isinstance(inputs, dict):
        return shown(inputs)
    values = list(inputs.values())
    return shown(values[0] if len(values) == 1 else "\n\n".join(f"{k}: {shown(v)}" for k, v in inputs.items()))


def _output(output: Any) -> str:
    """The answer; a message object shows its content."""
    if isinstance(output, dict) and "role" in output and "content" in output:
        return _content(output)
    return shown(output)


def _context(value: Any) -> Context:
    if not isinstance(value, dict):
        return Context(shown(value))
    name = next((key for key in ("text", "content", "page_content", "document") if isinstance(value.get(key), str)), "")
    if not name:
        return Context(shown(value))
    notes = [f"{key} {shown(inner)}"[:200] for key, inner in value.items() if key != name and inner is not None]
    return Context(shown(value[name]), ", ".join(notes[:6]))


def _number_or_none(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e12 else None
