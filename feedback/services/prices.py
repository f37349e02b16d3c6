"""What spans cost that name tokens but no money: by the prices that the gateway uses for its own calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from feedback.otlp import conventions, mapping
from llmops.gateway import pricing
from llmops.gateway import queries as gateway_queries
from llmops.gateway.pricing import Rates
from llmops.gateway.types import Usage


def of(project_id: int) -> mapping.Price:
    """The project's price of a span, its own prices first; they are read once, and only when a span needs them."""

    @cache
    def overrides() -> Mapping[str, Rates]:
        return gateway_queries.price_overrides(project_id)

    def price(system: str, model: str, used: conventions.Usage) -> float | None:
        if used.tokens_in is None or used.tokens_out is None or not model:
            return None
        cached = None if used.tokens_cached is None else min(used.tokens_cached, used.tokens_in)
        usage = Usage(used.tokens_in, used.tokens_out, cached)
        found = pricing.estimate(usage, system=system, model=model, overrides=overrides())
        return None if found is None else float(found)

    return price
