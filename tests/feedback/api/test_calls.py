"""POST /api/v1/calls."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback.models import Call, Seen
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.gateway.types import spans_of
from llmops.projects.models import Project
from llmops.projects.services import api_keys

FULL = {
    "id": "req-1",
    "prompt": "support/reply",
    "version": 3,
    "label": "production",
    "session": "chat-9",
    "end_user": "user-77",
    "environment": "production",
    "model": "small-4.1",
    "inputs": {"question": "Where is my parcel?"},
    "output": "On its way.",
    "contexts": ["Parcels take two days."],
    "trace": [{"name": "reply", "latency_ms": 12.5}],
    "metadata": {"region": "eu"},
    "tags": ["parcel", "eu"],
    "latency_ms": 812.4,
    "tokens_in": 120,
    "tokens_out": 18,
    "cost_usd": 0.00041,
    "started_at": "2026-03-04T13:00:00+01:00",
}


def test_a_call_is_stored_whole(api: Any, project: Project) -> None:
    response = api.send("POST", "/calls", FULL)
    assert response.status_code == 201
    call = Call.objects.get(project=project)
    assert response.json() == {
        "id": "req-1",
        "uid": f"call_{call.uid.hex}",
        "warnings": ["No such version of 'support/reply' is known here; the call is stored without a link."],
    }
    assert (call.client_id, call.session, call.environment, call.model) == (
        "req-1",
        "chat-9",
        "production",
        "small-4.1",
    )
    assert (call.artifact_path, call.label, call.version_id) == ("support/reply", "production", None)
    assert (call.inputs, call.output, call.contexts) == (FULL["inputs"], FULL["output"], FULL["contexts"])
    assert (call.metadata, call.tag_list) == (FULL["metadata"], ["parcel", "eu"])
    assert [(span.name, span.duration_ms) for span in spans_of(call.trace)] == [("reply", 12)]
    assert (call.latency_ms, call.tokens_in, call.tokens_out, call.cost_usd) == (812, 120, 18, 0.00041)
    assert call.started_at == datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert call.hour == call.started_at.timestamp() // 3600
    assert math.isclose(1.05 ** (call.latency_bucket + 0.5), 812, rel_tol=0.03)
    assert len(call.end_user) == 32
    assert "user-77" not in call.end_user


def test_an_empty_call_is_a_call(api: Any) -> None:
    response = api.send("POST", "/calls", {})
    assert response.status_code == 201
    assert response.json()["id"] == response.json()["uid"] == f"call_{Call.objects.get().uid.hex}"


def test_the_same_call_again_gets_the_same_answer_and_no_second_row(api: Any) -> None:
    first, second = (api.send("POST", "/calls", FULL) for _ in range(2))
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert Call.objects.count() == Seen.objects.count() == 1


def test_the_order_of_keys_makes_no_other_call(api: Any) -> None:
    api.send("POST", "/calls", FULL)
    assert api.send("POST", "/calls", dict(reversed(FULL.items()))).status_code == 201
    assert Call.objects.count() == 1


def test_another_call_under_a_taken_id_is_a_conflict(api: Any) -> None:
    api.send("POST", "/calls", FULL)
    response = api.send("POST", "/calls", FULL | {"output": "Lost."})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "conflict"
    assert [call.output for call in Call.objects.all()] == ["On its way."]


def test_ids_of_two_projects_do_not_meet(api: Any, api_with: Any, other_project: Project, by: Actor) -> None:
    other = api_with(api_keys.issue(project=other_project, kind="secret", name="x", by=by).text)
    assert api.send("POST", "/calls", FULL).status_code == 201
    assert other.send("POST", "/calls", FULL | {"output": "Lost."}).status_code == 201
    users = set(Call.objects.values_list("end_user", flat=True))
    assert len(users) == 2  # one person is two people in two projects


def test_one_bad_event_of_a_thousand_is_named_and_the_others_are_stored(send: Callable[..., Any]) -> None:
    events = [{"id": f"e{index}", "output": index} for index in range(1000)]
    events[417] = {"id": "e417", "latency_ms": "quick"}
    results = send("/calls", *events)
    assert [result["status"] for result in results] == [201] * 417 + [400] + [201] * 582
    assert results[417]["id"] == "e417"
    assert results[417]["error"]["fields"] == {"latency_ms": "must be a number"}
    assert Call.objects.count() == 999


def test_a_batch_with_repeats_and_conflicts_inside_stores_each_id_once(send: Callable[..., Any]) -> None:
    results = send("/calls", {"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": "a", "output": 1}, "nonsense")
    assert [result["status"] for result in results] == [201, 201, 201, 409, 400]
    assert results[0]["uid"] == results[2]["uid"]
    assert Call.objects.count() == 2


def test_a_batch_that_is_sent_again_with_more_gets_its_old_answers(send: Callable[..., Any]) -> None:
    first = send("/calls", {"id": "a"}, {"id": "b"})
    second = send("/calls", {"id": "b"}, {"id": "c"}, {"id": "a"})
    assert [second[2]["uid"], second[0]["uid"]] == [result["uid"] for result in first]
    assert Call.objects.count() == 3


@pytest.mark.parametrize("events", [1, 3, 100])
def test_a_batch_costs_a_mark_and_two_inserts(api: Any, events: int, django_assert_num_queries: Any) -> None:
    api.send("POST", "/calls", {})  # the key is now in the cache
    # The mark of the hour, once in a while outside tests; then wall and calls. Each in a savepoint, here.
    with django_assert_num_queries(3 + 4):
        api.send("POST", "/calls", {"batch": [{"id": f"n{index}", "output": "x"} for index in range(events)]})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "x" * 201),
        ("id", ["a"]),
        ("prompt", 7),
        ("version", "three"),
        ("version", -1),
        ("version", True),
        ("contexts", "one"),
        ("trace", "spans"),
        ("tags", "one"),
        ("tags", ["x" * 61]),
        ("tags", ["x"] * 21),
        ("latency_ms", -1),
        ("latency_ms", 10**12),
        ("tokens_in", "12"),
        ("cost_usd", -0.5),
        ("error", 7),
        ("started_at", "yesterday"),
        ("started_at", "1999-12-31T23:59:59Z"),
        ("started_at", "0001-01-01T00:00:00+25:00"),
        ("started_at", "0001-01-01T00:00:00+14:00"),
        ("started_at", 1e18),
        ("started_at", -1),
        ("started_at", True),
    ],
)
def test_a_field_of_the_wrong_shape_is_named(api: Any, field: str, value: Any) -> None:
    response = api.send("POST", "/calls", {field: value})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not Call.objects.exists()


def test_a_start_in_the_future_is_clamped_to_now(api: Any) -> None:
    for moment in ["9999-12-31T23:59:59Z", (timezone.now() + timedelta(days=365)).isoformat(), 4e9, 4e12]:
        assert api.send("POST", "/calls", {"started_at": moment}).status_code == 201
    assert all(call.started_at == call.received_at for call in Call.objects.all())


def test_fields_that_are_not_known_are_said_and_not_kept(api: Any) -> None:
    answer = api.send("POST", "/calls", {"output": "x", "tokens": 5}).json()
    assert answer["warnings"] == ["Not known, and not kept: tokens."]


def test_personal_data_is_masked_before_storage(api: Any, project: Project) -> None:
    event = {
        "inputs": {"mail": "I am ada@example.com"},
        "output": ["4111 1111 1111 1111"],
        "error": "bad key sk-abcdefghijklmnopqrstuvwx",
        "trace": [{"output": "ada@example.com"}],
        "session": "ada@example.com",
        "end_user": "ada@example.com",
    }
    api.send("POST", "/calls", event)
    call = Call.objects.get()
    assert (call.inputs, call.output, call.error) == ({"mail": "I am [e-mail]"}, ["[card]"], "bad key [secret]")
    assert call.masked == 5
    row = json.dumps(list(Call.objects.values()), default=str)
    assert "ada@example.com" not in row


def test_a_project_may_switch_masking_off(api: Any, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(mask_personal_data=False)
    api.send("POST", "/calls", {"output": "ada@example.com"})
    assert Call.objects.get().output == "ada@example.com"


@pytest.mark.parametrize("output", ["a\x00b", "\ud800", "\udfff lone", {"k\x00": ["\x00"]}, {"\ud83d": 1}], ids=repr)
def test_text_that_no_database_keeps_is_repaired_and_flagged(api: Any, output: Any) -> None:
    response = api.send("POST", "/calls", {"id": "x", "output": output, "session": "s\x00"})
    assert response.status_code == 201
    call = Call.objects.get()
    assert call.repaired
    assert "�" in json.dumps(call.output, ensure_ascii=False)
    assert call.session == "s�"


def test_whole_numbers_keep_all_their_digits(api: Any) -> None:
    api.generic("POST", "/api/v1/calls", b'{"output": 123456789012345678901234567890}', content_type="application/json")
    assert Call.objects.get().output == 123456789012345678901234567890


def raw(api: Any, body: bytes, **headers: str) -> Any:
    return api.generic("POST", "/api/v1/calls", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'"text"',
        b"null",
        b'{"batch": []}',
        b'{"batch": {}}',
        b'{"output": NaN}',
        b'{"output": 1e999}',
        b'{"output": -Infinity}',
        b'{"output": ' + b"9" * 4301 + b"}",
        b'{"output": "\xff"}',
        b'{"output": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"output": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"output": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"output": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b"\x00" * 50,
        b"\x1f\x8b\x08",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_acceptable_json_is_a_400(api: Any, body: bytes) -> None:
    response = raw(api, body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert not Call.objects.exists()


def test_a_deep_event_spoils_only_itself(send: Callable[..., Any]) -> None:
    deep: Any = "bottom"
    for _ in range(70):
        deep = [deep]
    assert [result["status"] for result in send("/calls", {"output": deep}, {"output": 1})] == [400, 201]


def test_json_suite_never_breaks_the_server(api: Any, shared_data: Path) -> None:
    lines = (shared_data / "adversarial" / "json_parsing_suite.jsonl").read_text().split("\n")[:-1]
    for line in lines:
        case = json.loads(line)
        body = base64.b64decode(case["bytes_b64"] or "")
        assert raw(api, b'{"output": ' + body + b"}").status_code in {201, 400}, case
        assert raw(api, body).status_code in {201, 207, 400}, case


def test_naughty_strings_come_back_as_they_went_in(api: Any, project: Project, shared_data: Path) -> None:
    Project.objects.filter(pk=project.pk).update(mask_personal_data=False)
    lines = (shared_data / "adversarial" / "naughty_strings.jsonl").read_text().split("\n")[:-1]
    strings = [value for line in lines for value in _strings(json.loads(line))]
    for start in range(0, len(strings), 1000):
        batch = [
            {"inputs": {text: text}, "output": text, "error": text[:1000], "tags": [text[:60]], "session": text[:200],
             "prompt": text[:300], "label": text[:100], "version": 1}
            for text in strings[start : start + 1000]
        ]  # fmt: skip
        response = api.send("POST", "/calls", {"batch": batch})
        assert response.status_code == 201, [r for r in response.json()["results"] if r["status"] != 201][:3]
    assert list(Call.objects.order_by("id").values_list("output", flat=True)) == [
        text.replace("\x00", "�") for text in strings
    ]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return [value] if isinstance(value, str) else []


def test_a_body_over_the_limit_is_refused_before_it_is_read(api: Any) -> None:
    response = api.generic(
        "POST", "/api/v1/calls", b"{}", content_type="application/json", CONTENT_LENGTH=str(11 * 1024 * 1024)
    )
    assert response.status_code == 413


def test_one_event_over_the_limit_is_refused_alone(send: Callable[..., Any]) -> None:
    results = send("/calls", {"output": "x" * 1_000_001}, {"output": "x"})
    assert [result["status"] for result in results] == [413, 201]


def test_a_batch_over_the_limit_is_refused(api: Any) -> None:
    assert api.send("POST", "/calls", {"batch": [{}] * 1001}).status_code == 413


def test_gzip_is_inflated_once(api: Any) -> None:
    body = gzip.compress(b'{"id": "zipped"}')
    assert raw(api, body, content_encoding="gzip").status_code == 201
    assert Call.objects.get().client_id == "zipped"


def test_a_gzip_bomb_is_refused(api: Any) -> None:
    bomb = gzip.compress(b'{"output": "' + b"0" * 100_000_000 + b'"}')
    assert raw(api, bomb, content_encoding="gzip").status_code == 413
    assert raw(api, gzip.compress(bomb), content_encoding="gzip").status_code == 400
    assert raw(api, gzip.compress(bomb), content_encoding="gzip, gzip").status_code == 415


@pytest.mark.parametrize("cut", [1, 10, 20])
def test_torn_gzip_is_refused(api: Any, cut: int) -> None:
    assert raw(api, gzip.compress(b'{"id": "zipped"}')[:-cut], content_encoding="gzip").status_code == 400
    assert raw(api, gzip.compress(b"{}") + b"more", content_encoding="gzip").status_code == 400


def test_only_post_is_answered(api: Any) -> None:
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]:
        response = api.send(method, "/calls")
        assert (response.status_code, response["Allow"]) == (405, "POST")


def test_a_key_is_needed(project: Project, browser_key: str, api_with: Any) -> None:
    assert Client().post("/api/v1/calls", {}, content_type="application/json").status_code == 401
    assert api_with("sk-wrong").send("POST", "/calls", {}).status_code == 401
    refused = api_with(browser_key).send("POST", "/calls", {})
    assert (refused.status_code, refused.json()["error"]["fields"]) == (403, {"scope": "call:send"})


def test_a_viewers_key_may_not_send(project: Project, by: Actor, api_with: Any, member: Callable[[str], User]) -> None:
    key = api_keys.issue(project=project, kind="personal", user=member("viewer"), name="mine", by=by).text
    assert api_with(key).send("POST", "/calls", {}).status_code == 403
