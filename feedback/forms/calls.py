"""The shape of a logged call."""

from __future__ import annotations

from typing import Any

from feedback import traces
from feedback.forms.fields import MAX_TEXT, Reader
from feedback.services.calls import NewCall
from llmops.common.errors import Invalid

ALIASES = {"client_id": "id", "user": "end_user", "spans": "trace"}
USAGE = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
KNOWN = frozenset(
    {
        "id", "prompt", "version", "label", "commit", "session", "end_user", "environment", "model", "inputs",
        "output", "contexts", "trace", "metadata", "tags", "latency_ms", "usage", "tokens_in", "tokens_out",
        "cost_usd", "error", "started_at",
    }
)  # fmt: skip


def read(item: dict[str, Any], body: bytes, repaired: bool) -> tuple[NewCall, tuple[str, ...]]:
    """The call, and warnings about what was not understood.

    :raises Invalid: naming every field that is not acceptable.
    """
    reader = Reader(item, ALIASES)
    contexts = reader.get("contexts")
    if contexts is not None and not isinstance(contexts, list):
        reader.problems["contexts"] = "must be a list"
    trace = _trace(reader)
    if contexts is None and trace is not None and "contexts" not in reader.problems:
        contexts = traces.contexts_of(trace["spans"])
    tokens_in, tokens_out = _usage(reader)
    call = NewCall(
        body=body,
        client_id=reader.identifier("id"),
        prompt=reader.text("prompt", 300),
        version=reader.whole("version"),
        label=reader.text("label", 100),
        commit=reader.text("commit", 64),
        session=reader.identifier("session"),
        end_user=reader.identifier("end_user"),
        environment=reader.text("environment", 60),
        model=reader.text("model", 200),
        inputs=reader.get("inputs"),
        output=reader.get("output"),
        contexts=contexts,
        trace=trace,
        metadata=reader.get("metadata"),
        tags=reader.tags(),
        latency_ms=reader.whole("latency_ms"),
        tokens_in=reader.whole("tokens_in") if tokens_in is None else tokens_in,
        tokens_out=reader.whole("tokens_out") if tokens_out is None else tokens_out,
        cost_usd=reader.number("cost_usd", 0, 1e9),
        error=_error(reader),
        started_at=reader.moment("started_at"),
        repaired=repaired,
    )
    reader.demand_good()
    return call, reader.unknown(KNOWN)


def _trace(reader: Reader) -> dict[str, Any] | None:
    """The steps in the one shape of a trace."""
    trace = reader.get("trace")
    if trace is None:
        return None
    if not isinstance(trace, list | dict):
        reader.problems["trace"] = "must be a list of spans"
        return None
    try:
        return traces.normalised(trace)
    except Invalid as error:
        reader.problems |= error.fields
        return None


def _usage(reader: Reader) -> tuple[int | None, int | None]:
    """Tokens in and out as providers write them: `usage` of OpenAI's or Anthropic's answers can be sent as it is."""
    usage = reader.get("usage")
    if usage is None:
        return None, None
    if not isinstance(usage, dict):
        reader.problems["usage"] = "must be an object such as {“input_tokens”: 12, “output_tokens”: 3}"
        return None, None
    counted = Reader(usage, USAGE)
    found = counted.whole("input_tokens"), counted.whole("output_tokens")
    reader.problems |= {f"usage.{name}": reason for name, reason in counted.problems.items()}
    return found


def _error(reader: Reader) -> str:
    """A text; an error object's message is taken from it."""
    value = reader.item.get("error")
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return str(value["message"])[:MAX_TEXT]
    return reader.text("error", MAX_TEXT)
