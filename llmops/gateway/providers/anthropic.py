"""Anthropic's Messages API."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anthropic
import httpx2

from llmops.gateway.errors import Permanent, ProviderError, Transient
from llmops.gateway.providers.base import Account, OnDelta, no_embeddings, normal_parameters, usage_of
from llmops.gateway.providers.failures import translated
from llmops.gateway.transport import CheckedTransport
from llmops.gateway.types import Completion, CompletionRequest, EmbeddingRequest, Embeddings, Message, Usage

# The API demands a cap; this is what is asked for when the prompt names none.
DEFAULT_MAX_TOKENS = 1024
ANSWER_TOOL = "answer"

_NAMED = frozenset({"temperature", "top_p", "top_k"})


class Anthropic:
    """One account."""

    def __init__(self, account: Account) -> None:
        self.http = httpx2.AsyncClient(
            transport=CheckedTransport(allow=account.allow, connections=account.connections), follow_redirects=False
        )
        self.client = anthropic.AsyncAnthropic(
            api_key=account.key or "none", base_url=account.base_url, http_client=self.http, max_retries=0
        )

    async def complete(
        self, request: CompletionRequest, *, timeout_s: float, on_delta: OnDelta | None = None
    ) -> Completion:
        started = time.perf_counter()
        arguments = _arguments(request)
        try:
            if on_delta is not None:
                return await self._streamed(request, arguments, started, timeout_s, on_delta)
            answer = await self.client.messages.create(**arguments, timeout=timeout_s)
        except ProviderError:
            raise
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            raise translated(error) from error
        return _completion(answer, request, started)

    async def _streamed(
        self,
        request: CompletionRequest,
        arguments: Mapping[str, Any],
        started: float,
        timeout_s: float,
        on_delta: OnDelta,
    ) -> Completion:
        pieces: list[str] = []
        calls: dict[int, dict[str, Any]] = {}
        model, finish, asked, tokens_out, stopped = str(arguments["model"]), "", None, None, False
        try:
            stream = await self.client.messages.create(**arguments, stream=True, timeout=timeout_s)
            async for event in stream:
                match event.type:
                    case "message_start":
                        model = event.message.model or model
                        asked = event.message.usage
                    case "content_block_start" if event.content_block.type == "tool_use":
                        block = event.content_block
                        calls[event.index] = {"type": "tool_use", "id": block.id, "name": block.name, "input": ""}
                    case "content_block_delta":
                        piece = getattr(event.delta, "text", None)
                        part = getattr(event.delta, "partial_json", None)
                        if part and event.index in calls:
                            calls[event.index]["input"] += part
                            piece = part if request.response_schema is not None else None
                        if piece:
                            pieces.append(piece)
                            on_delta(piece)
                    case "message_delta":
                        finish = event.delta.stop_reason or finish
                        tokens_out = getattr(event.usage, "output_tokens", None)
                    case "message_stop":
                        stopped = True
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            raise translated(error, partial="".join(pieces)) from error
        if not stopped:
            raise Transient("truncated", "The provider's answer broke off.", partial="".join(pieces))
        latency = round((time.perf_counter() - started) * 1000)
        called = tuple(call | {"input": _parsed(call["input"])} for call in calls.values())
        return Completion("".join(pieces), model, finish, _usage(asked, tokens_out), latency, called)

    async def embed(self, request: EmbeddingRequest, *, timeout_s: float) -> Embeddings:
        """Anthropic has none of its own."""
        raise no_embeddings()

    async def close(self) -> None:
        await self.http.aclose()


def _arguments(request: CompletionRequest) -> dict[str, Any]:
    parameters = normal_parameters(request)
    system = "\n\n".join(message.text for message in request.messages if message.role in {"system", "developer"})
    turns = [message for message in request.messages if message.role not in {"system", "developer"}]
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": parameters.pop("max_output_tokens", DEFAULT_MAX_TOKENS),
        # The API wants a user's turn; a prompt of system text alone is sent as one.
        "messages": [{"role": turn.role, "content": _content(turn)} for turn in turns]
        or [{"role": "user", "content": system}],
    }
    if system and turns:
        arguments["system"] = system
    if (stop := parameters.pop("stop", None)) is not None:
        arguments["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    parameters.pop("seed", None)
    arguments |= {name: parameters.pop(name) for name in list(parameters) if name in _NAMED}
    if parameters:
        arguments["extra_body"] = parameters
    if request.tools:
        arguments["tools"] = request.tools
    if request.response_schema is not None:
        # Structured answers by a tool that must be called: its input is what the schema describes.
        tool = {"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": dict(request.response_schema)}
        arguments |= {"tools": [tool], "tool_choice": {"type": "tool", "name": ANSWER_TOOL}}
    return arguments


def _completion(answer: Any, request: CompletionRequest, started: float) -> Completion:
    """Read an answer strictly: a 200 without content is a failure, never an empty success."""
    content = getattr(answer, "content", None)
    if (
        not isinstance(content, list)
        or getattr(answer, "type", "message") == "error"
        or (not content and not answer.stop_reason)
    ):
        raise Transient("bad_response", "The provider's answer has no content in it.")
    texts = [block.text for block in content if block.type == "text"]
    calls = [block for block in content if block.type == "tool_use"]
    if request.response_schema is not None and calls:
        texts = [json.dumps(calls[0].input, ensure_ascii=False)]
    return Completion(
        text="".join(texts),
        model=str(answer.model or request.model),
        finish_reason=str(answer.stop_reason or ""),
        usage=_usage(answer.usage, getattr(answer.usage, "output_tokens", None)),
        latency_ms=round((time.perf_counter() - started) * 1000),
        tool_calls=tuple(call.model_dump(exclude_none=True) for call in calls),
    )


def _parsed(arguments: str) -> Any:
    """A tool call's arguments; a model may be cut in the middle of them, then they stay text."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def _content(message: Message) -> str | list[dict[str, str]]:
    if isinstance(message.content, str):
        return message.content
    if any(part.get("type") != "text" for part in message.content):
        raise Permanent("bad_request", "Only text can be sent to this provider so far.")
    return [{"type": "text", "text": str(part.get("text", ""))} for part in message.content]


def _usage(usage: Any, tokens_out: Any) -> Usage:
    """This API counts what came from its cache, or went into it, apart; here tokens in are all that were sent."""
    counted = usage_of(
        getattr(usage, "input_tokens", None), tokens_out, getattr(usage, "cache_read_input_tokens", None)
    )
    written = usage_of(getattr(usage, "cache_creation_input_tokens", None), None).tokens_in
    if counted.tokens_in is None:
        return counted
    return replace(counted, tokens_in=counted.tokens_in + (counted.tokens_cached or 0) + (written or 0))
