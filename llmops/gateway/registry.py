"""The kinds of connections. A new provider is a file in `providers/` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from llmops.gateway.providers.base import Account, Provider


@dataclass(frozen=True, slots=True)
class Kind:
    """`adapter` is loaded at first use: the SDKs take a second and 70 MB, which web processes never pay.

    `embeds` is whether its API has embeddings at all, `embedding_model` the one that is asked when nobody names one.
    """

    name: str
    title: str
    adapter: str
    base_url: str = ""
    needs_key: bool = True
    prices: str | None = None
    models: tuple[str, ...] = ()
    embeds: bool = True
    embedding_model: str = ""

    def open(self, account: Account) -> Provider:
        """An adapter for the account; lives in the running event loop."""
        module, _, name = f"llmops.gateway.providers.{self.adapter}".rpartition(".")
        factory: Callable[[Account], Provider] = getattr(import_module(module), name)
        return factory(account)

    def warm(self) -> None:
        """Import what the first call would import."""
        import_module(f"llmops.gateway.providers.{self.adapter}".rpartition(".")[0])


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "openai",
            "OpenAI",
            "openai.OpenAI",
            "https://api.openai.com/v1",
            prices="openai",
            embedding_model="text-embedding-3-small",
        ),
        Kind(
            "anthropic",
            "Anthropic",
            "anthropic.Anthropic",
            "https://api.anthropic.com",
            prices="anthropic",
            embeds=False,
        ),
        Kind("openai-compatible", "OpenAI-compatible server", "openai_compatible.OpenAICompatible", needs_key=False),
        Kind(
            "demo",
            "Demo (no model, offline)",
            "demo.Demo",
            needs_key=False,
            models=("demo-1", "demo-slow", "demo-flaky"),
            embedding_model="demo-embedding",
        ),
    )
}


def warm() -> None:
    """Import every adapter, before a worker forks."""
    for kind in KINDS.values():
        kind.warm()
