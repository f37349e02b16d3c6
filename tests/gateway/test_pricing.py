"""What calls cost; the expected amounts are worked out by hand from the providers' price lists."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llmops.gateway import pricing
from llmops.gateway.pricing import Rates
from llmops.gateway.types import Usage


@pytest.mark.parametrize(
    ("kind", "model", "usage", "dollars"),
    [
        # gpt-4o: 2.50 in, 10 out, 1.25 cached, per million
        ("openai", "gpt-4o", Usage(1_000_000, 100_000), "3.5"),
        ("openai", "gpt-4o", Usage(1_000_000, 100_000, 400_000), "3.0"),
        # claude-sonnet-4-5: 3 in, 15 out, 0.30 cached
        ("anthropic", "claude-sonnet-4-5", Usage(1000, 100), "0.0045"),
        ("anthropic", "claude-sonnet-4-5", Usage(1000, 100, 900), "0.00207"),
        ("demo", "demo-1", Usage(1000, 100), "0"),
    ],
)
def test_listed_prices(kind: str, model: str, usage: Usage, dollars: str) -> None:
    assert pricing.cost(usage, kind=kind, model=model) == Decimal(dollars)


@pytest.mark.parametrize(
    ("kind", "model", "usage"),
    [
        ("openai", "a-model-of-tomorrow", Usage(10, 10)),
        ("openai", "gpt-4o", Usage(None, 10)),
        ("openai", "gpt-4o", Usage(10, None)),
        ("openai-compatible", "gpt-4o", Usage(10, 10)),
        ("openai", "gpt-4o", Usage(10, 10, 900)),
        ("kind-of-tomorrow", "gpt-4o", Usage(10, 10)),
    ],
)
def test_what_is_not_known_is_unknown_and_not_free(kind: str, model: str, usage: Usage) -> None:
    assert pricing.cost(usage, kind=kind, model=model) is None


def test_a_projects_own_price_wins() -> None:
    own = {"gpt-4o": Rates(Decimal(1), Decimal(2)), "llama": Rates(Decimal(4), Decimal(0), Decimal(1))}
    assert pricing.cost(Usage(500_000, 1), kind="openai", model="gpt-4o", overrides=own) == Decimal("0.500002")
    mixed = pricing.cost(Usage(100, 5, 60), kind="openai-compatible", model="llama", overrides=own)
    assert mixed == Decimal("0.00022")
    assert pricing.cost(Usage(100, None), kind="openai-compatible", model="llama", overrides=own) is None
