"""What went into a model or a step and what came out, under whatever names it was recorded.

Sources: the OpenTelemetry GenAI conventions (attributes and events; current and deprecated), OpenInference's semantic
conventions, OpenLLMetry (Traceloop), the Vercel AI SDK, Langfuse, MLflow, Genkit, Google ADK, LiveKit, pydantic-ai.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback.otlp.attributes import below, first, nested, opened
from feedback.otlp.wire import Event, WireSpan

Json = Any

# Content under one name, the first that says anything counts.
INPUT_NAMES = (
    "gen_ai.prompt", "gen_ai.tool.call.arguments", "ai.toolCall.args", "ai.prompt.messages", "ai.prompt", "ai.values",
    "ai.value", "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.llm_request", "input.value",
    "traceloop.entity.input", "genkit:input", "mlflow.spanInputs", "lk.input_text", "lk.user_transcript",
    "lk.function_tool.arguments", "lk.chat_ctx", "tool_arguments", "pydantic_ai.all_messages", "all_messages_events",
    "gen_ai.retrieval.query.text", "db.query.text", "db.statement", "tool.parameters", "request_data", "input",
    "prompt",
)  # fmt: skip
OUTPUT_NAMES = (
    "gen_ai.completion", "gen_ai.tool.call.result", "ai.toolCall.result", "ai.response.text", "ai.response.object",
    "ai.response.toolCalls", "ai.result.text", "ai.result.object", "gcp.vertex.agent.tool_response",
    "gcp.vertex.agent.llm_response", "output.value", "traceloop.entity.output", "genkit:output", "mlflow.spanOutputs",
    "lk.response.text", "lk.function_tool.output", "tool_response", "final_result", "response_data", "output",
)  # fmt: skip
TRACE_INPUT, TRACE_OUTPUT = "langfuse.trace.input", "langfuse.trace.output"
# Events that carry a message each, and who speaks in them.
INPUT_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
DETAILS_EVENT = "gen_ai.client.inference.operation.details"
FLAT = frozenset({"gen_ai.prompt", "gen_ai.completion"})
DOCUMENTS = ("retrieval.documents", "reranker.output_documents")
EMPTY: tuple[Json, ...] = (None, "", "{}", "[]", "null", [], {})


@dataclass(frozen=True, slots=True)
class Found:
    """Content, and the names (and beginnings of names) of the attributes that it was taken from."""

    value: Json = None
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def covers(self, name: str) -> bool:
        return name in self.names or name.startswith(self.prefixes)


def input_of(span: WireSpan) -> Found:
    """What went in: messages as `[{role, content}]` where they are messages."""
    return _found(
        span, "langfuse.observation.input", "gen_ai.input.messages", _input_events, INPUT_FAMILIES, INPUT_NAMES
    )


def output_of(span: WireSpan) -> Found:
    """What came out; the documents of a retrieval as `[{content, …}]`."""
    for family in DOCUMENTS:
        if entries := nested(span.attributes, family):
            return Found([_document(entry) for entry in entries], prefixes=(f"{family}.",))
    if (documents := opened(span.attributes.get("gen_ai.retrieval.documents"))) not in EMPTY:
        return Found(documents, names=("gen_ai.retrieval.documents",))
    results = [event.attributes for event in span.events if event.name in {"db.query.result", "db.search.result"}]
    if results:
        return Found([_document(result) for result in results])
    found = _found(
        span, "langfuse.observation.output", "gen_ai.output.messages", _output_events, OUTPUT_FAMILIES, OUTPUT_NAMES
    )
    return Found(answer_of(found.value), found.names, found.prefixes)


def answer_of(value: Json) -> Json:
    """The text alone, where a list holds nothing but one message of text."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        message = value[0]
        if isinstance(message.get("content"), str) and set(message) <= {"role", "content", "finish_reason"}:
            return message["content"]
    return value


def message_of(value: Json) -> Json:
    """A message of the current convention, `{role, parts}`, as `{role, content}`; anything else as it is."""
    if not isinstance(value, dict) or not isinstance(value.get("parts"), list):
        return value
    parts = value["parts"]
    rest = {name: item for name, item in value.items() if name != "parts" and item is not None}
    texts = [str(part.get("content", "")) for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) == len(parts):
        return {**rest, "content": "\n".join(texts)}
    return {**rest, "content": parts}


Family = tuple[str, Callable[[Mapping[str, Json]], Json]]


def _found(
    span: WireSpan,
    observed: str,
    messages: str,
    from_events: Callable[[Sequence[Event]], Json],
    families: Sequence[Family],
    names: Sequence[str],
) -> Found:
    attributes = span.attributes
    if (value := opened(attributes.get(observed))) not in EMPTY:
        return Found(value, names=(observed,))
    if (value := opened(attributes.get(messages))) not in EMPTY:
        used = [messages]
        value = [message_of(one) for one in value] if isinstance(value, list) else value
        system = opened(attributes.get("gen_ai.system_instructions"))
        if messages == "gen_ai.input.messages" and system not in EMPTY and isinstance(value, list):
            used.append("gen_ai.system_instructions")
            parts = system if isinstance(system, list) else [{"type": "text", "content": system}]
            value = [message_of({"role": "system", "parts": parts}), *value]
        return Found(value, names=tuple(used))
    if (value := from_events(span.events)) not in EMPTY:
        return Found(value)
    for prefix, read in families:
        if entries := nested(attributes, prefix):
            return Found([read(entry) for entry in entries], prefixes=(f"{prefix}.",))
    return _plain(attributes, names)


def _plain(attributes: Mapping[str, Json], names: Sequence[str]) -> Found:
    for name in names:
        value = attributes.get(name)
        if value not in EMPTY:
            return Found(opened(value), names=(name,))
        # The flat form without numbers: `gen_ai.prompt.role`, `gen_ai.prompt.content`.
        if name in FLAT and isinstance((parts := below(attributes, name)).get("content"), str):
            return Found([_flat_message(parts)], prefixes=(f"{name}.",))
    return Found()


def _flat_message(entry: Mapping[str, Json]) -> Json:
    """OpenLLMetry: `role`, `content`, `tool_calls.0.name`."""
    message = {name: entry[name] for name in ("role", "content", "finish_reason") if entry.get(name) is not None}
    if calls := nested(entry, "tool_calls"):
        message["tool_calls"] = calls
    if "content" in message:
        message["content"] = _parts(opened(message["content"]), message["content"])
    return message or dict(entry)


def _inference_message(entry: Mapping[str, Json]) -> Json:
    """OpenInference: `message.role`, `message.content`, `message.contents.0.message_content.text`."""
    inner = below(entry, "message")
    message: dict[str, Json] = {
        name: inner[name] for name in ("role", "content", "name") if inner.get(name) is not None
    }
    if contents := nested(inner, "contents"):
        parts = [below(part, "message_content") for part in contents]
        message["content"] = _parts(parts, parts)
    if calls := nested(inner, "tool_calls"):
        message["tool_calls"] = [below(call, "tool_call") for call in calls]
    return message or dict(entry)


def _parts(parts: Json, otherwise: Json) -> Json:
    """The joined text of parts that are all text."""
    if isinstance(parts, list) and parts and all(isinstance(part, dict) and "text" in part for part in parts):
        return "\n".join(str(part["text"]) for part in parts)
    return otherwise


def _document(entry: Mapping[str, Json]) -> Json:
    """`document.content`, `document.score`, `document.metadata` and so on, without the first word."""
    named = {name.removeprefix("document.").removeprefix("db.query.result."): value for name, value in entry.items()}
    if isinstance(named.get("document"), str) and "content" not in named:
        named["content"] = named.pop("document")
    return {name: opened(value) if name == "metadata" else value for name, value in named.items()}


def _input_events(events: Sequence[Event]) -> Json:
    return _event_content(events, "gen_ai.input.messages", "gen_ai.content.prompt", "gen_ai.prompt") or [
        _said(event, INPUT_EVENTS[event.name]) for event in events if event.name in INPUT_EVENTS
    ]


def _output_events(events: Sequence[Event]) -> Json:
    return _event_content(events, "gen_ai.output.messages", "gen_ai.content.completion", "gen_ai.completion") or [
        _said(event, "assistant") for event in events if event.name == "gen_ai.choice"
    ]


def _event_content(events: Sequence[Event], details: str, name: str, attribute: str) -> Json:
    for event in events:
        value = opened(event.attributes.get(details if event.name == DETAILS_EVENT else attribute))
        if event.name in {DETAILS_EVENT, name} and value not in EMPTY:
            return [message_of(one) for one in value] if isinstance(value, list) else value
    return None


def _said(event: Event, role: str) -> Json:
    inner = opened(first(event.attributes, ("message", "gen_ai.event.content")))
    given = inner if isinstance(inner, dict) else event.attributes
    message = {"role": given.get("role") or role, "content": opened(given.get("content", inner))}
    if (calls := opened(given.get("tool_calls"))) not in EMPTY:
        message["tool_calls"] = calls
    return message


INPUT_FAMILIES: tuple[Family, ...] = (("llm.input_messages", _inference_message), ("gen_ai.prompt", _flat_message))
OUTPUT_FAMILIES: tuple[Family, ...] = (
    ("llm.output_messages", _inference_message),
    ("gen_ai.completion", _flat_message),
)
