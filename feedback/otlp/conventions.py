"""The names by which instrumentations record kind, model, usage, cost, people, sessions and prompts.

Explicit names of a tracing library come first, then the current GenAI conventions, then deprecated and other ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feedback.otlp.attributes import first, number, opened, text

Json = Any
Attributes = Mapping[str, Json]

MODEL = (
    "langfuse.observation.model.name", "gen_ai.response.model", "gen_ai.request.model", "llm.response.model",
    "llm.model_name", "llm.request.model", "embedding.model_name", "reranker.model_name", "ai.response.model",
    "ai.model.id", "provided_model_name", "model_name", "model",
)  # fmt: skip
TOKENS_IN = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens",
    "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens",
)  # fmt: skip
TOKENS_OUT = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
    "llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens",
)  # fmt: skip
TOKENS_CACHED = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
)  # fmt: skip
SYSTEM = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor", "ai.model.provider")
COST = ("gen_ai.usage.cost", "gen_ai.usage.total_cost", "llm.cost.total", "total_cost")
USAGE_DETAILS = ("langfuse.observation.usage_details", "provided_usage_details", "usage_details")
COST_DETAILS = ("langfuse.observation.cost_details", "provided_cost_details", "cost_details")
SESSION = (
    "langfuse.session.id", "session.id", "gen_ai.conversation.id", "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.sessionId", "langfuse.trace.metadata.langfuse_session_id",
    "langfuse.observation.metadata.langfuse_session_id",
)  # fmt: skip
END_USER = (
    "langfuse.user.id", "user.id", "enduser.id", "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId", "langfuse.trace.metadata.langfuse_user_id",
    "langfuse.observation.metadata.langfuse_user_id", "gen_ai.request.user", "llm.user",
)  # fmt: skip
ENVIRONMENT = ("langfuse.environment", "deployment.environment.name", "deployment.environment", "gen_ai.environment")
TAGS = (
    "langfuse.trace.tags", "langfuse.tags", "tag.tags", "ai.telemetry.metadata.tags",
    "langfuse.trace.metadata.langfuse_tags", "langfuse.observation.metadata.langfuse_tags",
)  # fmt: skip
PROMPT = (
    "llmops.prompt.name", "langfuse.observation.prompt.name", "langfuse.prompt.name", "gen_ai.prompt.name",
    "traceloop.prompt.key", "prompt_name",
)  # fmt: skip
PROMPT_VERSION = (
    "llmops.prompt.version", "langfuse.observation.prompt.version", "langfuse.prompt.version", "gen_ai.prompt.version",
    "traceloop.prompt.version", "llm.prompt_template.version", "prompt_version",
)  # fmt: skip
PROMPT_COMMIT = ("llmops.prompt.commit", "traceloop.prompt.version_hash")
PROMPT_LABEL = ("llmops.prompt.label", "gen_ai.prompt.label")
TRACE_NAME = ("langfuse.trace.name",)
# A span that heads its trace although it has a parent, which was not sent to us.
IS_ROOT = ("langfuse.internal.as_root", "langfuse.internal.is_app_root")
SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
NUMBER = re.compile(r"v?([0-9]{1,9})")

_EXPLICIT_KINDS = {
    "generation": "llm", "llm": "llm", "embedding": "embedding", "retriever": "retrieval", "retrieval": "retrieval",
    "tool": "tool", "agent": "agent", "chain": "chain", "workflow": "chain", "task": "chain", "evaluator": "evaluator",
    "guardrail": "guardrail", "reranker": "reranker", "event": "event", "span": "span", "prompt": "prompt",
}  # fmt: skip
_OPERATIONS = {
    "chat": "llm", "completion": "llm", "text_completion": "llm", "generate_content": "llm", "generate": "llm",
    "embeddings": "embedding", "embedding": "embedding", "execute_tool": "tool", "invoke_agent": "agent",
    "create_agent": "agent", "invoke_workflow": "chain", "retrieval": "retrieval", "rerank": "reranker",
}  # fmt: skip
_AI_SDK = re.compile(r"ai\.(?:(toolCall)|(embed\w*)|(\w+\.do(?:Generate|Stream))|(\w+))")
_VECTOR_STORES = frozenset({"pinecone", "chroma", "qdrant", "weaviate", "milvus", "marqo", "lancedb"})
_LIVEKIT = {"agent_turn": "agent", "start_agent_activity": "agent", "function_tool": "tool", "llm_request": "llm"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one span; None where it said nothing."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    tokens_cached: int | None = None  # of those in

    @property
    def is_known(self) -> bool:
        return self.tokens_in is not None or self.tokens_out is not None or self.cost_usd is not None


def kind_of(attributes: Attributes, name: str = "", scope: str = "") -> str:
    """What a span is: llm, retrieval, tool, embedding, agent, chain and so on, or just a span."""
    for attribute in ("langfuse.observation.type", "openinference.span.kind", "traceloop.span.kind"):
        if (kind := _EXPLICIT_KINDS.get(text(attributes.get(attribute), 30).lower())) is not None:
            return kind
    for attribute in ("gen_ai.operation.name", "llm.request.type"):
        if (kind := _OPERATIONS.get(text(attributes.get(attribute), 30).lower())) is not None:
            return kind
    if (kind := _ai_sdk_kind(attributes)) is not None:
        return kind
    if scope == "livekit-agents" and name in _LIVEKIT:
        return _LIVEKIT[name]
    if first(attributes, ("gen_ai.tool.name", "ai.toolCall.name", "tool.name")) is not None:
        return "tool"
    if text(attributes.get("db.system"), 30).lower() in _VECTOR_STORES:
        return "retrieval"
    return "llm" if first(attributes, (*MODEL, *TOKENS_IN, *TOKENS_OUT)) is not None else "span"


def _ai_sdk_kind(attributes: Attributes) -> str | None:
    found = _AI_SDK.match(text(first(attributes, ("ai.operationId", "operation.name")), 100))
    if found is None:
        return None
    tool, embedding, model_call, _ = found.groups()
    return "tool" if tool else "embedding" if embedding else "llm" if model_call else "chain"


def model_of(attributes: Attributes) -> str:
    return text(first(attributes, MODEL), 200)


def system_of(attributes: Attributes) -> str:
    """Who answered, such as `openai`; the Vercel AI SDK adds the kind of interface after a dot."""
    found = text(first(attributes, SYSTEM), 60)
    return found.partition(".")[0] if found and found == attributes.get("ai.model.provider") else found


def usage_of(attributes: Attributes) -> Usage:
    """Tokens and cost; Langfuse's details win, because a person or its SDK set them by hand."""
    usage, costs = _object(first(attributes, USAGE_DETAILS)), _object(first(attributes, COST_DETAILS))
    tokens_in = first(usage, ("input", "input_tokens", "prompt_tokens")) if usage else None
    tokens_out = first(usage, ("output", "output_tokens", "completion_tokens")) if usage else None
    cost = number(costs.get("total"), 1e9)
    if cost is None and costs:
        parts = [part for part in (number(value, 1e9) for value in costs.values()) if part is not None]
        cost = sum(parts) if parts else None
    return Usage(
        tokens_in=_tokens(first(attributes, TOKENS_IN) if tokens_in is None else tokens_in),
        tokens_out=_tokens(first(attributes, TOKENS_OUT) if tokens_out is None else tokens_out),
        cost_usd=number(first(attributes, COST), 1e9) if cost is None else cost,
        tokens_cached=_tokens(first(attributes, TOKENS_CACHED)),
    )


def tags_of(attributes: Attributes) -> tuple[str, ...]:
    """A list, JSON of a list, or one text with commas."""
    value = opened(first(attributes, TAGS))
    if isinstance(value, str):
        value = value.split(",")
    tags = [tag.strip()[:60] for tag in value if isinstance(tag, str)] if isinstance(value, list) else []
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:20]


def prompt_of(attributes: Attributes) -> dict[str, Json]:
    """The fields of a call that name its prompt and version: `prompt` and one of `version`, `commit`, `label`."""
    name = text(first(attributes, PROMPT), 300)
    if not name:
        return {}
    found: dict[str, Json] = {"prompt": name}
    given = text(first(attributes, PROMPT_VERSION), 100)
    if (digits := NUMBER.fullmatch(given)) is not None:
        found["version"] = int(digits[1])
    elif SHA.fullmatch(given):
        found["commit"] = given
    elif given:
        found["label"] = given
    if "version" not in found and SHA.fullmatch(commit := text(first(attributes, PROMPT_COMMIT), 64)):
        found["commit"] = commit
    if label := text(first(attributes, PROMPT_LABEL), 100):
        found["label"] = label
    return found


def _tokens(value: Json) -> int | None:
    found = number(value, 2**31 - 1)
    return None if found is None else round(found)


def _object(value: Json) -> dict[str, Json]:
    found = opened(value)
    return found if isinstance(found, dict) else {}
