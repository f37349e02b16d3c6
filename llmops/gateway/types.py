"""What goes to a model and what comes back; and the one shape of a trace. No Django here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Message:
    """`content` is text, or parts such as `[{"type": "text", "text": …}]`."""

    role: str
    content: str | Sequence[Mapping[str, Json]]

    @property
    def text(self) -> str:
        """The text alone."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call. `parameters` are the platform's names (temperature, top_p, max_output_tokens, stop, seed) or the
    provider's own; `response_schema` asks for JSON that fits a JSON Schema."""

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    tools: Json = None
    response_schema: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None where it said nothing, or nonsense."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. `model` is the one that answered, which may be more exact than the one asked for."""

    text: str
    model: str
    finish_reason: str = ""
    usage: Usage = Usage()
    latency_ms: int = 0
    tool_calls: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to be placed in a model's space, one vector each; `dimensions` where a model offers shorter vectors."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in their order, all of one length, finite and of single precision.

    `model` is the one that answered.
    """

    vectors: tuple[tuple[float, ...], ...]
    model: str
    usage: Usage = Usage()
    latency_ms: int = 0


Request = CompletionRequest | EmbeddingRequest
Answer = Completion | Embeddings


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try of a call, good or not; the caller stores them in bulk. `outcome` is `ok` or an error's code."""

    number: int
    model_asked: str
    model_answered: str
    outcome: str
    http_status: int | None
    usage: Usage
    latency_ms: int
    started_at: float


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a trace; times in milliseconds from the trace's start. `parent` is the id of the step around it."""

    name: str
    kind: str = "llm"
    start_ms: int = 0
    duration_ms: int = 0
    input: Json = None
    output: Json = None
    attributes: Mapping[str, Json] = field(default_factory=dict)
    error: str = ""
    id: str = ""
    parent: str = ""


def trace_json(spans: Sequence[Span]) -> dict[str, Json]:
    """The shape that results, try-outs and logged calls store."""
    return {"v": 1, "spans": [asdict(span) for span in spans]}


def spans_of(trace: Mapping[str, Json]) -> tuple[Span, ...]:
    """Read what `trace_json` wrote; an empty trace has no spans.

    :raises ValueError: for a version of the shape that this code does not know.
    """
    if not trace:
        return ()
    if trace.get("v") != 1:
        raise ValueError(f"trace of version {trace.get('v')!r}")
    return tuple(Span(**span) for span in trace["spans"])
