"""What an adapter is: it makes one attempt of a call and says clearly how it went. Retries are the client's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from llmops.gateway.errors import Permanent
from llmops.gateway.types import Completion, CompletionRequest, EmbeddingRequest, Embeddings, Usage

OnDelta = Callable[[str], None]

# The platform's names of parameters, and how prompt files of other tools spell them.
SPELLINGS = {
    "maxOutputTokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
    "stop_sequences": "stop",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Where an adapter calls, and as whom. `allow` are the operator's exceptions from the egress rules."""

    base_url: str
    key: str
    allow: frozenset[str] = frozenset()
    connections: int = 100


class Provider(Protocol):
    """Lives in one event loop; `close` ends its network session."""

    async def complete(
        self, request: CompletionRequest, *, timeout_s: float, on_delta: OnDelta | None = None
    ) -> Completion:
        """One attempt. With `on_delta` the answer is streamed and each piece of text is handed over.

        :raises ProviderError: Transient or Permanent.
        """
        ...

    async def embed(self, request: EmbeddingRequest, *, timeout_s: float) -> Embeddings:
        """One attempt to get a vector for each text.

        :raises ProviderError: Transient or Permanent; `no_embeddings` where the provider has none to offer.
        """
        ...

    async def close(self) -> None: ...


def no_embeddings(status: int | None = None) -> Permanent:
    """What an adapter raises whose provider makes no embeddings."""
    return Permanent("no_embeddings", "This connection offers no embeddings.", status=status)


def normal_parameters(request: CompletionRequest) -> dict[str, Any]:
    """The request's parameters under the platform's names."""
    return {SPELLINGS.get(name, name): value for name, value in request.parameters.items() if value is not None}


def usage_of(tokens_in: Any, tokens_out: Any, cached: Any = None) -> Usage:
    """Token counts that make sense; what does not is None, so that no total is ever nonsense."""
    return Usage(_count(tokens_in), _count(tokens_out), _count(cached))


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(value) if 0 <= value <= 1_000_000_000 and value == int(value) else None
