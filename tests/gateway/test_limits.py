"""How fast a connection may be called, alone and together with other processes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.conf import settings

from llmops.gateway import client, limits
from llmops.gateway.client import ConnectionConfig
from llmops.gateway.errors import Transient
from llmops.gateway.limits import Limiter, LocalLimiter, NoLimit, SharedLimiter
from llmops.gateway.types import CompletionRequest, Message


async def most_at_once(limiters: list[Limiter], calls: int) -> int:
    flying = most = 0

    async def call(limiter: Limiter) -> None:
        nonlocal flying, most
        await limiter.enter()
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.005)
        flying -= 1
        await limiter.leave(tokens=1)

    await asyncio.gather(*(call(limiters[number % len(limiters)]) for number in range(calls)))
    return most


def test_calls_in_flight_never_pass_the_limit() -> None:
    async def main() -> int:
        return await most_at_once([LocalLimiter(max_in_flight=3)], 30)

    assert asyncio.run(main()) == 3


@pytest.mark.parametrize("limiter", [lambda: LocalLimiter(rpm=5), lambda: LocalLimiter(tpm=5)])
def test_a_full_minute_makes_callers_wait_until_it_slides(
    limiter: Callable[[], LocalLimiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WINDOW_S", 0.3)

    async def main() -> list[float]:
        one, ends, started = limiter(), [], time.monotonic()
        for _ in range(8):
            await one.enter()
            await one.leave(tokens=1)
            ends.append(time.monotonic() - started)
        return ends

    ends = asyncio.run(main())
    assert ends[4] < 0.25 < ends[5]


def test_waiting_for_the_limit_ends_with_the_deadline() -> None:
    config = ConnectionConfig(1, 1, "demo", "", "")
    request = CompletionRequest("demo-slow", (Message("user", "Hello"),))

    async def main() -> None:
        async with client.open_session(config, limiter=LocalLimiter(max_in_flight=1)) as session:
            first = asyncio.create_task(session.complete(request))
            await asyncio.sleep(0)
            with pytest.raises(Transient) as refused:
                await session.complete(request, deadline_s=0.05)
            assert refused.value.code == "limit_wait"
            first.cancel()

    asyncio.run(main())


def test_a_cancelled_call_gives_its_place_back() -> None:
    config = ConnectionConfig(1, 1, "demo", "", "")
    limiter = LocalLimiter(max_in_flight=1)

    async def main() -> None:
        async with client.open_session(config, limiter=limiter) as session:
            call = asyncio.create_task(session.complete(CompletionRequest("demo-slow", (Message("user", "Hello"),))))
            await asyncio.sleep(0.02)
            assert limiter.in_flight == 1
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        assert limiter.in_flight == 0

    asyncio.run(main())


def test_each_process_gets_its_share_of_a_local_limit() -> None:
    made = limits.limiter_for(name="1", rpm=10, tpm=None, max_in_flight=7, share=4)
    assert isinstance(made, LocalLimiter)
    assert (made.rpm, made.tpm, made.max_in_flight) == (3, None, 2)
    assert isinstance(limits.limiter_for(name="1", rpm=None, tpm=None, max_in_flight=None), NoLimit)


def test_when_redis_is_away_the_share_holds_and_nothing_else() -> None:
    async def main() -> int:
        limiter = limits.limiter_for(
            name="1", rpm=None, tpm=None, max_in_flight=8, share=4, redis_url="redis://127.0.0.1:1/0"
        )
        try:
            return await most_at_once([limiter], 20)
        finally:
            await limiter.close()

    assert asyncio.run(main()) == 2


def with_redis(scenario: Callable[[Callable[..., Limiter]], Coroutine[Any, Any, None]]) -> None:
    name = f"test-{uuid.uuid4().hex}"
    made: list[Limiter] = []

    def limiter(**bounds: int) -> Limiter:
        given: dict[str, int | None] = {"rpm": None, "tpm": None, "max_in_flight": None} | bounds
        one = limits.limiter_for(name=name, redis_url=settings.REDIS_URL, **given)  # type: ignore[arg-type]
        made.append(one)
        return one

    async def main() -> None:
        try:
            await scenario(limiter)
        finally:
            assert isinstance(made[0], SharedLimiter)
            await made[0].redis.delete(*made[0].keys)
            for one in made:
                await one.close()

    asyncio.run(main())


@pytest.mark.redis
def test_several_processes_share_the_calls_in_flight() -> None:
    async def scenario(limiter: Callable[..., Limiter]) -> None:
        assert await most_at_once([limiter(max_in_flight=3) for _ in range(3)], 30) == 3

    with_redis(scenario)


@pytest.mark.redis
@pytest.mark.parametrize("bound", ["rpm", "tpm"])
def test_several_processes_share_the_minute(bound: str) -> None:
    async def scenario(limiter: Callable[..., Limiter]) -> None:
        both = [limiter(**{bound: 4}) for _ in range(2)]
        for number in range(4):
            await both[number % 2].enter()
            await both[number % 2].leave(tokens=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await both[0].enter()

    with_redis(scenario)


@pytest.mark.redis
def test_a_caller_that_gave_up_waiting_holds_no_place() -> None:
    async def scenario(limiter: Callable[..., Limiter]) -> None:
        one = limiter(max_in_flight=1)
        await one.enter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await one.enter()
        await one.leave(tokens=0)
        async with asyncio.timeout(1):
            await one.enter()
        await one.leave(tokens=0)

    with_redis(scenario)


@pytest.mark.redis
def test_a_place_whose_answer_was_lost_is_given_back_by_the_next_call_that_ends() -> None:
    async def scenario(limiter: Callable[..., Limiter]) -> None:
        one = limiter(max_in_flight=2)
        assert isinstance(one, SharedLimiter)
        real = one.redis

        class Torn:
            async def eval(self, *arguments: Any) -> Any:
                await real.eval(*arguments)
                raise ConnectionError("Redis has counted, and its answer is lost")

        await one.enter()
        one.redis = Torn()
        await one.enter()  # through the fallback
        one.redis = real
        assert await real.zcard(one.keys[2]) == 2
        await one.leave(tokens=0)
        assert await real.zcard(one.keys[2]) == 0
        await one.leave(tokens=0)

    with_redis(scenario)


@pytest.mark.redis
def test_hundreds_at_once_share_a_few_connections() -> None:
    async def scenario(limiter: Callable[..., Limiter]) -> None:
        one = limiter(max_in_flight=200)
        assert isinstance(one, SharedLimiter)
        before = len(await one.redis.client_list())
        assert await most_at_once([one], 600) <= 200
        assert len(await one.redis.client_list()) <= before + limits.CONNECTIONS
        assert not one.unsure

    with_redis(scenario)
