"""What a call costs: the project's own prices first, then genai-prices, else unknown. Never zero by silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from llmops.gateway import registry
from llmops.gateway.types import Usage

MILLION = Decimal(1_000_000)
# Who answered, as OpenTelemetry's conventions and the common instrumentations spell it, by the public list's name.
# Frameworks are no provider: there the model's name decides.
SYSTEMS: dict[str, str | None] = {
    "openai": "openai", "anthropic": "anthropic", "google": "google", "gemini": "google", "gcp.gemini": "google",
    "gcp.vertex_ai": "google", "gcp.gen_ai": "google", "vertex_ai": "google", "vertexai": "google", "azure": "azure",
    "azure.ai.openai": "azure", "azure.ai.inference": "azure", "az.ai.openai": "azure", "az.ai.inference": "azure",
    "aws": "aws", "aws.bedrock": "aws", "aws_bedrock": "aws", "bedrock": "aws", "mistral": "mistral",
    "mistralai": "mistral", "mistral_ai": "mistral", "groq": "groq", "cohere": "cohere", "deepseek": "deepseek",
    "perplexity": "perplexity", "xai": "x-ai", "x_ai": "x-ai", "together": "together", "fireworks": "fireworks",
    "openrouter": "openrouter", "cerebras": "cerebras", "moonshot_ai": "moonshotai",
    "langchain": None, "llamaindex": None, "llama_index": None, "litellm": None, "haystack": None, "crewai": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens."""

    tokens_in: Decimal
    tokens_out: Decimal
    tokens_cached: Decimal | None = None


def cost(usage: Usage, *, kind: str, model: str, overrides: Mapping[str, Rates] | None = None) -> Decimal | None:
    """The price of a call in US dollars; None when tokens or prices are not known."""
    if kind == "demo":
        return Decimal(0)
    if usage.tokens_in is None or usage.tokens_out is None:
        return None
    if overrides and (rates := overrides.get(model)) is not None:
        return of(usage, rates)
    return _listed(usage, kind, model)


def estimate(usage: Usage, *, system: str, model: str, overrides: Mapping[str, Rates] | None = None) -> Decimal | None:
    """What a call that went past the gateway costs by the same prices; None when tokens or prices are not known.

    `system` is who answered, as OpenTelemetry names it; where nobody said, the model's public name decides.
    """
    if usage.tokens_in is None or usage.tokens_out is None or not model:
        return None
    if overrides and (rates := overrides.get(model)) is not None:
        return of(usage, rates)
    named = system.strip().lower()
    if named and named not in SYSTEMS:
        return None  # somebody's own server: the same name costs something else there
    return _public(usage, SYSTEMS.get(named), model)


def of(usage: Usage, rates: Rates) -> Decimal:
    """The price at given rates; cached tokens are part of the tokens in."""
    cached = min(usage.tokens_cached or 0, usage.tokens_in or 0) if rates.tokens_cached is not None else 0
    plain = (usage.tokens_in or 0) - cached
    total = plain * rates.tokens_in + cached * (rates.tokens_cached or 0) + (usage.tokens_out or 0) * rates.tokens_out
    return (total / MILLION).quantize(Decimal("0.00000001"))


def _listed(usage: Usage, kind: str, model: str) -> Decimal | None:
    provider = registry.KINDS[kind].prices if kind in registry.KINDS else None
    if provider is None:
        return None  # the same model name costs something else on every compatible server
    return _public(usage, provider, model)


def _public(usage: Usage, provider: str | None, model: str) -> Decimal | None:
    """The price by the public list; without a provider by whoever is known for the model's name."""
    import genai_prices  # noqa: PLC0415 (slow import)

    counted = genai_prices.Usage(
        input_tokens=usage.tokens_in, output_tokens=usage.tokens_out, cache_read_tokens=usage.tokens_cached or None
    )
    try:
        price = genai_prices.calc_price(counted, model_ref=model, provider_id=provider)
    except (LookupError, ValueError):
        return None
    return Decimal(price.total_price).quantize(Decimal("0.00000001"))
