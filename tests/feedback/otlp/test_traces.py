"""POST /v1/traces: what arrives, in which order, and what becomes of it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from feedback.models import Call, LooseSpan, Refusal, Seen
from feedback.services import traces
from llmops.common import ids
from llmops.common.actors import SYSTEM
from llmops.gateway.services import prices
from llmops.gateway.types import spans_of
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from tests.feedback.otlp.conftest import TRACE, request_of, span

HEAD = span(1, name="answer", attributes={"output.value": "On its way.", "user.id": "ada"})
CHILD = span(2, 1, at_ms=10, took_ms=50, attributes={"gen_ai.request.model": "m-1", "gen_ai.usage.input_tokens": 5})
LATE = span(3, 1, at_ms=70, took_ms=20, attributes={"gen_ai.request.model": "m-1", "gen_ai.usage.input_tokens": 7})


def later() -> Any:
    return timezone.now() + timedelta(minutes=2)


@pytest.mark.parametrize(
    "path", ["/v1/traces", "/api/v1/traces", "/api/public/otel/v1/traces"], ids=["plain", "ours", "as Langfuse's SDK"]
)
def test_a_trace_is_a_call(api: Any, path: str) -> None:
    response = api.post(path, request_of(HEAD, CHILD), content_type="application/json")
    assert (response.status_code, response.json()) == (200, {})
    call = Call.objects.get()
    assert (call.client_id, call.output, call.model, call.tokens_in) == (TRACE, "On its way.", "m-1", 5)
    assert len(call.end_user) == 32
    assert [one.name for one in spans_of(call.trace)] == ["answer", "span 2"]
    assert call.started_at.isoformat() == "2026-03-04T12:00:00+00:00"


@pytest.mark.parametrize("order", [[CHILD, LATE, HEAD], [HEAD, CHILD, LATE], [CHILD, HEAD, LATE]], ids=str)
def test_spans_may_come_one_by_one_in_any_order(export: Callable[..., Any], order: list[Any]) -> None:
    for one in order:
        export(one)
    traces.gather_abandoned(now=later())
    call = Call.objects.get()
    assert {one.id[-1] for one in spans_of(call.trace)} == {"1", "2", "3"}
    assert (call.output, call.tokens_in, call.latency_ms) == ("On its way.", 12, 100)
    assert not LooseSpan.objects.exists()


def test_a_head_that_never_comes_is_not_waited_for(export: Callable[..., Any]) -> None:
    export(CHILD)
    assert traces.gather_abandoned(now=timezone.now()) == 0
    assert not Call.objects.exists()
    assert traces.gather_abandoned(now=later()) == 1
    assert traces.gather_abandoned(now=later()) == 0
    assert (Call.objects.get().model, Call.objects.get().client_id) == ("m-1", TRACE)
    export(HEAD)
    call = Call.objects.get()
    assert (call.output, [one.name for one in spans_of(call.trace)]) == ("On its way.", ["answer", "span 2"])


def test_a_trace_that_cannot_be_read_stops_no_other_and_is_tried_again(
    export: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    export(CHILD)
    whole = LooseSpan.objects.get()
    torn = {"project": whole.project, "trace_id": "torn", "span_id": "1", "received_at": whole.received_at}
    LooseSpan.objects.create(**torn, step={"span": {"of": "another time"}})
    assert traces.gather_abandoned(now=later()) == 1
    assert Call.objects.get().client_id == TRACE
    assert [record.__dict__["trace"] for record in caplog.records if record.msg == "traces.not_gathered"] == ["torn"]
    assert LooseSpan.objects.get().trace_id == "torn"
    caplog.clear()
    assert traces.gather_abandoned(now=later()) == 0
    assert not caplog.records
    LooseSpan.objects.rewrite(step=whole.step)
    assert traces.gather_abandoned(now=later() + traces.AGAIN) == 1
    assert not LooseSpan.objects.exists()


def test_traces_that_were_never_tried_come_before_those_that_failed(export: Callable[..., Any]) -> None:
    export(CHILD)
    whole = LooseSpan.objects.get()
    old = whole.received_at - timedelta(days=1)
    torn = LooseSpan(project=whole.project, trace_id="torn", span_id="1", received_at=old, tried_at=old, step={})
    torn.save()
    assert traces.gather_abandoned(now=later(), most=1) == 1
    assert LooseSpan.objects.get() == torn


def test_what_is_sent_again_is_stored_once(export: Callable[..., Any]) -> None:
    for _ in range(2):
        export(CHILD)
    assert LooseSpan.objects.count() == 1
    for _ in range(3):
        export(HEAD, CHILD)
    call = Call.objects.get()
    assert (len(spans_of(call.trace)), call.tokens_in, Seen.objects.count()) == (2, 5, 1)


def test_a_call_that_was_logged_with_the_trace_id_keeps_what_it_said(api: Any, export: Callable[..., Any]) -> None:
    api.send("POST", "/calls", {"id": TRACE, "output": "Logged", "inputs": {"q": 1}, "cost_usd": 0.5})
    export(CHILD)
    traces.gather_abandoned(now=later())
    call = Call.objects.get()
    assert (call.output, call.inputs, call.cost_usd, call.tokens_in) == ("Logged", {"q": 1}, 0.5, 5)


def test_personal_data_is_masked_while_spans_wait_and_in_the_call(export: Callable[..., Any]) -> None:
    said = {"output.value": "mail ada@example.com", "session.id": "ada@example.com", "user.id": "ada@example.com"}
    export(span(2, 1, attributes=said))
    waiting = LooseSpan.objects.get()
    assert "ada@" not in json.dumps([waiting.step, waiting.session, waiting.end_user])
    traces.gather_abandoned(now=later())
    call = Call.objects.get()
    assert "ada@" not in json.dumps(list(Call.objects.values()), default=str)
    assert (call.output, len(call.session), call.end_user) == ("mail [e-mail]", 32, waiting.end_user)


def test_one_bad_span_spoils_no_other_and_is_counted(api: Any) -> None:
    huge = span(2, 1, attributes={"output.value": "x" * 1_000_001})
    response = api.send("POST", "/traces", request_of({"name": "no ids"}, HEAD, huge))
    partial = response.json()["partialSuccess"]
    assert (response.status_code, partial["rejectedSpans"]) == (200, "2")
    assert "no traceId" in partial["errorMessage"]
    assert len(spans_of(Call.objects.get().trace)) == 1
    assert sorted(Refusal.objects.values_list("entry", "reason", "count")) == [
        ("traces", "invalid", 1), ("traces", "too_large", 1),
    ]  # fmt: skip


def test_protobuf_is_answered_in_protobuf(api: Any) -> None:
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = [{**HEAD, "traceId": base64.b64encode(bytes.fromhex(TRACE)).decode(), "spanId": "AAAAAAAAAAE="},
             {"name": "no ids"}]  # fmt: skip
    body = json_format.ParseDict(request_of(*spans), ExportTraceServiceRequest()).SerializeToString()
    proto = {"content_type": "application/x-protobuf"}
    packed = gzip.compress(body)
    response = api.generic("POST", "/v1/traces", packed, headers={"Content-Encoding": "gzip"}, **proto)
    assert (response.status_code, response["Content-Type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(response.content).partial_success.rejected_spans == 1
    assert Call.objects.get().output == "On its way."
    torn = api.generic("POST", "/v1/traces", body[:-3], **proto)
    assert (torn.status_code, torn.content[:1]) == (400, b"\x12")


@pytest.mark.parametrize("name", ["pk-anything", ""])
def test_the_secret_key_may_be_a_password(project: Project, name: str) -> None:
    secret = api_keys.issue(project=project, kind="secret", name="exporter", by=SYSTEM).text
    basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
    sent = {"content_type": "application/json", "headers": {"Authorization": f"Basic {basic}"}}
    assert Client().post("/v1/traces", request_of(HEAD), **sent).status_code == 200
    wrong = {**sent, "headers": {"Authorization": f"Basic {basic[:-4]}"}}
    assert Client().post("/v1/traces", request_of(HEAD), **wrong).status_code == 401


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"{}", "application/json", 200), (b"[]", "application/json", 400), (b"{", "application/json", 400),
     (b"{}", "text/plain", 415), (b"\xff", "application/x-protobuf", 400),
     (b'{"resourceSpans": "x"}', "application/json", 400)],
)  # fmt: skip
def test_what_is_no_request_is_told_so(api: Any, body: bytes, kind: str, status: int) -> None:
    assert api.generic("POST", "/v1/traces", body, content_type=kind).status_code == status


def test_traces_of_one_project_never_meet_those_of_another(
    export: Callable[..., Any], other_project: Project, api_with: Any
) -> None:
    theirs = api_with(api_keys.issue(project=other_project, kind="secret", name="t", by=SYSTEM).text)
    export(CHILD)
    assert theirs.send("POST", "/traces", request_of(HEAD)).status_code == 200
    assert Call.objects.get().project == other_project
    assert LooseSpan.objects.get().project != other_project


def used(number: int, model: str, tokens: int = 1_000_000, **more: Any) -> dict[str, Any]:
    said = {"gen_ai.request.model": model, "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 0}
    return span(number, 1, attributes=said | {name.replace("__", "."): value for name, value in more.items()})


@pytest.fixture
def own_price(project: Project) -> None:
    prices.put(
        project=project, model="our-own", in_per_million=Decimal(2), out_per_million=Decimal(3), by=SYSTEM,
        now=timezone.now() - timedelta(hours=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spans", "cost"),
    [
        ([used(2, "gpt-4o", gen_ai__system="openai")], 2.5),
        ([used(2, "gpt-4o")], 2.5),
        ([used(2, "gpt-4o", gen_ai__usage__cache_read__input_tokens=1_000_000)], 1.25),
        ([used(2, "gpt-4o", gen_ai__system="vllm")], None),
        ([used(2, "our-own", gen_ai__system="vllm")], 2.0),
        ([used(2, "our-own"), used(3, "our-own", 500_000)], 3.0),
        ([used(2, "our-own"), used(3, "who-knows")], None),
        ([used(2, "who-knows")], None),
    ],
)
def test_tokens_without_a_price_are_priced_as_the_gateway_prices_its_own(
    export: Callable[..., Any], own_price: None, page: Client, spans: list[Any], cost: float | None
) -> None:
    export(HEAD, *spans)
    call = Call.objects.get()
    assert call.cost_usd == (None if cost is None else pytest.approx(cost))
    assert call.metadata.get("cost") == (None if cost is None else "estimated")
    shown = page.get(f"/p/garden/feedback/{ids.public('call', call.uid)}/").content.decode()
    assert (" estimated</span>" in shown) is (cost is not None)


def test_money_that_a_span_names_is_no_estimate(export: Callable[..., Any], own_price: None) -> None:
    export(HEAD, used(2, "our-own", gen_ai__usage__cost=0.25))
    assert (Call.objects.get().cost_usd, "cost" in Call.objects.get().metadata) == (0.25, False)


def test_late_spans_bring_an_estimate_up_to_date_and_what_they_name_replaces_it(
    export: Callable[..., Any], own_price: None
) -> None:
    export(HEAD, used(2, "our-own"))
    late = [
        (used(3, "our-own", 500_000), 3.0, "estimated"),
        (used(4, "who-knows"), None, None),
        (used(5, "our-own", gen_ai__usage__cost=0.25), 0.25, None),
    ]
    for one, cost, said in late:
        export(one)
        traces.gather_abandoned(now=later())
        call = Call.objects.get()
        assert (call.cost_usd, call.metadata.get("cost")) == (cost, said)
        assert call.metadata["name"] == "answer"


def test_what_a_call_said_it_cost_is_not_estimated_again(api: Any, export: Callable[..., Any], own_price: None) -> None:
    api.send("POST", "/calls", {"id": TRACE, "output": "Logged", "cost_usd": 0.5})
    export(used(2, "our-own"))
    traces.gather_abandoned(now=later())
    assert (Call.objects.get().cost_usd, Call.objects.get().metadata) == (0.5, None)
