"""Answers and errors that real providers gave, served again over HTTP and read by the real client libraries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.gateway.client import ConnectionConfig, open_session
from llmops.gateway.errors import Permanent, ProviderError, Refused, Transient
from llmops.gateway.types import Completion, CompletionRequest, Message
from tests.fake_provider import FakeProvider

Json = Any
EXPECTED_ERRORS = {
    400: (Permanent, "bad_request"),
    401: (Refused, "auth"),
    404: (Permanent, "model_not_found"),
    429: (Transient, "rate_limited"),
}


def recorded(shared_data: Path, name: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """(kind of connection, exchange) of every exchange in a format that we speak."""
    lines = (shared_data / "configs" / "llm_http_fixtures" / name).read_text().splitlines()
    for line in lines:
        row = json.loads(line)
        path = row["url"].partition("?")[0].partition("#")[0]
        if path.endswith("/v1/messages"):
            yield "anthropic", row
        elif path.endswith("chat/completions"):
            yield "openai-compatible", row


def served(rows: list[tuple[str, dict[str, Json]]]) -> list[tuple[int, str, str]]:
    return [
        (
            row["status"],
            "text/event-stream" if row["streaming"] else "application/json",
            row["response"] if isinstance(row["response"], str) else json.dumps(row["response"]),
        )
        for _, row in rows
    ]


async def ask(fake: FakeProvider, index: int, kind: str, streaming: bool) -> Completion | ProviderError:
    url = f"http://{fake.host_port}/recorded/{index}"
    config = ConnectionConfig(1, 1, kind, url, "sk-tests", frozenset({fake.host_port}))
    pieces: list[str] = []
    request = CompletionRequest("recorded", (Message("user", "Hello"),))
    try:
        async with open_session(config) as session:
            answer = await session.complete(request, attempts=1, on_delta=pieces.append if streaming else None)
    except ProviderError as error:
        return error
    assert not streaming or "".join(pieces) == answer.text
    return answer


def events(body: str) -> list[Json]:
    lines = [line.removeprefix("data:").strip() for line in body.splitlines() if line.startswith("data:")]
    return [json.loads(line) for line in lines if line and line != "[DONE]"]


def said_by_openai(row: dict[str, Json]) -> tuple[str, str, int | None]:
    """Text, model and tokens out, read without any library."""
    if not row["streaming"]:
        body = row["response"]
        message = body["choices"][0]["message"]
        text = message.get("content") or message.get("refusal") or ""
        return text, body["model"], (body.get("usage") or {}).get("completion_tokens")
    chunks = events(row["response"])
    deltas = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    tokens = [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")]
    models = [chunk["model"] for chunk in chunks if chunk.get("model")]
    return "".join(delta or "" for delta in deltas), models[-1], tokens[-1] if tokens else None


def said_by_anthropic(row: dict[str, Json]) -> tuple[str, str, int | None]:
    if not row["streaming"]:
        body = row["response"]
        text = "".join(block["text"] for block in body["content"] if block["type"] == "text")
        return text, body["model"], body["usage"]["output_tokens"]
    found = events(row["response"])
    model = next(event["message"]["model"] for event in found if event["type"] == "message_start")
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    tokens = [event["usage"]["output_tokens"] for event in found if event["type"] == "message_delta"]
    return "".join(delta.get("text", "") for delta in deltas), model, tokens[-1]


def said(kind: str, row: dict[str, Json]) -> tuple[str, str, int | None] | None:
    """None for a recording that is no whole answer of its format."""
    if not row["streaming"] and not isinstance(row["response"], dict):
        return None
    if not row["streaming"] and isinstance((row["response"].get("choices") or [{}])[0].get("message", {}), dict):
        content = (row["response"].get("choices") or [{}])[0].get("message", {}).get("content")
        if isinstance(content, list):
            return None
    return said_by_anthropic(row) if kind == "anthropic" else said_by_openai(row)


def called(kind: str, row: dict[str, Json]) -> list[str]:
    """The names of the tools that the model called."""
    if kind == "anthropic" and row["streaming"]:
        blocks = [event["content_block"] for event in events(row["response"]) if "content_block" in event]
        return [block["name"] for block in blocks if block["type"] == "tool_use"]
    if kind == "anthropic":
        return [block["name"] for block in row["response"]["content"] if block["type"] == "tool_use"]
    if row["streaming"]:
        deltas = [choice["delta"] for chunk in events(row["response"]) for choice in chunk["choices"]]
        parts = [part for delta in deltas for part in delta.get("tool_calls") or []]
        return [part["function"]["name"] for part in parts if part.get("function", {}).get("name")]
    return [call["function"]["name"] for call in row["response"]["choices"][0]["message"].get("tool_calls") or []]


def names_of(answer: Completion) -> list[str]:
    for call in answer.tool_calls:
        json.loads(call["function"].get("arguments") or "{}") if "function" in call else dict(call["input"])
    return [call["name"] if "name" in call else call["function"]["name"] for call in answer.tool_calls]


def test_recorded_answers_are_read_as_they_were_given(shared_data: Path) -> None:
    rows = list(recorded(shared_data, "success_dev.jsonl"))
    different, refused = [], 0
    with FakeProvider() as fake:
        fake.recorded = served(rows)
        for index, (kind, row) in enumerate(rows):
            answer = asyncio.run(ask(fake, index, kind, row["streaming"]))
            expected = said(kind, row)
            if expected is None:
                refused += isinstance(answer, ProviderError)
            elif isinstance(answer, ProviderError):
                different.append((row["source"], answer.code, expected))
            elif (answer.text, answer.model, answer.usage.tokens_out) != expected:
                different.append((row["source"], answer, expected))
            elif names_of(answer) != called(kind, row):
                different.append((row["source"], answer, called(kind, row)))
    assert different == []
    assert len(rows) > 90
    assert refused == sum(said(kind, row) is None for kind, row in rows)


def test_recorded_errors_get_their_kind_and_show_no_remote_text(shared_data: Path) -> None:
    rows = list(recorded(shared_data, "errors.jsonl"))
    with FakeProvider() as fake:
        fake.recorded = served(rows)
        for index, (kind, row) in enumerate(rows):
            error = asyncio.run(ask(fake, index, kind, streaming=False))
            expected, code = EXPECTED_ERRORS[row["status"]]
            assert type(error) is expected, row["source"]
            assert isinstance(error, ProviderError)
            assert (error.code, error.status) == (code, row["status"])
            assert row["response"]["error"]["message"] not in error.message
    assert len(rows) >= 15


@pytest.mark.parametrize("kind", ["openai-compatible", "anthropic"])
def test_an_error_inside_a_stream_is_transient(kind: str) -> None:
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with FakeProvider() as fake:
        fake.recorded = [(200, "text/event-stream", f"event: error\ndata: {json.dumps(event)}\n\n")]
        error = asyncio.run(ask(fake, 0, kind, streaming=True))
    assert isinstance(error, Transient)
