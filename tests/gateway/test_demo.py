"""The provider without a model: right for visible reasons, wrong for visible reasons."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmops.gateway.errors import Transient
from llmops.gateway.providers.base import Account
from llmops.gateway.providers.demo import Demo, answer
from llmops.gateway.types import CompletionRequest, Message

DATA = Path(__file__).resolve().parents[2] / "llmops" / "demo" / "data"


def request(user: str, system: str = "", model: str = "demo-1", **parameters: Any) -> CompletionRequest:
    messages = (Message("system", system), Message("user", user)) if system else (Message("user", user),)
    return CompletionRequest(model, messages, parameters)


def share_right(system: str) -> float:
    mails = [json.loads(line) for line in (DATA / "support_mails.jsonl").read_text().splitlines()]
    right = [answer(request(mail["mail"], system)).lower() == mail["category"] for mail in mails]
    return sum(right) / len(right)


def system_of(name: str) -> str:
    return (DATA / name).read_text().partition("system:\n")[2].partition("\nuser:\n")[0]


def test_a_prompt_that_names_the_categories_is_right_more_often() -> None:
    vague = share_right(system_of("classify_mail_1.prompty"))
    named = share_right(system_of("classify_mail_2.prompty"))
    assert vague < 0.6 < named < 1.0
    assert named - vague > 0.2


@pytest.mark.parametrize(
    "system",
    [
        "Categories:\n- delivery\n- refund\n- account",
        "Answer with one of these categories: delivery, refund or account.",
        "Labels: “delivery”; refund; account",
    ],
)
def test_categories_are_found_as_a_list_or_in_a_line(system: str) -> None:
    assert answer(request("The courier lost my parcel.", system)) in {"delivery", "“delivery”"}
    assert answer(request("I forgot my password and cannot sign in.", system)) == "account"


def test_it_says_what_it_is() -> None:
    assert "demo provider; no model was called" in answer(request("Write a poem."))


def test_a_verdict_fits_any_schema_of_its_kind() -> None:
    schema = {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": 40},
            "verdict": {"enum": ["pass", "fail"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "sure": {"type": "boolean"},
            "kind": {"const": "demo"},
            "notes": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "more": {"type": "object", "properties": {"share": {"type": "number"}}, "required": ["share"]},
            "none": {"type": ["null", "string"]},
        },
        "required": ["reason", "verdict", "score", "sure", "kind", "notes", "more", "none"],
        "additionalProperties": False,
    }
    asked = CompletionRequest("demo-1", (Message("user", "Judge this."),), response_schema=schema)
    jsonschema.validate(json.loads(answer(asked)), schema)


def test_a_flaky_question_fails_once_and_then_is_answered() -> None:
    async def main() -> int:
        demo, failures = Demo(Account("", "")), 0
        for number in range(40):
            asked = request(f"Question {number}", model="demo-flaky", demo_latency_ms=0)
            try:
                await demo.complete(asked, timeout_s=1)
            except Transient:
                failures += 1
                await demo.complete(asked, timeout_s=1)
        return failures

    first, second = asyncio.run(main()), asyncio.run(main())
    assert first == second
    assert 2 <= first <= 16


def test_a_latency_beyond_the_deadline_is_a_timeout() -> None:
    with pytest.raises(Transient) as slow:
        asyncio.run(Demo(Account("", "")).complete(request("Hello", demo_latency_ms=5000), timeout_s=0.02))
    assert slow.value.code == "timeout"
