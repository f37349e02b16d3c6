"""Requests recorded from the tests of another platform: twenty SDKs and instrumentations, good and malformed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from feedback.models import Call
from feedback.services import traces

NAMELESS = "(no scope)"
# Requests of which nothing can be stored: nothing in them, or no ids.
EMPTY = {
    "should skip processing for empty resourceSpans",
    "should reject unsupported ingestion versions in underscore format",
}
AT_ONCE = 20
REFUSED = {"should reject unprocessable spans and non-array collections": 2}


@pytest.fixture
def payloads(shared_data: Path) -> list[dict[str, Any]]:
    folder = shared_data / "configs" / "otlp"
    if not folder.is_dir():
        pytest.skip("the recorded payloads are absent")
    found = []
    for name in sorted(path.name for path in folder.glob("*.jsonl")):
        lines = (folder / name).read_text().split("\n")
        found += [with_ids(json.loads(line), number) for number, line in enumerate(lines) if line]
    found.append(
        {"test": "canonical example", **json.loads((folder / "opentelemetry_proto" / "trace.json").read_text())}
    )
    return found


def with_ids(payload: dict[str, Any], number: int) -> dict[str, Any]:
    """Each payload in a trace of its own: many share one id, and some ids are placeholders of the recorder."""
    for span in spans_of(payload):
        if span.get("traceId") == 42 or "spanId" not in span:
            continue
        for name in ("spanId", "parentSpanId"):
            if isinstance(given := span.get(name), dict):
                numbers = given.get("data", [number for key, number in given.items() if key.isdecimal()])
                span[name] = f"{given['$result']:016x}" if "$result" in given else bytes(numbers).hex()
        span["traceId"] = f"{number + 1:032x}"
    return payload


def title_of(payload: dict[str, Any]) -> str:
    return str(payload["test"]).rpartition(" > ")[2]


def resources_of(payload: dict[str, Any]) -> list[Any]:
    return payload["resourceSpans"] if isinstance(payload["resourceSpans"], list) else []


def spans_of(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for scope in scopes_of(payload):
        yield from scope["spans"]


def scopes_of(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in resources_of(payload):
        scopes = resource.get("scopeSpans")
        for scope in scopes if isinstance(scopes, list) else []:
            if isinstance(scope.get("spans"), list):
                yield scope


def test_every_recorded_payload_lands(api: Any, payloads: list[dict[str, Any]], capsys: Any) -> None:
    for start in range(0, len(payloads), AT_ONCE):
        part = payloads[start : start + AT_ONCE]
        resources = [one for payload in part for one in resources_of(payload)]
        response = api.send("POST", "/traces", {"resourceSpans": resources})
        rejected = int(response.json().get("partialSuccess", {}).get("rejectedSpans", 0))
        expected = sum(REFUSED.get(title_of(payload), 0) for payload in part)
        assert (response.status_code, rejected) == (200, expected), (start, response.content)
    traces.gather_abandoned(now=timezone.now() + timedelta(minutes=2))
    calls = {call.client_id: call for call in Call.objects.all()}
    stored = {name: {span["id"]: span for span in call.trace["spans"]} for name, call in calls.items()}
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for payload in payloads:
        for scope in scopes_of(payload):
            for span in scope["spans"]:
                if not isinstance(span.get("traceId"), str):
                    continue
                kept = stored[span["traceId"].lower()][span["spanId"].lower()]
                name = (scope.get("scope") or {}).get("name") or NAMELESS
                table[name].update({"spans": 1, kept["kind"]: 1, "with content": content_of(kept)})
                table[name]["payloads"] += span is scope["spans"][0]
                lost = lost_attributes(span, kept, payload)
                assert not lost, (payload["test"], lost)
    with capsys.disabled():
        show(table, len(payloads), len(calls))
    assert len(calls) == len(payloads) - len(EMPTY) - len(REFUSED)


def content_of(span: dict[str, Any]) -> bool:
    return span["input"] is not None or span["output"] is not None


def lost_attributes(span: dict[str, Any], kept: dict[str, Any], payload: dict[str, Any]) -> list[str]:
    """Attributes that are neither kept nor content nor a person."""
    given = span.get("attributes") or []
    names = list(given) if isinstance(given, dict) else [one["key"] for one in given]
    held = {**kept["attributes"], "user.id": 1}
    from feedback.otlp import conventions, messages

    content = {*messages.INPUT_NAMES, *messages.OUTPUT_NAMES, *conventions.END_USER}
    content |= {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"}
    content |= {"langfuse.observation.input", "langfuse.observation.output"}
    families = ("gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages.", "retrieval.")
    return [name for name in names if name not in held and name not in content and not name.startswith(families)]


def show(table: dict[str, Counter[str]], payloads: int, calls: int) -> None:
    kinds = sorted({kind for counts in table.values() for kind in counts} - {"spans", "payloads", "with content"})
    print(
        f"\n{payloads} recorded payloads became {calls} calls\n{'instrumentation':<40}payloads  spans  content  kinds"
    )
    for name, counts in sorted(table.items(), key=lambda one: -one[1]["spans"]):
        shown = ", ".join(f"{kind} {counts[kind]}" for kind in kinds if counts[kind])
        print(f"{name:<40}{counts['payloads']:>8}{counts['spans']:>7}{counts['with content']:>9}  {shown}")
