"""What the gateway keeps of calls: attempts, cached answers, prices."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from llmops.common.actors import Actor
from llmops.common.errors import Invalid, NotFound
from llmops.gateway import queries
from llmops.gateway.client import ConnectionConfig, storable
from llmops.gateway.errors import Transient
from llmops.gateway.models import Attempt, CacheEntry
from llmops.gateway.pricing import Rates
from llmops.gateway.services import attempts, cache, connections, prices, retention
from llmops.gateway.types import (
    AttemptRecord,
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    Message,
    Usage,
)
from llmops.projects.models import Project

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CONFIG = ConnectionConfig(1, 7, "openai-compatible", "https://a.example/v1", "sk-x")
REQUEST = CompletionRequest("m", (Message("user", "Hello"),), {"temperature": 0, "seed": 1})


@pytest.fixture
def config(project: Project) -> ConnectionConfig:
    return connections.config_of(connections.ensure_demo(project=project))


# --- cache


@pytest.mark.parametrize(
    "other",
    [
        {"config": {"project_id": 8}},
        {"config": {"base_url": "https://b.example/v1"}},
        {"config": {"kind": "openai"}},
        {"request": {"model": "n"}},
        {"request": {"messages": (Message("system", "Hello"),)}},
        {"request": {"messages": (Message("user", "Hello"), Message("user", ""))}},
        {"request": {"parameters": {"temperature": 0, "seed": 2}}},
        {"request": {"parameters": {"temperature": 0.5, "seed": 1}}},
        {"request": {"tools": [{"type": "function"}]}},
        {"request": {"response_schema": {"type": "object"}}},
        {"repeat": 1},
    ],
)
def test_whatever_shapes_an_answer_is_in_its_key(other: dict[str, Any]) -> None:
    config = dataclasses.replace(CONFIG, **other.get("config", {}))
    request = dataclasses.replace(REQUEST, **other.get("request", {}))
    assert cache.key(config, request, repeat=other.get("repeat", 0)) != cache.key(CONFIG, REQUEST)


def test_what_does_not_shape_an_answer_is_not_in_its_key() -> None:
    same = dataclasses.replace(CONFIG, id=9, key="sk-y", rpm=3, max_in_flight=1)
    turned = dataclasses.replace(REQUEST, parameters={"seed": 1, "temperature": 0})
    assert cache.key(same, turned) == cache.key(CONFIG, REQUEST)
    assert len(cache.key(CONFIG, dataclasses.replace(REQUEST, messages=(Message("user", "\ud800"),)))) == 32


def test_answers_come_back_as_they_were_in_their_project_alone(project: Project, other_project: Project) -> None:
    answer = Completion("Hi é", "m-2026", "stop", Usage(3, None, 1), 12, ({"id": "t", "type": "function"},))
    cache.put_many(project.pk, {b"a" * 32: answer, b"b" * 32: answer})
    cache.put_many(project.pk, {b"a" * 32: dataclasses.replace(answer, text="other")})
    assert cache.get_many(project.pk, [b"a" * 32, b"c" * 32]) == {b"a" * 32: answer}
    assert cache.get_many(other_project.pk, [b"a" * 32]) == {}


def test_embeddings_come_back_in_single_precision_and_repeats_share_them(project: Project) -> None:
    third, tenth = 0.3333333432674408, 0.10000000149011612  # as IEEE 754 single precision keeps them
    found = Embeddings(((third, -1.0), (tenth, 2.0**127)), "e-2026", Usage(3, 0), 12)
    cache.put_many(project.pk, {b"e" * 32: found})
    assert cache.get_many(project.pk, [b"e" * 32]) == {b"e" * 32: found}
    request = EmbeddingRequest("e", ("a", "b"))
    assert cache.key(CONFIG, request, repeat=3) == cache.key(CONFIG, request)
    others = [
        dataclasses.replace(request, texts=("b", "a")),
        dataclasses.replace(request, texts=("a",)),
        dataclasses.replace(request, model="f"),
        dataclasses.replace(request, dimensions=8),
        CompletionRequest("e", (Message("user", "a"), Message("user", "b"))),
    ]
    assert len({cache.key(CONFIG, one) for one in [request, *others]}) == 6


def test_an_answer_that_no_database_takes_is_repaired_before_it_is_kept(project: Project) -> None:
    wild = Completion("a\x00b\ud800", "m\x00", "stop", tool_calls=({"arguments": "\x00"},))
    kept = storable(wild)
    cache.put_many(project.pk, {b"a" * 32: kept})
    assert cache.get_many(project.pk, [b"a" * 32])[b"a" * 32] == kept
    assert kept.text == "a\ufffdb\ufffd"
    with pytest.raises(Transient):
        storable(Completion("", "m", tool_calls=({"x": float("nan")},)))


# --- attempts


def record(**values: Any) -> AttemptRecord:
    plain = AttemptRecord(1, "m", "m-2026", "ok", 200, Usage(1_000_000, 0), 12, NOW.timestamp())
    return dataclasses.replace(plain, **values)


def test_attempts_are_stored_with_reason_and_cost(project: Project, config: ConnectionConfig) -> None:
    owner, own = uuid.uuid4(), {"m-2026": Rates(Decimal(2), Decimal(3))}
    paid = dataclasses.replace(config, kind="openai-compatible")
    failed = record(number=2, outcome="rate_limited", http_status=429, usage=Usage(), model_answered="")
    attempts.record_many([record(), failed], config=paid, purpose="run", owner=owner, prices=own)
    stored = list(queries.attempts_of(project, owner).values_list("number", "outcome", "http_status", "cost_usd"))
    assert stored == [(1, "ok", 200, Decimal(2)), (2, "rate_limited", 429, None)]


def test_old_attempts_and_answers_are_deleted(project: Project, config: ConnectionConfig) -> None:
    owner = uuid.uuid4()
    old = (NOW - timedelta(days=project.retention_days + 1)).timestamp()
    attempts.record_many([record(), record(started_at=old)], config=config, purpose="run", owner=owner)
    cache.put_many(project.pk, {b"a" * 32: Completion("Hi", "m"), b"b" * 32: Completion("Hi", "m")})
    CacheEntry.objects.filter(key=b"a" * 32).update(created_at=NOW - timedelta(days=91))
    CacheEntry.objects.filter(key=b"b" * 32).update(created_at=NOW)
    for _ in range(2):
        retention.prune(now=NOW)
        assert (Attempt.objects.count(), CacheEntry.objects.count()) == (1, 1)


# --- prices


def put(project: Project, by: Actor, now: datetime, dollars: str, **more: Any) -> None:
    rates = {"in_per_million": Decimal(dollars), "out_per_million": Decimal(1)} | more
    prices.put(project=project, model=" llama ", by=by, now=now, **rates)


def test_the_newest_price_that_holds_counts(project: Project, other_project: Project, by: Actor) -> None:
    put(project, by, NOW, "1")
    put(project, by, NOW + timedelta(hours=1), "2")
    put(project, by, datetime(2126, 1, 1, tzinfo=UTC), "3")
    assert queries.price_overrides(project.pk) == {"llama": Rates(Decimal(2), Decimal(1))}
    assert [price.in_per_million for price in queries.prices_in(project)] == [Decimal(2)]
    assert queries.price_overrides(other_project.pk) == {}
    with pytest.raises(NotFound):
        prices.remove(project=other_project, model="llama", by=by)
    prices.remove(project=project, model="llama", by=by)
    assert queries.price_overrides(project.pk) == {}


@pytest.mark.parametrize("dollars", ["-1", "NaN", "Infinity", "1000001"])
def test_a_price_is_a_number_of_dollars(project: Project, by: Actor, dollars: str) -> None:
    with pytest.raises(Invalid) as refused:
        put(project, by, NOW, dollars)
    assert set(refused.value.fields) == {"in_per_million"}
