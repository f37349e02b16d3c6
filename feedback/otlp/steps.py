"""One span of ours for each of theirs: content apart, the rest of the attributes kept, people's ids taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from feedback.otlp import conventions, messages
from feedback.otlp.attributes import first, opened, text
from feedback.otlp.wire import Attributes, WireSpan
from llmops.gateway.types import Span

Json = Any

LONGEST_NAME = 200
LONGEST_ERROR = 20_000


@dataclass(frozen=True, slots=True)
class Step:
    """A span with what the call of its trace needs to know. Times are nanoseconds since 1970, 0 where none is known.

    `end_user` and `session` are apart, because neither is stored as it was sent.
    """

    trace_id: str
    span: Span
    start_ns: int = 0
    end_ns: int = 0
    resource: Attributes = field(default_factory=dict)
    end_user: str = ""
    session: str = ""

    @property
    def heads_its_trace(self) -> bool:
        """Nothing stands above it, or its sender says that what does was not meant to be sent."""
        return not self.span.parent or first(self.span.attributes, conventions.IS_ROOT) in {True, "true"}


def step_of(span: WireSpan) -> Step:
    """The span in the shape of a trace. Attributes that are not understood stay under their names."""
    came, went = messages.input_of(span), messages.output_of(span)
    kept = {
        name: value
        for name, value in span.attributes.items()
        if not came.covers(name) and not went.covers(name) and name not in conventions.END_USER
    }
    kind = conventions.kind_of(span.attributes, span.name, span.scope)
    if span.scope:
        kept.setdefault("otel.scope.name", span.scope)
    return Step(
        trace_id=span.trace_id,
        span=Span(
            id=span.span_id,
            parent=span.parent_id,
            name=span.name[:LONGEST_NAME] or kind,
            kind=kind,
            duration_ms=max(0, span.end_ns - span.start_ns) // 1_000_000 if span.end_ns and span.start_ns else 0,
            input=came.value,
            output=went.value,
            attributes=kept,
            error=_error(span),
        ),
        start_ns=span.start_ns,
        end_ns=max(span.end_ns, span.start_ns),
        resource={name: value for name, value in span.resource.items() if name not in conventions.END_USER},
        end_user=text(first(span.attributes, conventions.END_USER), 200),
        session=text(first(span.attributes, conventions.SESSION), 200),
    )


def step_json(step: Step) -> dict[str, Json]:
    """What is stored of a step that waits for the head of its trace; the person and the session go elsewhere."""
    return {"span": asdict(step.span), "start_ns": step.start_ns, "end_ns": step.end_ns, "resource": step.resource}


def step_from_json(trace_id: str, value: Mapping[str, Json], *, end_user: str, session: str) -> Step:
    """Read what `step_json` wrote."""
    return Step(
        trace_id=trace_id,
        span=Span(**value["span"]),
        start_ns=value["start_ns"],
        end_ns=value["end_ns"],
        resource=value["resource"],
        end_user=end_user,
        session=session,
    )


def _error(span: WireSpan) -> str:
    """The status message, else the exception that was recorded; empty when the span is no failure."""
    level = text(span.attributes.get("langfuse.observation.level"), 20).upper()
    if not span.is_error and level != "ERROR":
        return ""
    said = [span.message, text(span.attributes.get("langfuse.observation.status_message"), LONGEST_ERROR)]
    for event in span.events:
        if event.name == "exception":
            named = (text(event.attributes.get(f"exception.{part}"), LONGEST_ERROR) for part in ("type", "message"))
            said.append(": ".join(part for part in named if part))
    said.append(text(opened(span.attributes.get("error.type")), 200))
    return next((one for one in said if one), "failed")[:LONGEST_ERROR]
