"""One question to a model from a task: attempts are recorded, and somebody may cancel while it is under way."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connection

from llmops.common import text as intake
from llmops.common.errors import DomainError
from llmops.gateway import client, pricing
from llmops.gateway import queries as gateway_queries
from llmops.gateway.errors import ProviderError
from llmops.gateway.services import attempts
from llmops.gateway.types import AttemptRecord, Completion, CompletionRequest, Message

LOOK_S = 0.5
LONGEST_ANSWER = 4_096  # tokens


def ask(
    *,
    config: client.ConnectionConfig,
    model: str,
    messages: Sequence[Mapping[str, str]],
    schema: Mapping[str, Any],
    purpose: str,
    owner: uuid.UUID,
    is_wanted: Callable[[], bool],
) -> tuple[Completion, dict[str, Any]]:
    """The answer, and its figures under the names that rows of questions keep: text, model, tokens, cost, latency.

    `is_wanted` is asked twice a second, in a thread with a connection of its own.

    :raises DomainError: when the provider failed, or nobody wants the answer any more.
    """
    records: list[AttemptRecord] = []
    asked = CompletionRequest(
        model,
        tuple(Message(message["role"], message["content"]) for message in messages),
        {"max_output_tokens": LONGEST_ANSWER},
        response_schema=schema,
    )
    prices = gateway_queries.price_overrides(config.project_id)
    try:
        answer = asyncio.run(_answered(config, asked, records, is_wanted))
    except ProviderError as failed:
        raise DomainError(failed.message, code=failed.code) from None
    finally:
        attempts.record_many(records, config=config, purpose=purpose, owner=owner, prices=prices)
    figures = {
        "answer": intake.repaired(answer.text),
        "model_answered": answer.model,
        "tokens_in": answer.usage.tokens_in,
        "tokens_out": answer.usage.tokens_out,
        "cost_usd": pricing.cost(answer.usage, kind=config.kind, model=answer.model, overrides=prices),
        "latency_ms": answer.latency_ms,
    }
    return answer, figures


async def _answered(
    config: client.ConnectionConfig,
    asked: CompletionRequest,
    records: list[AttemptRecord],
    is_wanted: Callable[[], bool],
) -> Completion:
    async with client.open_session(config) as session:
        call = asyncio.create_task(session.complete(asked, on_attempt=records.append), name=str(asked.model))
        try:
            while not (await asyncio.wait({call}, timeout=LOOK_S))[0]:
                if not await asyncio.to_thread(_still, is_wanted):
                    raise ProviderError("cancelled", "Cancelled.")
            return call.result()
        finally:
            call.cancel()


def _still(is_wanted: Callable[[], bool]) -> bool:
    try:
        return is_wanted()
    finally:
        connection.close()
