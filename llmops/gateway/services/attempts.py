"""Store attempts, many at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from llmops.common import bulk
from llmops.gateway import pricing
from llmops.gateway.client import ConnectionConfig
from llmops.gateway.models import Attempt
from llmops.gateway.pricing import Rates
from llmops.gateway.types import AttemptRecord


def record_many(
    records: Iterable[AttemptRecord],
    *,
    config: ConnectionConfig,
    purpose: str,
    owner: uuid.UUID,
    prices: Mapping[str, Rates] | None = None,
) -> None:
    """Insert the attempts of calls made for `owner` (a run's or try-out's uid); `purpose` is try, run or judge."""
    rows = [
        Attempt(
            project_id=config.project_id,
            connection_id=config.id,
            purpose=purpose,
            owner_uid=owner,
            number=record.number,
            model_asked=record.model_asked[:200],
            model_answered=record.model_answered[:200],
            outcome=record.outcome,
            http_status=record.http_status,
            tokens_in=record.usage.tokens_in,
            tokens_out=record.usage.tokens_out,
            cost_usd=pricing.cost(
                record.usage, kind=config.kind, model=record.model_answered or record.model_asked, overrides=prices
            ),
            latency_ms=record.latency_ms,
            started_at=datetime.fromtimestamp(record.started_at, UTC),
        )
        for record in records
    ]
    bulk.insert(rows)
