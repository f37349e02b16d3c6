"""Call models: many calls over one session, each tried again when that makes sense, every attempt reported.

A session lives in one event loop. It holds no rows: the caller passes a connection's configuration and stores the
attempts that it is handed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from llmops.common import text
from llmops.common.errors import Invalid
from llmops.gateway import registry
from llmops.gateway.errors import Permanent, ProviderError, Transient
from llmops.gateway.limits import Limiter, NoLimit
from llmops.gateway.providers.base import Account, OnDelta, Provider
from llmops.gateway.types import (
    AttemptRecord,
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    Usage,
)

DEADLINE_S = 60.0
QUICK_ATTEMPTS = 3
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 8.0
LONGEST_NAME = 200

OnAttempt = Callable[[AttemptRecord], None]
AnswerT = TypeVar("AnswerT", Completion, Embeddings)
# One attempt: within so many seconds, handing pieces of text over where somebody listens.
Ask = Callable[[float, OnDelta | None], Awaitable[AnswerT]]


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """All that a call needs of a connection; the key is open here, so this is never stored, logged or pickled."""

    id: int
    project_id: int
    kind: str
    base_url: str
    key: str = field(repr=False)
    allow: frozenset[str] = frozenset()
    rpm: int | None = None
    tpm: int | None = None
    max_in_flight: int = 100


@dataclass(slots=True)
class RetryBudget:
    """How many second attempts a run may make: a tenth of its calls, and a few to start with."""

    share: float = 0.1
    floor: int = 20
    calls: int = 0
    retries: int = 0

    def may_retry(self) -> bool:
        """Count a wish to retry; False when the provider is failing so often that retrying only makes it worse."""
        if self.retries >= self.floor + self.share * self.calls:
            return False
        self.retries += 1
        return True


@dataclass(slots=True)
class Session:
    """Open one with `open_session`."""

    provider: Provider
    limiter: Limiter

    async def complete(
        self,
        request: CompletionRequest,
        *,
        deadline_s: float = DEADLINE_S,
        attempts: int = QUICK_ATTEMPTS,
        budget: RetryBudget | None = None,
        on_attempt: OnAttempt | None = None,
        on_delta: OnDelta | None = None,
    ) -> Completion:
        """The answer, after at most `attempts` tries within `deadline_s` seconds (waiting for the limiter included).

        A stream that has handed text over is not tried again.

        :raises ProviderError: the last attempt's; Transient with `retry_after_s` when trying later makes sense.
        """

        async def ask(timeout_s: float, heard: OnDelta | None) -> Completion:
            return storable(await self.provider.complete(request, timeout_s=timeout_s, on_delta=heard))

        return await self._tried(ask, request.model, deadline_s, attempts, budget, on_attempt, on_delta)

    async def embed(
        self,
        request: EmbeddingRequest,
        *,
        deadline_s: float = DEADLINE_S,
        attempts: int = QUICK_ATTEMPTS,
        budget: RetryBudget | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> Embeddings:
        """A vector for each text; tried again, limited and reported as `complete` is.

        :raises ProviderError: the last attempt's; `no_embeddings` where the connection offers none.
        """

        async def ask(timeout_s: float, _: OnDelta | None) -> Embeddings:
            answer = await self.provider.embed(request, timeout_s=timeout_s)
            return replace(answer, model=text.repaired(answer.model)[:LONGEST_NAME])

        return await self._tried(ask, request.model, deadline_s, attempts, budget, on_attempt, None)

    async def _tried(
        self,
        ask: Ask[AnswerT],
        model: str,
        deadline_s: float,
        attempts: int,
        budget: RetryBudget | None,
        on_attempt: OnAttempt | None,
        on_delta: OnDelta | None,
    ) -> AnswerT:
        deadline = time.monotonic() + deadline_s
        if budget is not None:
            budget.calls += 1
        number = 0
        while True:
            number += 1
            started: list[str] = []

            def heard(piece: str, started: list[str] = started) -> None:
                started.append(piece)
                assert on_delta is not None
                on_delta(piece)

            try:
                return await self._attempt(ask, model, number, deadline, on_attempt, heard if on_delta else None)
            except Transient as error:
                # Never sooner than the provider asks, and never all at the same moment.
                wait = max(error.retry_after_s or 0.0, _backoff(number))
                out_of_time = time.monotonic() + wait >= deadline
                if number >= attempts or started or out_of_time or (budget is not None and not budget.may_retry()):
                    raise
                await asyncio.sleep(wait)

    async def _attempt(
        self,
        ask: Ask[AnswerT],
        model: str,
        number: int,
        deadline: float,
        on_attempt: OnAttempt | None,
        on_delta: OnDelta | None,
    ) -> AnswerT:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self.limiter.enter()
        except TimeoutError:
            raise Transient("limit_wait", "The connection's limits left no room in time.") from None
        started_at, clock = time.time(), time.perf_counter()
        outcome, status = "ok", None
        answer: AnswerT | None = None
        try:
            remaining = max(0.05, deadline - time.monotonic())
            async with asyncio.timeout(remaining):
                answer = await ask(remaining, on_delta)
            return answer
        except TimeoutError:
            outcome = "deadline"
            raise Transient("deadline", "The provider did not answer in time.") from None
        except ProviderError as error:
            outcome, status = error.code, error.status
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            usage = answer.usage if answer else Usage()
            await self.limiter.leave(tokens=(usage.tokens_in or 0) + (usage.tokens_out or 0))
            if on_attempt is not None:
                on_attempt(
                    AttemptRecord(
                        number, model, answer.model if answer else "", outcome,
                        status or (200 if answer else None), usage,
                        round((time.perf_counter() - clock) * 1000), started_at,
                    )
                )  # fmt: skip


@asynccontextmanager
async def open_session(config: ConnectionConfig, *, limiter: Limiter | None = None) -> AsyncIterator[Session]:
    """A session for many calls to one connection.

    :raises Permanent: when the connection's kind is not known any more.
    """
    kind = registry.KINDS.get(config.kind)
    if kind is None:
        raise Permanent("unknown_kind", f"This version does not know connections of kind {config.kind}.")
    account = Account(config.base_url or kind.base_url, config.key, config.allow, max(1, config.max_in_flight))
    provider, limiter = kind.open(account), limiter or NoLimit()
    try:
        yield Session(provider, limiter)
    finally:
        await provider.close()
        await limiter.close()


def storable(answer: Completion) -> Completion:
    """The answer as every database can keep it: no NUL or half surrogates, no absurd nesting or numbers.

    :raises Transient: when the arguments of a tool call are not JSON that can be kept.
    """
    try:
        calls = tuple(text.storable(dict(call), repair=True) for call in answer.tool_calls)
    except Invalid:
        raise Transient("bad_response", "The provider's answer cannot be read.") from None
    return replace(
        answer,
        text=text.repaired(answer.text),
        model=text.repaired(answer.model)[:LONGEST_NAME],
        finish_reason=text.repaired(answer.finish_reason)[:LONGEST_NAME],
        tool_calls=calls,
    )


def run(coroutine: Coroutine[Any, Any, Completion]) -> Completion:
    """One call from synchronous code, in an event loop of its own."""
    return asyncio.run(coroutine)


def _backoff(number: int) -> float:
    """Exponential with full jitter, so that many waiting calls do not come back at the same moment."""
    return random.uniform(0.0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**number))  # noqa: S311 (no secret)
