"""The network under the SDKs: aiohttp with checked addresses, no redirects, no proxies, and a cap on every answer.

Loaded by workers only: aiohttp and httpx2 are slow to import.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterable

import aiohttp
import httpx2
from aiohttp.abc import AbstractResolver, ResolveResult

from llmops.gateway import egress

MAX_ANSWER_BYTES = 20 * 1024 * 1024
CONNECT_S = 10.0


class AnswerTooLarge(httpx2.ReadError):
    """The answer is longer than MAX_ANSWER_BYTES."""


class CheckedResolver(AbstractResolver):
    """Resolves names through `egress.addresses`, so that only checked addresses are dialled."""

    def __init__(self, allow: Iterable[str], resolve: egress.Resolve | None = None) -> None:
        self.allow = frozenset(allow)
        self.resolve_names = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            None, lambda: egress.addresses(host, port, allow=self.allow, resolve=self.resolve_names)
        )
        return [
            ResolveResult(
                hostname=host, host=text, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                family=socket.AF_INET6 if ":" in text else socket.AF_INET,
            )
            for text in found
        ]  # fmt: skip

    async def close(self) -> None:
        return None


class CheckedTransport(httpx2.AsyncBaseTransport):
    """An httpx2 transport over one aiohttp session; lives in one event loop."""

    def __init__(self, *, allow: Iterable[str], connections: int, resolve: egress.Resolve | None = None) -> None:
        self.allow = frozenset(allow)
        connector = aiohttp.TCPConnector(
            limit=connections, resolver=CheckedResolver(self.allow, resolve), use_dns_cache=True, ttl_dns_cache=30
        )
        self.session = aiohttp.ClientSession(
            connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._check(request.url)
        timeout = request.extensions.get("timeout", {})
        try:
            answer = await self.session.request(
                request.method,
                str(request.url),
                headers=[*_plain_headers(request), ("Accept-Encoding", "identity")],
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S, sock_read=timeout.get("read")),
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error
        if answer.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
            answer.close()
            raise httpx2.ReadError("a compressed answer that was not asked for")
        return httpx2.Response(answer.status, headers=answer.raw_headers, stream=_CappedStream(answer), request=request)

    def _check(self, url: httpx2.URL) -> None:
        """What was saved long ago is judged again; aiohttp asks no resolver about address literals."""
        port = url.port or (443 if url.scheme == "https" else 80)
        if egress.is_allowed(url.host, port, self.allow):
            return
        if url.scheme != "https":
            raise httpx2.ConnectError("refused") from egress.EgressRefused(f"{url.host} is not called without TLS")
        try:
            address = ipaddress.ip_address(url.host)
        except ValueError:
            return
        if not egress.acceptable(address):
            raise httpx2.ConnectError("refused") from egress.EgressRefused(f"{url.host} is not on the public internet")

    async def aclose(self) -> None:
        await self.session.close()


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        try:
            async for chunk in self.answer.content.iter_any():
                received += len(chunk)
                if received > MAX_ANSWER_BYTES:
                    raise AnswerTooLarge(f"more than {MAX_ANSWER_BYTES:,} bytes")
                yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        # A connection whose answer was not read to its end is not used again.
        if self.answer.content.at_eof():
            self.answer.release()
        else:
            self.answer.close()


def _plain_headers(request: httpx2.Request) -> list[tuple[str, str]]:
    """Without Accept-Encoding: a compressed answer could be a thousand times larger than what the cap sees."""
    return [(name, value) for name, value in request.headers.multi_items() if name.lower() != "accept-encoding"]


def _translated(error: Exception) -> httpx2.TransportError:
    if isinstance(error, asyncio.TimeoutError):
        return httpx2.ReadTimeout(str(error) or "no answer in time")
    if isinstance(error, aiohttp.ClientConnectorError | egress.EgressRefused):
        return httpx2.ConnectError(str(error))
    return httpx2.ReadError(str(error) or type(error).__name__)


def refusal_in(error: BaseException | None) -> egress.EgressRefused | None:
    """The refused address behind an SDK's connection error, if that is the cause."""
    while error is not None:
        if isinstance(error, egress.EgressRefused):
            return error
        error = error.__cause__ or error.__context__
    return None
