"""The steps of a call in the one shape of a trace, whatever shape they were sent in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmops.common.errors import Invalid
from llmops.gateway.types import Span, trace_json

Json = Any

MOST_SPANS = 1_000
LONGEST_NAME = 200
LONGEST_ID = 64
# What senders call a field of a step, the first that is there counts; everything else is an attribute.
NAMES = ("name", "step")
KINDS = ("kind", "type")
IDS = ("id", "span_id")
PARENTS = ("parent", "parent_id", "parent_span_id")
STARTS = ("start_ms", "offset_ms")
DURATIONS = ("duration_ms", "latency_ms")
INPUTS = ("input", "inputs")
OUTPUTS = ("output", "outputs")
SAME_KIND = {"model": "llm", "generation": "llm", "retriever": "retrieval", "retrieve": "retrieval"}
TEXT_OF_DOCUMENT = ("content", "page_content", "text", "document", "body")


def normalised(trace: Sequence[Json] | Mapping[str, Json]) -> dict[str, Json]:
    """The trace as `llmops.gateway.types.trace_json` writes it.

    A list of steps, or an object with `spans` or `steps`. Steps that do not say when they began stand one after the
    other. An entry that is no object is kept as the output of a step, so nothing that was sent is lost.

    :raises Invalid: for more than MOST_SPANS steps.
    """
    steps = _steps(trace)
    if len(steps) > MOST_SPANS:
        reason = f"has {len(steps):,} steps; the limit is {MOST_SPANS:,}"
        raise Invalid(f"trace {reason}.", fields={"trace": reason})
    spans: list[Span] = []
    clock = 0
    for step in steps:
        spans.append(span := _span(step, clock))
        clock = max(clock, span.start_ms + span.duration_ms)
    return trace_json(spans)


def contexts_of(spans: Sequence[Mapping[str, Json]]) -> list[Json] | None:
    """What the retrieval steps of a trace found, in order; None when there is no such step."""
    found = [
        document
        for span in spans
        if span["kind"] in {"retrieval", "reranker"} and isinstance(span["output"], list)
        for document in span["output"]
    ]
    return [_text_of(document) for document in found] or None


def _steps(trace: Sequence[Json] | Mapping[str, Json]) -> Sequence[Json]:
    if not isinstance(trace, Mapping):
        return trace
    for name in ("spans", "steps"):
        if isinstance(trace.get(name), list):
            return trace[name]  # type: ignore[no-any-return]
    return [trace] if trace else []


def _span(step: Json, clock: int) -> Span:
    if not isinstance(step, dict):
        return Span(name="step", kind="step", start_ms=clock, output=step)
    rest = dict(step)
    name, kind = _take(rest, NAMES), _take(rest, KINDS)
    start, duration = _milliseconds(_take(rest, STARTS)), _milliseconds(_take(rest, DURATIONS))
    inner = rest.pop("attributes", None)
    error = rest.pop("error", None)
    kind = kind if isinstance(kind, str) else "llm" if "model" in rest else "step"
    return Span(
        id=_short(_take(rest, IDS), LONGEST_ID),
        parent=_short(_take(rest, PARENTS), LONGEST_ID),
        name=_short(name, LONGEST_NAME) or kind,
        kind=SAME_KIND.get(kind.lower(), kind.lower())[:60],
        start_ms=clock if start is None else start,
        duration_ms=duration or 0,
        input=_take(rest, INPUTS),
        output=_take(rest, OUTPUTS),
        attributes={**rest, **inner} if isinstance(inner, dict) else rest if inner is None else {**rest, "was": inner},
        error="" if error is None else error if isinstance(error, str) else str(error),
    )


def _take(step: dict[str, Json], names: Sequence[str]) -> Json:
    """The value under the first of the names that is there; it is taken out."""
    for name in names:
        if step.get(name) is not None:
            return step.pop(name)
    return None


def _milliseconds(value: Json) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value) if is_number and 0 <= value < 1e12 else None


def _short(value: Json, longest: int) -> str:
    if isinstance(value, str):
        return value[:longest]
    return str(value)[:longest] if isinstance(value, int) else ""


def _text_of(document: Json) -> Json:
    if isinstance(document, dict):
        for name in TEXT_OF_DOCUMENT:
            if isinstance(document.get(name), str):
                return document[name]
    return document
