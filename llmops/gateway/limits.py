"""How fast a connection may be called: requests and tokens a minute, and calls in flight.

In one process the counts are kept in memory. With Redis they are shared by all workers; when Redis is away each process
falls back to its own share of the limit, never to no limit.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from typing import Any, Protocol

logger = logging.getLogger(__name__)

WINDOW_S = 60.0
CONNECTIONS = 8  # to Redis, of one limiter


class Limiter(Protocol):
    """`enter` waits until a call may start; `leave` says that it ended and what it used."""

    async def enter(self) -> None: ...

    async def leave(self, *, tokens: int) -> None: ...

    async def close(self) -> None: ...


class NoLimit:
    """For connections without limits and for try-outs."""

    async def enter(self) -> None:
        return None

    async def leave(self, *, tokens: int) -> None:
        return None

    async def close(self) -> None:
        return None


class LocalLimiter:
    """A sliding minute of requests and tokens, and a cap on calls in flight, in this process."""

    def __init__(self, *, rpm: int | None = None, tpm: int | None = None, max_in_flight: int | None = None) -> None:
        self.rpm, self.tpm, self.max_in_flight = rpm, tpm, max_in_flight
        self.in_flight = 0
        self.requests: deque[float] = deque()
        self.tokens: deque[tuple[float, int]] = deque()
        self.tokens_total = 0
        self.changed = asyncio.Condition()

    async def enter(self) -> None:
        async with self.changed:
            while (wait := self._wait(time.monotonic())) > 0:
                try:
                    async with asyncio.timeout(min(wait, 5.0)):
                        await self.changed.wait()
                except TimeoutError:
                    continue
            self.in_flight += 1
            if self.rpm:
                self.requests.append(time.monotonic())

    async def leave(self, *, tokens: int) -> None:
        async with self.changed:
            self.in_flight -= 1
            if self.tpm and tokens:
                self.tokens.append((time.monotonic(), tokens))
                self.tokens_total += tokens
            self.changed.notify_all()

    async def close(self) -> None:
        return None

    def _wait(self, now: float) -> float:
        """Seconds until it makes sense to look again; 0 when a call may start."""
        while self.requests and self.requests[0] <= now - WINDOW_S:
            self.requests.popleft()
        while self.tokens and self.tokens[0][0] <= now - WINDOW_S:
            self.tokens_total -= self.tokens.popleft()[1]
        if self.max_in_flight and self.in_flight >= self.max_in_flight:
            return WINDOW_S
        if self.rpm and len(self.requests) >= self.rpm:
            return self.requests[0] + WINDOW_S - now
        if self.tpm and self.tokens_total >= self.tpm:
            return self.tokens[0][0] + WINDOW_S - now
        return 0.0


# One round trip: drop what is old, count, and enter if there is room; answers the seconds to wait, or 0.
# The clock is Redis's own: workers on several machines disagree about the time.
_ENTER = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 60)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 60)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 120)
local rpm, tpm, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if most > 0 and redis.call('ZCARD', KEYS[3]) >= most then return '0.05' end
if rpm > 0 and redis.call('ZCARD', KEYS[1]) >= rpm then return '0.25' end
if tpm > 0 then
  local used = 0
  for _, item in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    used = used + tonumber(string.match(item, ':(%d+)$'))
  end
  if used >= tpm then return '0.25' end
end
redis.call('ZADD', KEYS[1], now, ARGV[4])
redis.call('ZADD', KEYS[3], now, ARGV[4])
for i = 1, 3 do redis.call('EXPIRE', KEYS[i], 180) end
return '0'
"""
_LEAVE = """
redis.call('ZREM', KEYS[3], ARGV[1])
if tonumber(ARGV[2]) > 0 then
  local clock = redis.call('TIME')
  redis.call('ZADD', KEYS[2], tonumber(clock[1]) + tonumber(clock[2]) / 1000000, ARGV[1] .. ':' .. ARGV[2])
  redis.call('EXPIRE', KEYS[2], 180)
end
return '0'
"""


class SharedLimiter:
    """The same limits counted in Redis by all processes; a call that never left is forgotten after two minutes."""

    def __init__(
        self, redis: Any, *, name: str, rpm: int | None, tpm: int | None, max_in_flight: int | None, fallback: Limiter
    ) -> None:
        self.redis, self.fallback = redis, fallback
        self.keys = [f"llmops:limit:{name}:{part}" for part in ("requests", "tokens", "flying")]
        self.limits = [rpm or 0, tpm or 0, max_in_flight or 0]
        self.entered: deque[str | None] = deque()  # None: entered through the fallback
        self.unsure: deque[str] = deque(maxlen=1_000)  # Redis may have counted these, though its answer never came
        self.queue = asyncio.Lock()

    async def enter(self) -> None:
        ticket = uuid.uuid4().hex
        try:
            if await self._ask(ticket) > 0:
                # One of this process asks on at a time: hundreds would keep Redis and the loop busy with asking.
                async with self.queue:
                    while (wait := await self._ask(ticket)) > 0:  # noqa: ASYNC110 (the count is in Redis)
                        await asyncio.sleep(wait)
        except OSError as error:
            self._complain(error)
            self.unsure.append(ticket)
            await self.fallback.enter()
            self.entered.append(None)
            return
        except asyncio.CancelledError:
            # Redis may have counted the call whose answer nobody waits for any more.
            await asyncio.shield(self._forget(ticket, 0))
            raise
        self.entered.append(ticket)

    async def leave(self, *, tokens: int) -> None:
        ticket = self.entered.popleft() if self.entered else None
        if ticket is None:
            await self.fallback.leave(tokens=tokens)
        else:
            await self._forget(ticket, tokens)

    async def close(self) -> None:
        await self.redis.aclose()

    async def _ask(self, ticket: str) -> float:
        """0 when the call may start, else the seconds until it makes sense to ask again."""
        return float(await self.redis.eval(_ENTER, 3, *self.keys, *self.limits, ticket))

    async def _forget(self, ticket: str, tokens: int) -> None:
        gone = [(ticket, max(0, tokens) if self.limits[1] else 0)]
        if self.unsure:
            gone.append((self.unsure.popleft(), 0))
        for name, used in gone:
            try:
                await self.redis.eval(_LEAVE, 3, *self.keys, name, used)
            except OSError as error:
                self._complain(error)
                self.unsure.append(name)

    def _complain(self, error: Exception) -> None:
        logger.warning("limits.redis_away", extra={"reason": type(error).__name__})


def limiter_for(
    *, name: str, rpm: int | None, tpm: int | None, max_in_flight: int | None, redis_url: str = "", share: int = 1
) -> Limiter:
    """The limiter of a connection; `share` is by how many processes a local limit is divided."""
    if not (rpm or tpm or max_in_flight):
        return NoLimit()
    local = LocalLimiter(rpm=_part(rpm, share), tpm=_part(tpm, share), max_in_flight=_part(max_in_flight, share))
    if not redis_url:
        return local
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 (slow import)

    # A connection for each of hundreds of calls would make a busy machine miss the time-outs.
    pool = BlockingConnectionPool.from_url(
        redis_url, max_connections=CONNECTIONS, timeout=5.0, socket_connect_timeout=0.3, socket_timeout=1.0
    )
    redis = _OsErrors(Redis.from_pool(pool))
    return SharedLimiter(redis, name=name, rpm=rpm, tpm=tpm, max_in_flight=max_in_flight, fallback=local)


class _OsErrors:
    """redis-py's errors as the OSError that the limiter expects."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    def __getattr__(self, name: str) -> Any:
        from redis.exceptions import RedisError  # noqa: PLC0415 (slow import)

        command = getattr(self.redis, name)

        async def call(*arguments: Any) -> Any:
            try:
                return await command(*arguments)
            except RedisError as error:
                raise ConnectionError(str(error)) from error

        return call


def _part(limit: int | None, share: int) -> int | None:
    return None if limit is None else max(1, -(-limit // max(1, share)))
