"""Every adapter keeps the same promises, over real HTTP with the real client libraries."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from llmops.gateway import client, registry
from llmops.gateway.client import ConnectionConfig, RetryBudget, open_session
from llmops.gateway.errors import Permanent, ProviderError, Refused, Transient
from llmops.gateway.types import AttemptRecord, Completion, CompletionRequest, Message, Usage
from tests.fake_provider import FakeProvider

NETWORKED = [kind for kind in registry.KINDS if kind != "demo"]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _clean(fake: FakeProvider) -> None:
    fake.script.clear()
    fake.calls = 0
    fake.keys.clear()
    fake.answer = lambda text: f"echo: {text}"


@pytest.fixture(params=NETWORKED)
def config(request: pytest.FixtureRequest, fake: FakeProvider) -> ConnectionConfig:
    url = fake.anthropic_url if request.param == "anthropic" else fake.openai_url
    return ConnectionConfig(1, 1, request.param, url, "sk-secret-key-of-tests", frozenset({fake.host_port}))


def ask(text: str = "Hello", **more: Any) -> CompletionRequest:
    return CompletionRequest("model-1", (Message("system", "Be brief."), Message("user", text)), **more)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


async def complete(config: ConnectionConfig, request: CompletionRequest | None = None, **options: Any) -> Completion:
    async with open_session(config) as session:
        return await session.complete(request or ask(), **options)


def test_an_answer_has_text_model_usage_and_reason(config: ConnectionConfig, fake: FakeProvider) -> None:
    answer = run(complete(config))
    assert (answer.text, answer.model, answer.usage) == ("echo: Hello", "model-1", Usage(11, 7))
    assert answer.finish_reason in {"stop", "end_turn"}
    assert fake.keys[-1].endswith("sk-secret-key-of-tests")


def test_a_streamed_answer_comes_in_pieces_and_is_the_same(config: ConnectionConfig) -> None:
    pieces: list[str] = []
    answer = run(complete(config, on_delta=pieces.append))
    assert (answer.text, "".join(pieces)) == ("echo: Hello", "echo: Hello")
    assert len(pieces) > 1
    assert answer.usage == Usage(11, 7)


def test_a_schema_makes_the_answer_json(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.answer = lambda _: '{"verdict": "pass"}'
    schema = {"type": "object", "properties": {"verdict": {"type": "string"}}}
    assert run(complete(config, ask(response_schema=schema))).text == '{"verdict": "pass"}'


@pytest.mark.parametrize("fault", ["500", "429:0", "529", "garbage", "truncated", "reset", "empty", "error200"])
def test_a_transient_failure_is_tried_again_and_every_attempt_reported(
    config: ConnectionConfig, fake: FakeProvider, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.001)
    fake.script[:] = [fault, fault]
    attempts: list[AttemptRecord] = []
    answer = run(complete(config, on_attempt=attempts.append))
    assert answer.text == "echo: Hello"
    assert [attempt.outcome == "ok" for attempt in attempts] == [False, False, True]
    assert [attempt.number for attempt in attempts] == [1, 2, 3]


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("400", Permanent, "bad_request"),
        ("404", Permanent, "model_not_found"),
        ("401", Refused, "auth"),
        ("403", Refused, "auth"),
    ],
)
def test_a_permanent_failure_is_not_tried_again(
    config: ConnectionConfig, fake: FakeProvider, fault: str, kind: type[ProviderError], code: str
) -> None:
    fake.script[:] = [fault]
    with pytest.raises(kind) as failed:
        run(complete(config))
    assert (failed.value.code, fake.calls) == (code, 1)


@pytest.mark.parametrize("fault", ["garbage", "truncated", "empty", "error200", "reset", "500"])
def test_a_bad_answer_is_never_a_success(config: ConnectionConfig, fake: FakeProvider, fault: str) -> None:
    fake.script[:] = [fault] * 3
    with pytest.raises(Transient):
        run(complete(config, attempts=1))


def test_a_stream_that_breaks_off_keeps_its_part_and_is_a_failure(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["cut"]
    pieces: list[str] = []
    with pytest.raises(Transient) as failed:
        run(complete(config, on_delta=pieces.append))
    assert failed.value.code == "truncated"
    assert failed.value.partial == "".join(pieces)
    assert fake.calls == 1


@pytest.mark.parametrize("fault", ["nousage", "badusage"])
def test_usage_that_makes_no_sense_is_unknown(config: ConnectionConfig, fake: FakeProvider, fault: str) -> None:
    fake.script[:] = [fault]
    assert run(complete(config)).usage == Usage()


def test_the_model_that_answered_is_kept(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["othermodel"]
    assert run(complete(config)).model == "another-model"


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_the_deadline_holds_whatever_the_server_does(config: ConnectionConfig, fake: FakeProvider, fault: str) -> None:
    fake.script[:] = [fault]
    with pytest.raises(Transient) as failed:
        run(complete(config, deadline_s=0.5, attempts=1))
    assert failed.value.code in {"deadline", "timeout"}


def test_a_huge_answer_is_cut_and_refused(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["huge"]
    with pytest.raises(Permanent) as failed:
        run(complete(config))
    assert failed.value.code == "too_large"


def test_a_bomb_of_compressed_bytes_is_never_opened(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["bomb"]
    with pytest.raises(ProviderError):
        run(complete(config, attempts=1))


def test_a_million_headers_are_refused(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["headers"]
    with pytest.raises(Transient):
        run(complete(config, attempts=1))


def test_text_comes_in_parts_too_and_other_parts_are_never_dropped_silently(
    config: ConnectionConfig, fake: FakeProvider
) -> None:
    parts = ({"type": "text", "text": "Hello"}, {"type": "text", "text": "again"})
    answer = run(complete(config, CompletionRequest("m", (Message("user", parts),))))
    assert answer.text == "echo: Hello\nagain"
    picture = ({"type": "image_url", "image_url": {"url": "https://a.example/x.png"}},)
    if config.kind == "anthropic":
        with pytest.raises(Permanent):
            run(complete(config, CompletionRequest("m", (Message("user", picture),))))


def test_an_answer_with_characters_that_no_database_takes_is_repaired(
    config: ConnectionConfig, fake: FakeProvider
) -> None:
    fake.answer = lambda _: "a\x00b\ud800c"
    assert run(complete(config)).text == "a\ufffdb\ufffdc"


def test_many_calls_share_one_session(config: ConnectionConfig, fake: FakeProvider) -> None:
    async def main() -> list[str]:
        async with open_session(config) as session:
            answers = await asyncio.gather(*(session.complete(ask(f"Number {n}")) for n in range(40)))
        return [answer.text for answer in answers]

    assert run(main()) == [f"echo: Number {n}" for n in range(40)]


def test_redirects_are_not_followed(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["redirect:http://127.0.0.1:9/"]
    with pytest.raises(ProviderError):
        run(complete(config, attempts=1))
    assert fake.calls == 1


def test_an_address_that_is_not_allowed_is_never_dialled(config: ConnectionConfig, fake: FakeProvider) -> None:
    closed = ConnectionConfig(1, 1, config.kind, config.base_url, config.key)
    with pytest.raises(Permanent) as failed:
        run(complete(closed))
    assert (failed.value.code, fake.calls) == ("egress_refused", 0)


@pytest.mark.parametrize("header", ["1", "-5", "soon", "1e99", "86400"])
def test_a_wait_that_does_not_fit_is_handed_to_the_caller(
    config: ConnectionConfig, fake: FakeProvider, header: str
) -> None:
    fake.script[:] = [f"429:{header}"] * 9
    with pytest.raises(Transient) as failed:
        run(complete(config, deadline_s=0.3))
    assert failed.value.code in {"rate_limited", "deadline"}
    assert failed.value.retry_after_s is None or 0 <= failed.value.retry_after_s <= 600


def test_a_spent_retry_budget_stops_second_attempts(config: ConnectionConfig, fake: FakeProvider) -> None:
    fake.script[:] = ["500"] * 9
    with pytest.raises(Transient):
        run(complete(config, budget=RetryBudget(floor=0, share=0.0)))
    assert fake.calls == 1


def test_the_demo_provider_is_deterministic_and_says_what_it_is() -> None:
    config = ConnectionConfig(1, 1, "demo", "", "")
    first, second = run(complete(config)), run(complete(config))
    assert first.text == second.text
    assert "demo provider" in first.text


def test_the_demo_judge_answers_what_the_schema_asks() -> None:
    config = ConnectionConfig(1, 1, "demo", "", "")
    schema = {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "verdict": {"type": "string", "enum": ["pass", "fail"]}},
    }
    fence = "<data-0123456789abcdef {0}>\n{1}\n</data-0123456789abcdef>"
    good = ask(
        fence.format("output", "green leaves") + fence.format("expected", "green leaves"), response_schema=schema
    )
    bad = ask(fence.format("output", "red car") + fence.format("expected", "green leaves"), response_schema=schema)
    assert '"verdict": "pass"' in run(complete(config, good)).text
    assert '"verdict": "fail"' in run(complete(config, bad)).text
