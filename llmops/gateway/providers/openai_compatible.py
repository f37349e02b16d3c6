"""Every server that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, Groq, and OpenAI itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from llmops.gateway.errors import Permanent, ProviderError, Transient
from llmops.gateway.providers.base import Account, OnDelta, normal_parameters, usage_of
from llmops.gateway.providers.embeddings import failure_of, read
from llmops.gateway.providers.failures import translated
from llmops.gateway.transport import CheckedTransport
from llmops.gateway.types import Completion, CompletionRequest, EmbeddingRequest, Embeddings, Message, Usage

# What the SDK takes by name; anything else goes into the body as it is.
_NAMED = frozenset(
    {"temperature", "top_p", "stop", "seed", "frequency_penalty", "presence_penalty", "n", "logprobs", "user"}
)


class OpenAICompatible:
    """One account; `length_parameter` is how the server calls the cap on output tokens."""

    length_parameter = "max_tokens"

    def __init__(self, account: Account) -> None:
        self.http = httpx2.AsyncClient(
            transport=CheckedTransport(allow=account.allow, connections=account.connections), follow_redirects=False
        )
        self.client = openai.AsyncOpenAI(
            api_key=account.key or "none", base_url=account.base_url, http_client=self.http, max_retries=0
        )

    async def complete(
        self, request: CompletionRequest, *, timeout_s: float, on_delta: OnDelta | None = None
    ) -> Completion:
        started = time.perf_counter()
        arguments = self._arguments(request)
        try:
            if on_delta is not None:
                return await self._streamed(arguments, started, timeout_s, on_delta)
            extra = arguments.pop("extra_body", {})
            answer = await self._post("/chat/completions", arguments | extra, timeout_s)
        except ProviderError:
            raise
        except (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise translated(error) from error
        return _completion(answer, request, started)

    async def embed(self, request: EmbeddingRequest, *, timeout_s: float) -> Embeddings:
        started = time.perf_counter()
        body: dict[str, Any] = {"model": request.model, "input": list(request.texts), "encoding_format": "float"}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        try:
            return read(await self._post("/embeddings", body, timeout_s), request, _since(started))
        except ProviderError:
            raise
        except (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise failure_of(error) from error

    async def _post(self, path: str, body: Mapping[str, Any], timeout_s: float) -> Any:
        """The SDK's own way to an endpoint without its typed models: walking those costs as much as all the rest of a
        call, and the answer is read strictly below anyway.
        """
        response = await self.client.post(
            path,
            cast_to=httpx2.Response,
            body=body,
            options={"timeout": timeout_s, "security": {"bearer_auth": True}},
        )
        return response.json()

    def _arguments(self, request: CompletionRequest) -> dict[str, Any]:
        parameters = normal_parameters(request)
        arguments: dict[str, Any] = {
            "model": request.model,
            "messages": [_wire(message) for message in request.messages],
        }
        if (most := parameters.pop("max_output_tokens", None)) is not None:
            arguments[self.length_parameter] = most
        arguments |= {name: parameters.pop(name) for name in list(parameters) if name in _NAMED}
        if parameters:
            arguments["extra_body"] = parameters
        if request.tools:
            arguments["tools"] = request.tools
        if request.response_schema is not None:
            arguments["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": dict(request.response_schema), "strict": True},
            }
        return arguments

    async def _streamed(
        self, arguments: Mapping[str, Any], started: float, timeout_s: float, on_delta: OnDelta
    ) -> Completion:
        pieces: list[str] = []
        calls: dict[int, dict[str, Any]] = {}
        model, finish, usage = str(arguments["model"]), "", usage_of(None, None)
        try:
            stream = await self.client.chat.completions.create(
                **arguments, stream=True, stream_options={"include_usage": True}, timeout=timeout_s
            )
            async for chunk in stream:
                model = chunk.model or model
                if chunk.usage is not None:
                    usage = _usage(chunk.usage)
                for choice in chunk.choices or []:
                    finish = choice.finish_reason or finish
                    if choice.delta is not None and choice.delta.content:
                        pieces.append(choice.delta.content)
                        on_delta(choice.delta.content)
                    for part in (choice.delta and choice.delta.tool_calls) or []:
                        _add(calls, part)
        except (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            raise translated(error, partial="".join(pieces)) from error
        if not finish:
            raise Transient("truncated", "The provider's answer broke off.", partial="".join(pieces))
        if finish == "content_filter":
            raise _filtered("".join(pieces))
        return Completion("".join(pieces), model, finish, usage, _since(started), tuple(calls.values()))

    async def close(self) -> None:
        await self.http.aclose()


def _wire(message: Message) -> dict[str, Any]:
    content = message.content if isinstance(message.content, str) else [dict(part) for part in message.content]
    return {"role": message.role, "content": content}


def _completion(answer: Any, request: CompletionRequest, started: float) -> Completion:
    """Read an answer strictly: a 200 without a choice is a failure, never an empty success."""
    choices = answer.get("choices") if isinstance(answer, dict) and not answer.get("error") else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Transient("bad_response", "The provider's answer has no choice in it.")
    message, finish = choices[0].get("message"), str(choices[0].get("finish_reason") or "")
    if not isinstance(message, dict):
        raise Transient("bad_response", "The provider's answer has no message in it.")
    content, calls = message.get("content"), message.get("tool_calls")
    if finish == "content_filter":
        raise _filtered(str(content or ""))
    if content is not None and not isinstance(content, str):
        raise Transient("bad_response", "The provider's answer is not text.")
    usage = answer.get("usage")
    return Completion(
        text=content or str(message.get("refusal") or ""),
        model=str(answer.get("model") or request.model),
        finish_reason=finish,
        usage=_plain_usage(usage) if isinstance(usage, dict) else Usage(),
        latency_ms=_since(started),
        tool_calls=tuple(_given(call) for call in calls if isinstance(call, dict)) if isinstance(calls, list) else (),
    )


def _plain_usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return usage_of(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)


def _given(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if value is not None}


def _add(calls: dict[int, dict[str, Any]], part: Any) -> None:
    """A stream brings a tool call's name first, then its arguments piece by piece."""
    call = calls.setdefault(
        part.index, {"id": part.id or "", "type": "function", "function": {"name": "", "arguments": ""}}
    )
    if part.function is not None:
        call["function"]["name"] += part.function.name or ""
        call["function"]["arguments"] += part.function.arguments or ""


def _usage(usage: Any) -> Usage:
    details = getattr(usage, "prompt_tokens_details", None)
    return usage_of(
        getattr(usage, "prompt_tokens", None),
        getattr(usage, "completion_tokens", None),
        getattr(details, "cached_tokens", None),
    )


def _filtered(partial: str) -> Permanent:
    return Permanent("content_filter", "The provider's filter stopped the answer.", partial=partial)


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
