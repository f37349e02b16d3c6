"""Embeddings keep the promises that answers keep, over real HTTP with the real client library."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from llmops.gateway import client, pricing, registry
from llmops.gateway.client import ConnectionConfig, RetryBudget, open_session
from llmops.gateway.errors import Permanent, ProviderError, Refused, Transient
from llmops.gateway.limits import NoLimit
from llmops.gateway.providers import demo
from llmops.gateway.types import AttemptRecord, EmbeddingRequest, Embeddings, Usage
from tests.fake_provider import FakeProvider

TEXTS = ("a cat", "the big dog")


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _clean(fake: FakeProvider) -> None:
    fake.script.clear()
    fake.keys.clear()
    fake.recorded.clear()
    fake.calls = 0


@pytest.fixture(params=["openai", "openai-compatible"])
def config(request: pytest.FixtureRequest, fake: FakeProvider) -> ConnectionConfig:
    return ConnectionConfig(1, 1, request.param, fake.openai_url, "sk-of-tests", frozenset({fake.host_port}))


def embed(config: ConnectionConfig, *texts: str, dimensions: int | None = None, **options: Any) -> Embeddings:
    async def main() -> Embeddings:
        async with open_session(config) as session:
            return await session.embed(EmbeddingRequest("embed-1", texts or TEXTS, dimensions), **options)

    return asyncio.run(main())


def test_each_text_gets_its_vector_in_order_with_model_and_usage(config: ConnectionConfig, fake: FakeProvider) -> None:
    found = embed(config)
    assert found.vectors == ((5.0, 1.0), (11.0, 1.0))
    assert (found.model, found.usage) == ("embed-1", Usage(11, 0))
    assert fake.keys == ["Bearer sk-of-tests"]
    assert embed(config, dimensions=1).vectors == ((5.0,), (11.0,))


def test_the_order_of_the_list_does_not_matter(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["turned"]
    assert embed(config).vectors == ((5.0, 1.0), (11.0, 1.0))


FAULTS = [
    "500", "429:0", "529", "garbage", "truncated", "reset", "empty", "error200", "fewer", "ragged", "words",
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_transient_failure_or_an_unreadable_answer_is_tried_again_and_every_attempt_reported(
    config: ConnectionConfig, fake: FakeProvider, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.001)
    fake.script[:] = [fault, fault]
    attempts: list[AttemptRecord] = []
    assert embed(config, on_attempt=attempts.append).vectors[0] == (5.0, 1.0)
    assert [attempt.outcome == "ok" for attempt in attempts] == [False, False, True]
    assert (attempts[-1].model_asked, attempts[-1].usage.tokens_in) == ("embed-1", 11)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e39", '"1"', "true", "null"])
def test_a_vector_with_something_else_than_numbers_is_no_answer(
    config: ConnectionConfig, fake: FakeProvider, number: str
) -> None:
    fake.recorded[:] = [(200, "application/json", f'{{"data": [{{"index": 0, "embedding": [1.0, {number}]}}]}}')]
    with pytest.raises(Transient) as failed:
        embed(replayed(config, fake), "a", attempts=1)
    assert failed.value.code == "bad_response"


def replayed(config: ConnectionConfig, fake: FakeProvider) -> ConnectionConfig:
    return ConnectionConfig(1, 1, config.kind, f"http://{fake.host_port}/recorded/0", config.key, config.allow)


def error(message: str, **more: Any) -> str:
    return json.dumps({"error": {"message": message, **more}})


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, '{"detail": "Not Found"}', Permanent, "no_embeddings"),
        (404, "<html>nothing here</html>", Permanent, "no_embeddings"),
        (405, '{"detail": "Method Not Allowed"}', Permanent, "no_embeddings"),
        (501, error("Start it with `--embeddings`", code=501), Permanent, "no_embeddings"),
        (400, error("The model does not support Embeddings API"), Permanent, "no_embeddings"),
        (404, error("The model `x` does not exist", code="model_not_found"), Permanent, "model_not_found"),
        (403, error("You are not allowed to generate embeddings from this model"), Permanent, "model_not_found"),
        (403, error("Your country is not supported"), Refused, "auth"),
        (401, error("Incorrect API key"), Refused, "auth"),
        (400, error("This model's maximum context length is 8192 tokens"), Permanent, "bad_request"),
        (429, error("Pay first", code="insufficient_quota"), Refused, "quota"),
    ],
)  # fmt: skip
def test_a_server_without_embeddings_is_told_from_one_that_lacks_the_model_or_refuses_the_key(
    config: ConnectionConfig, fake: FakeProvider, status: int, body: str, kind: type[ProviderError], code: str
) -> None:
    fake.recorded[:] = [(status, "application/json", body)]
    attempts: list[AttemptRecord] = []
    with pytest.raises(kind) as failed:
        embed(replayed(config, fake), on_attempt=attempts.append)
    assert (type(failed.value), failed.value.code) == (kind, code)
    assert [(one.outcome, one.http_status) for one in attempts] == [(code, status)]


def test_a_kind_without_embeddings_says_so_without_a_call(fake: FakeProvider) -> None:
    config = ConnectionConfig(1, 1, "anthropic", fake.anthropic_url, "sk", frozenset({fake.host_port}))
    assert not registry.KINDS["anthropic"].embeds
    with pytest.raises(Permanent) as failed:
        embed(config)
    assert (failed.value.code, fake.calls) == ("no_embeddings", 0)


def test_limits_deadline_budget_and_size_hold_as_for_answers(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["hang"]
    with pytest.raises(Transient):
        embed(config, deadline_s=0.3, attempts=1)
    fake.script[:] = ["500"] * 3
    before = fake.calls
    with pytest.raises(Transient):
        embed(config, budget=RetryBudget(floor=0, share=0.0))
    assert fake.calls == before + 1
    fake.script[:] = ["huge"]
    with pytest.raises(Permanent) as failed:
        embed(config)
    assert failed.value.code == "too_large"


def test_the_limiter_hears_the_tokens(config: ConnectionConfig) -> None:
    class Heard(NoLimit):
        tokens = 0

        async def leave(self, *, tokens: int) -> None:
            self.tokens += tokens

    async def main() -> int:
        limiter = Heard()
        async with open_session(config, limiter=limiter) as session:
            await session.embed(EmbeddingRequest("embed-1", TEXTS))
        return limiter.tokens

    assert asyncio.run(main()) == 11


def test_redirects_are_not_followed_and_addresses_that_are_not_allowed_never_dialled(
    config: ConnectionConfig, fake: FakeProvider
) -> None:
    fake.script[:] = ["redirect:http://127.0.0.1:9/"]
    with pytest.raises(ProviderError):
        embed(config, attempts=1)
    assert fake.calls == 1
    with pytest.raises(Permanent) as failed:
        embed(ConnectionConfig(1, 1, config.kind, config.base_url, config.key))
    assert (failed.value.code, fake.calls) == ("egress_refused", 1)


@pytest.mark.parametrize("fault", ["nousage", "badusage"])
def test_usage_that_makes_no_sense_is_unknown_and_has_no_price(
    config: ConnectionConfig, fake: FakeProvider, fault: str
) -> None:
    fake.script[:] = [fault]
    usage = embed(config).usage
    assert usage.tokens_in is None
    assert pricing.cost(usage, kind="openai", model="text-embedding-3-small") is None


def test_embeddings_are_paid_for_by_what_is_sent() -> None:
    cost = pricing.cost(Usage(1_000_000, 0), kind="openai", model="text-embedding-3-small")
    assert cost == Decimal("0.02")  # OpenAI's price list


def test_the_demo_provider_embeds_by_spelling_and_says_that_it_is_no_model() -> None:
    config = ConnectionConfig(1, 1, "demo", "", "")
    found = embed(config, "The parcel is late", "the parcel is very late", "Der Hund schläft", " ")
    assert found == embed(config, "The parcel is late", "the parcel is very late", "Der Hund schläft", " ")
    assert "no model" in found.model
    first, near, far, nothing = found.vectors
    assert math.fsum(x * y for x, y in zip(first, near, strict=True)) > 0.6
    assert abs(math.fsum(x * y for x, y in zip(first, far, strict=True))) < 0.3
    assert (len(first), set(nothing)) == (demo.DIMENSIONS, {0.0})
    assert len(embed(config, "a", dimensions=8).vectors[0]) == 8
