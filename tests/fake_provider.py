"""A model provider on loopback: speaks the OpenAI and Anthropic wire formats, streams, embeds, fails as told, counts.

In tests: `with FakeProvider() as fake:` runs it in a thread; `fake.script` is a list of faults for the next calls.
For benches and kill tests, as a process of its own:

    python -m tests.fake_provider --port 0 --latency-ms 200            # prints its port
    python -m tests.fake_provider --lognormal-median-ms 500 --sigma 0.6 --seed 1

`GET /ledger` answers `{"calls": n, "by_text": {sha256 of the last user message: n}, "answered": {…}}`: what was asked,
and what was answered well and so would be paid for. `POST /script` adds a list of faults; `POST /forget` empties both.
With `--numbered` an answer ends with `#n`, how often its question has been asked: no two answers are equal.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import math
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

Json = dict[str, Any]
USAGE_IN, USAGE_OUT = 11, 7


class FakeProvider:
    """`answer` makes the text from the last user message; faults are consumed from `script`, one a call.

    Faults: "500", "429", "429:<Retry-After>", "401", "400", "404", "529", "hang", "hang:<seconds>" (then a reset),
    "garbage", "truncated", "reset", "cut" (a stream without its end), "empty" (no choices), "error200" (an error object
    in a 200), "nousage", "badusage", "othermodel", "huge", "drip", "bomb" (gzip), "headers" (very many),
    "redirect:<url>"; of embeddings alone: "fewer" (a vector too few), "ragged", "words", "turned" (last one first).
    `vector` places one text.
    """

    def __init__(
        self,
        *,
        answer: Callable[[str], str] = lambda text: f"echo: {text}",
        vector: Callable[[str], list[float]] = lambda text: [float(len(text)), 1.0],
        latency_s: Callable[[], float] = lambda: 0.0,
        port: int = 0,
    ) -> None:
        self.answer = answer
        self.vector = vector
        self.latency_s = latency_s
        self.port = port
        self.script: list[str] = []
        self.calls = 0
        self.by_text: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.keys: list[str] = []
        self.recorded: list[tuple[int, str, str]] = []  # status, content type, body: served at /recorded/<index>/…
        self._loop: asyncio.AbstractEventLoop | None = None

    # in a thread

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the fake provider did not start"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def openai_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host_port(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _serve(self, ready: threading.Event) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            runner = await self.start()
            ready.set()
            await self._stop.wait()
            await runner.cleanup()

        asyncio.run(main())

    async def start(self) -> web.AppRunner:
        """Listen; the port is known afterwards."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_post("/v1/messages", self._anthropic)
        app.router.add_get("/ledger", self._ledger)
        app.router.add_post("/script", self._add_faults)
        app.router.add_post("/forget", self._forget)
        app.router.add_post("/recorded/{index}/{rest:.*}", self._replay)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    # requests

    async def _ledger(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "calls": self.calls,
                "by_text": dict(self.by_text),
                "answered": dict(self.answered),
                "most_in_flight": self.most_in_flight,
            }
        )

    async def _add_faults(self, request: web.Request) -> web.Response:
        self.script += await request.json()
        return web.json_response({})

    async def _forget(self, _: web.Request) -> web.Response:
        self.calls = 0
        self.script.clear()
        self.by_text.clear()
        self.answered.clear()
        return web.json_response({})

    async def _replay(self, request: web.Request) -> web.Response:
        status, content_type, body = self.recorded[int(request.match_info["index"])]
        return web.Response(status=status, body=body.encode(), headers={"Content-Type": content_type})

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, OpenAIFormat())

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, AnthropicFormat())

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        return await self._handle(request, EmbeddingsFormat(self.vector))

    async def _handle(self, request: web.Request, wire: WireFormat) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization", request.headers.get("x-api-key", "")))
        body = await request.json()
        fault = self.script.pop(0) if self.script else ""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency_s())
            text = wire.question(body)
            self.calls += 1
            name = digest(text)
            self.by_text[name] += 1
            if (failed := await self._fail(request, fault, wire)) is not None:
                return failed
            if not fault:
                self.answered[name] += 1
            answer = wire.wrapped(body, self.answer(text))
            if body.get("stream"):
                return await self._stream(request, wire, body, answer, cut=fault == "cut")
            return await self._whole(request, wire.whole(body, answer, fault), fault)
        finally:
            self.in_flight -= 1

    async def _fail(self, request: web.Request, fault: str, wire: WireFormat) -> web.StreamResponse | None:
        kind, _, detail = fault.partition(":")
        if kind.isdigit():
            headers = {"Retry-After": detail} if detail else {}
            return web.json_response(wire.error(int(kind)), status=int(kind), headers=headers)
        match kind:
            case "hang":
                await asyncio.sleep(float(detail or 3600))
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "garbage":
                return web.Response(text="<html>gateway</html>", content_type="application/json")
            case "error200":
                return web.json_response(wire.error(500))
            case "bomb":
                squeezed = gzip.compress(b" " * 30 * 1024 * 1024)
                headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
                return web.Response(body=squeezed, headers=headers)
            case "headers":
                return web.Response(text="{}", headers={f"X-{number}": "x" for number in range(20_000)})
            case "redirect":
                return web.Response(status=302, headers={"Location": detail})
            case "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
        return None

    async def _whole(self, request: web.Request, answer: Json, fault: str) -> web.StreamResponse:
        data = json.dumps(answer).encode()
        if fault not in {"truncated", "huge", "drip"}:
            return web.Response(body=data, content_type="application/json")
        length = 64 * 1024 * 1024 if fault == "huge" else len(data)
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(length)})
        await response.prepare(request)
        if fault == "truncated":
            await response.write(data[: len(data) // 2])
            assert request.transport is not None
            request.transport.abort()
        elif fault == "huge":
            for _ in range(64):
                await response.write(b" " * 1024 * 1024)
        else:
            for byte in data:
                await response.write(bytes([byte]))
                await asyncio.sleep(0.5)
        return response

    async def _stream(
        self, request: web.Request, wire: WireFormat, body: Json, answer: str, *, cut: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        events = wire.events(body, answer)
        for event in events[: len(events) // 2] if cut else events:
            await response.write(event.encode())
        return response


class WireFormat:
    """How one provider writes questions, answers, streams and errors."""

    def question(self, body: Json) -> str:
        content = next((turn["content"] for turn in reversed(body["messages"]) if turn["role"] == "user"), "")
        if isinstance(content, list):
            content = "\n".join(part.get("text", "") for part in content)
        return str(content)

    def wrapped(self, body: Json, answer: str) -> str:
        return answer

    def whole(self, body: Json, answer: str, fault: str) -> Json:
        raise NotImplementedError

    def events(self, body: Json, answer: str) -> list[str]:
        raise NotImplementedError

    def error(self, status: int) -> Json:
        raise NotImplementedError


def pieces(answer: str) -> list[str]:
    return [answer[start : start + 5] for start in range(0, len(answer), 5)]


class OpenAIFormat(WireFormat):
    def whole(self, body: Json, answer: str, fault: str) -> Json:
        usage: Any = {"prompt_tokens": USAGE_IN, "completion_tokens": USAGE_OUT, "total_tokens": USAGE_IN + USAGE_OUT}
        usage = {"nousage": None, "badusage": {"prompt_tokens": -5, "completion_tokens": 1e30}}.get(fault, usage)
        message = {"role": "assistant", "content": answer}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "another-model" if fault == "othermodel" else body["model"],
            "choices": [] if fault == "empty" else [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }

    def events(self, body: Json, answer: str) -> list[str]:
        def chunk(delta: Json, finish: str | None = None) -> Json:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": body["model"],
                "choices": [choice],
            }

        usage = {"prompt_tokens": USAGE_IN, "completion_tokens": USAGE_OUT, "total_tokens": USAGE_IN + USAGE_OUT}
        last = {**chunk({}), "choices": [], "usage": usage}
        parts = [chunk({"content": piece}) for piece in pieces(answer)]
        lines = [chunk({"role": "assistant"}), *parts, chunk({}, "stop"), last]
        return [f"data: {json.dumps(line)}\n\n" for line in lines] + ["data: [DONE]\n\n"]

    def error(self, status: int) -> Json:
        return {"error": {"message": "as told", "type": "fake", "code": "fake", "param": None}}


class EmbeddingsFormat(OpenAIFormat):
    """A question is all texts, one a line."""

    def __init__(self, vector: Callable[[str], list[float]]) -> None:
        self.vector = vector

    def question(self, body: Json) -> str:
        return "\n".join(body["input"])

    def whole(self, body: Json, answer: str, fault: str) -> Json:
        data = [
            {"object": "embedding", "index": place, "embedding": self.vector(text)[: body.get("dimensions")]}
            for place, text in enumerate(body["input"])
        ]
        changed: Any = {
            "empty": [], "fewer": data[:-1], "turned": data[::-1], "words": [{**one, "embedding": "x"} for one in data],
            "ragged": [*data[:-1], {**data[-1], "embedding": [1.0]}],
        }  # fmt: skip
        usage: Any = {"prompt_tokens": USAGE_IN, "total_tokens": USAGE_IN}
        return {
            "object": "list",
            "model": "another-model" if fault == "othermodel" else body["model"],
            "data": changed.get(fault, data),
            "usage": {"nousage": None, "badusage": {"prompt_tokens": -5}}.get(fault, usage),
        }


class AnthropicFormat(WireFormat):
    def wrapped(self, body: Json, answer: str) -> str:
        return answer

    def whole(self, body: Json, answer: str, fault: str) -> Json:
        usage: Any = {"input_tokens": USAGE_IN, "output_tokens": USAGE_OUT}
        usage = {"nousage": None, "badusage": {"input_tokens": -5, "output_tokens": 1e30}}.get(fault, usage)
        content: list[Json] = [{"type": "text", "text": answer}]
        if body.get("tool_choice"):
            content = [{"type": "tool_use", "id": "t1", "name": "answer", "input": json.loads(answer)}]
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "another-model" if fault == "othermodel" else body["model"],
            "content": [] if fault == "empty" else content,
            "stop_reason": None if fault == "empty" else "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }

    def events(self, body: Json, answer: str) -> list[str]:
        start = self.whole(body, "", "") | {"content": [], "stop_reason": None}
        deltas = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces(answer)
        ]
        lines: list[Json] = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": USAGE_OUT}},
            {"type": "message_stop"},
        ]
        return [f"event: {line['type']}\ndata: {json.dumps(line)}\n\n" for line in lines]

    def error(self, status: int) -> Json:
        return {"type": "error", "error": {"type": "fake", "message": "as told"}}


def digest(text: str) -> str:
    """A question's name in the ledger."""
    return hashlib.sha256(text.encode()).hexdigest()


def lognormal(median_s: float, sigma: float, seed: int) -> Callable[[], float]:
    """Log-normal latencies from a seed, cut at 30 s."""
    dice = random.Random(seed)
    return lambda: min(30.0, dice.lognormvariate(math.log(median_s), sigma))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--lognormal-median-ms", type=float, default=0.0)
    parser.add_argument("--sigma", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--numbered", action="store_true")
    options = parser.parse_args()
    latency: Callable[[], float] = lambda: options.latency_ms / 1000  # noqa: E731
    if options.lognormal_median_ms:
        latency = lognormal(options.lognormal_median_ms / 1000, options.sigma, options.seed)
    fake = FakeProvider(port=options.port, latency_s=latency)
    if options.numbered:
        fake.answer = lambda text: f"echo: {text} #{fake.by_text[digest(text)]}"

    async def serve() -> None:
        await fake.start()
        print(fake.port, flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
