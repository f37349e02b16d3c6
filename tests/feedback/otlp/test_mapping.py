"""From spans to a call, by every convention: pure."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from feedback.otlp import mapping, steps, wire
from tests.feedback.otlp.conftest import request_of, span

ASKED = [{"role": "user", "content": "Where is my parcel?"}]
CURRENT_IN = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]}])
CURRENT_OUT = json.dumps(
    [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}], "finish_reason": "stop"}]
)


def call_of(*spans: dict[str, Any], scope: str = "tests", **resource: Any) -> dict[str, Any]:
    delivery = wire.from_json(request_of(*spans, scope=scope, **resource))
    assert delivery.refused == ()
    return mapping.call_of([steps.step_of(one) for one in delivery.spans])


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "chat", "gen_ai.input.messages": CURRENT_IN, "gen_ai.output.messages": CURRENT_OUT,
         "gen_ai.response.model": "m-1", "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3},
        {"gen_ai.system": "openai", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Where is my parcel?",
         "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "On its way.",
         "gen_ai.request.model": "m-1", "gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 3},
        {"openinference.span.kind": "LLM", "llm.model_name": "m-1", "llm.input_messages.0.message.role": "user",
         "llm.input_messages.0.message.contents.0.message_content.type": "text",
         "llm.input_messages.0.message.contents.0.message_content.text": "Where is my parcel?",
         "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "On its way.",
         "llm.token_count.prompt": 12, "llm.token_count.completion": 3},
        {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "m-1", "ai.response.text": "On its way.",
         "ai.prompt.messages": json.dumps(ASKED), "ai.usage.promptTokens": 12, "ai.usage.completionTokens": 3},
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "m-1",
         "langfuse.observation.input": json.dumps(ASKED), "langfuse.observation.output": "On its way.",
         "langfuse.observation.usage_details": json.dumps({"input": 12, "output": 3})},
    ],
    ids=["gen_ai", "gen_ai, deprecated, as OpenLLMetry writes it", "OpenInference", "AI SDK", "Langfuse"],
)  # fmt: skip
def test_every_convention_gives_the_same_call(attributes: dict[str, Any]) -> None:
    call = call_of(span(1, attributes=attributes))
    assert (call["inputs"], call["output"]) == ({"messages": ASKED}, "On its way.")
    assert (call["model"], call["tokens_in"], call["tokens_out"]) == ("m-1", 12, 3)
    assert call["trace"]["spans"][0]["kind"] == "llm"


def test_messages_that_travel_as_events_are_read() -> None:
    events = [
        {"name": "gen_ai.user.message", "attributes": request_attributes(content="Where is my parcel?")},
        {"name": "gen_ai.choice", "attributes": request_attributes(message='{"content": "On its way."}')},
    ]
    call = call_of(span(1, attributes={"gen_ai.operation.name": "chat"}, events=events))
    assert (call["inputs"], call["output"]) == ({"messages": ASKED}, "On its way.")


def request_attributes(**values: str) -> list[dict[str, Any]]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in values.items()]


def test_a_chain_takes_its_answer_from_the_last_model_and_its_contexts_from_retrieval() -> None:
    found = {"retrieval.documents.1.document.content": "B", "retrieval.documents.0.document.content": "A"}
    asked = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": CURRENT_IN, "gen_ai.usage.input_tokens": 10}
    call = call_of(
        span(4, 1, at_ms=60, took_ms=40, attributes={**asked, "gen_ai.output.messages": CURRENT_OUT}),
        span(3, 1, at_ms=30, took_ms=20, attributes={**asked, "gen_ai.completion": "draft"}),
        span(2, 1, at_ms=5, took_ms=20, attributes={"openinference.span.kind": "RETRIEVER", **found}),
        span(1, attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 20}, name="answer"),
    )
    assert (call["output"], call["contexts"], call["latency_ms"]) == ("On its way.", ["A", "B"], 100)
    assert call["tokens_in"] == 20, "an agent repeats what its models used"
    shown = [(one["kind"], one["start_ms"], one["duration_ms"]) for one in call["trace"]["spans"]]
    assert shown == [("agent", 0, 100), ("retrieval", 5, 20), ("llm", 30, 20), ("llm", 60, 40)]
    assert {one["parent"] for one in call["trace"]["spans"]} == {"", f"{1:016x}"}


@pytest.mark.parametrize(
    ("version", "field"),
    [(7, {"version": 7}), ("v7", {"version": 7}), ("a" * 40, {"commit": "a" * 40}), ("latest", {"label": "latest"})],
)
def test_a_prompt_is_named_with_its_version(version: Any, field: dict[str, Any]) -> None:
    call = call_of(span(1, attributes={"gen_ai.prompt.name": "support/reply", "gen_ai.prompt.version": version}))
    assert {name: call.get(name) for name in ("prompt", *field)} == {"prompt": "support/reply", **field}


def test_who_where_and_what_for_is_found_and_the_person_is_in_no_span() -> None:
    inner = {"session.id": "chat-9", "user.id": "ada@example.com", "langfuse.trace.tags": ["vip", "eu"]}
    call = call_of(span(1), span(2, 1, attributes=inner), deployment__environment__name="staging", user__id="ada")
    assert (call["session"], call["end_user"]) == ("chat-9", "ada@example.com")
    assert (call["environment"], call["tags"]) == ("staging", ("vip", "eu"))
    assert "ada" not in json.dumps([call["trace"], call["metadata"]])


def test_what_is_not_understood_is_kept_under_its_name() -> None:
    call = call_of(span(1, attributes={"acme.shelf": 7, "gen_ai.request.seed": 3, "output.value": "x"}), acme__zone="b")
    assert call["trace"]["spans"][0]["attributes"] == {
        "acme.shelf": 7, "gen_ai.request.seed": 3, "otel.scope.name": "tests",
    }  # fmt: skip
    assert call["metadata"]["resource"] == {"acme.zone": "b"}


def test_a_failed_span_says_why() -> None:
    exception = {
        "name": "exception",
        "attributes": request_attributes(**{"exception.type": "Timeout", "exception.message": "after 30 s"}),
    }
    assert call_of(span(1, status={"code": 2}, events=[exception]))["error"] == "Timeout: after 30 s"
    assert call_of(span(1, status={"code": 2, "message": "no"}, events=[exception]))["error"] == "no"
    assert call_of(span(1, status={"code": 1}, events=[exception]))["error"] == ""


@pytest.mark.parametrize(
    "hostile",
    [
        '{"a": NaN}', '"\\u0000"', "[" * 10_000, '{"a": 1, "a": 2}', '"\\ud800"', "[1e999]",
    ],
    ids=["NaN", "NUL", "deep", "double key", "half a surrogate", "infinite"],
)  # fmt: skip
def test_json_that_no_database_could_keep_stays_text(hostile: str) -> None:
    assert call_of(span(1, attributes={"output.value": hostile}))["output"] == hostile


def test_numbers_in_names_cost_no_room() -> None:
    names = {"llm.input_messages.999999999.message.content": "b", "llm.input_messages.0.message.content": "a"}
    call = call_of(span(1, attributes={**names, "llm.input_messages.x.message.content": "c"}))
    assert [message["content"] for message in call["trace"]["spans"][0]["input"]] == ["a", "b"]


def test_protobuf_and_json_say_the_same() -> None:
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body = request_of(
        span(2, 1, attributes={"a": [1, "b"], "c": True, "d": 1.5}, status={"code": 2}), service__name="s"
    )
    as_json = wire.from_json(body)
    for one in body["resourceSpans"][0]["scopeSpans"][0]["spans"]:  # protobuf's own JSON has base64 ids, OTLP's hex
        for name in ("traceId", "spanId", "parentSpanId"):
            one[name] = base64.b64encode(bytes.fromhex(one[name])).decode()
    message = json_format.ParseDict(body, ExportTraceServiceRequest())
    assert wire.from_protobuf(message.SerializeToString()) == as_json
