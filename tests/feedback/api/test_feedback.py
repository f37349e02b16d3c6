"""POST /api/v1/feedback."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback.api import origins
from feedback.models import Call, FeedbackEvent, InboxItem, Seen, Vote
from llmops.common.access_check import patterns
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import ApiKey, Project
from llmops.projects.services import api_keys

SHOP = "https://shop.example"


def test_a_thumbs_down_with_a_correction_is_stored_voted_and_waits_in_the_inbox(api: Any, project: Project) -> None:
    api.send("POST", "/calls", {"id": "c1", "output": "Paris"})
    event = {
        "id": "f1",
        "call": "c1",
        "thumbs": "down",
        "comment": "Wrong city",
        "correction": "Lyon",
        "tags": ["facts"],
        "end_user": "u1",
    }
    response = api.send("POST", "/feedback", event)
    stored = FeedbackEvent.objects.get(project=project)
    assert (response.status_code, response.json()) == (201, {"id": "f1", "uid": f"feedback_{stored.uid.hex}"})
    assert (stored.kind, stored.value, stored.comment, stored.correction, stored.tag_list) == (
        "thumbs", -1, "Wrong city", "Lyon", ["facts"],
    )  # fmt: skip
    vote = Vote.objects.get()
    assert (vote.call_client_id, vote.kind, vote.value, vote.event_uid) == ("c1", "thumbs", -1, stored.uid)
    item = InboxItem.objects.get()
    assert (item.call_client_id, item.state, item.thumbs, item.excerpt, item.has_correction, item.events) == (
        "c1", "open", -1, "Wrong city", True, 1,
    )  # fmt: skip


def test_feedback_may_come_before_its_call(api: Any) -> None:
    assert api.send("POST", "/feedback", {"call": "later", "thumbs": "down"}).status_code == 201
    assert api.send("POST", "/calls", {"id": "later"}).status_code == 201
    assert InboxItem.objects.get().call_client_id == Call.objects.get().client_id


def test_a_changed_mind_replaces_the_vote(send: Callable[..., Any]) -> None:
    send("/feedback", {"call": "c1", "thumbs": "down", "end_user": "u1"})
    send("/feedback", {"call": "c1", "thumbs": "up", "end_user": "u1"})
    send("/feedback", {"call": "c1", "thumbs": "up", "end_user": "u2"})
    assert sorted(Vote.objects.values_list("value", flat=True)) == [1, 1]
    assert FeedbackEvent.objects.count() == 3
    assert InboxItem.objects.get().thumbs == 1


def test_a_changed_mind_inside_one_batch_counts_once(send: Callable[..., Any]) -> None:
    send(
        "/feedback",
        {"call": "c1", "thumbs": "down", "end_user": "u1"},
        {"call": "c1", "thumbs": "up", "end_user": "u1"},
        {"call": "c1", "score": 4, "end_user": "u1"},
    )
    assert sorted(Vote.objects.values_list("kind", "value")) == [("score", 4), ("thumbs", 1)]
    item = InboxItem.objects.get()
    assert (item.events, item.thumbs, item.score) == (3, 1, 4)


def test_feedback_without_a_person_votes_as_the_person_of_its_call(send: Callable[..., Any]) -> None:
    send("/calls", {"id": "c1", "end_user": "u1"}, {"id": "c2", "session": "s1"}, {"id": "c3"})
    send("/feedback", *[{"call": call, "thumbs": value} for call in ["c1", "c2", "c3"] for value in ["down", "up"]])
    call = Call.objects.get(client_id="c1")
    votes = {(vote.call_client_id, vote.voter[:2], vote.value) for vote in Vote.objects.all()}
    assert votes == {("c1", "u:", 1), ("c2", "s:", 1), ("c3", "e:", -1), ("c3", "e:", 1)}
    assert Vote.objects.get(call_client_id="c1").voter == f"u:{call.end_user}"


def test_a_call_may_be_named_by_its_uid(send: Callable[..., Any]) -> None:
    (stored,) = send("/calls", {"id": "mine"})
    send("/feedback", {"call": stored["uid"], "thumbs": "up", "end_user": "u1"})
    assert FeedbackEvent.objects.get().call_client_id == "mine"


def test_bare_praise_asks_nothing_and_comes_in_as_done(send: Callable[..., Any]) -> None:
    send(
        "/feedback",
        {"call": "a", "thumbs": "up"},
        {"call": "b", "thumbs": "up", "comment": "but slow"},
        {"call": "c", "comment": "hm"},
        {"call": "d", "thumbs": "up", "correction": "better"},
    )
    states = dict(InboxItem.objects.values_list("call_client_id", "state"))
    assert states == {"a": "done", "b": "open", "c": "open", "d": "open"}


def test_new_feedback_opens_a_done_item_but_not_an_ignored_one(send: Callable[..., Any]) -> None:
    send("/feedback", {"call": "a", "thumbs": "down"}, {"call": "b", "thumbs": "down"})
    InboxItem.objects.filter(call_client_id="a").update(state="done")
    InboxItem.objects.filter(call_client_id="b").update(state="ignored")
    send("/feedback", {"call": "a", "comment": "again"}, {"call": "b", "comment": "again"})
    states = dict(InboxItem.objects.values_list("call_client_id", "state"))
    assert states == {"a": "open", "b": "ignored"}


@pytest.mark.parametrize(
    ("event", "kind", "value"),
    [
        ({"thumbs": "up"}, "thumbs", 1),
        ({"thumbs": "DOWN "}, "thumbs", -1),
        ({"thumbs": True}, "thumbs", 1),
        ({"thumbs": 0}, "thumbs", -1),
        ({"kind": "thumbs", "value": -1}, "thumbs", -1),
        ({"kind": "thumbs", "value": "up"}, "thumbs", 1),
        ({"score": 0.25}, "score", 0.25),
        ({"kind": "score", "value": 5}, "score", 5),
        ({"comment": "slow"}, "comment", None),
        ({"kind": "comment", "value": "slow"}, "comment", None),
        ({"correction": {"answer": 42}}, "correction", None),
        ({"kind": "correction", "value": "42"}, "correction", None),
        ({"tags": ["slow"]}, "tags", None),
    ],
    ids=str,
)
def test_every_kind_has_a_long_and_a_short_form(
    api: Any, event: dict[str, Any], kind: str, value: float | None
) -> None:
    assert api.send("POST", "/feedback", {"call": "c", **event}).status_code == 201
    stored = FeedbackEvent.objects.get()
    assert (stored.kind, stored.value) == (kind, value)
    assert Vote.objects.count() == (value is not None)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"thumbs": "up"}, "call"),
        ({"call": "", "thumbs": "up"}, "call"),
        ({"call": ["c"], "thumbs": "up"}, "call"),
        ({"call": "c"}, "kind"),
        ({"call": "c", "kind": "smile"}, "kind"),
        ({"call": "c", "kind": ["thumbs"]}, "kind"),
        ({"call": "c", "thumbs": "sideways"}, "thumbs"),
        ({"call": "c", "thumbs": 2}, "thumbs"),
        ({"call": "c", "thumbs": ["up"]}, "thumbs"),
        ({"call": "c", "kind": "thumbs"}, "thumbs"),
        ({"call": "c", "score": "high"}, "score"),
        ({"call": "c", "score": True}, "score"),
        ({"call": "c", "score": 1e300}, "score"),
        ({"call": "c", "kind": "comment"}, "comment"),
        ({"call": "c", "kind": "correction"}, "correction"),
        ({"call": "c", "kind": "tags", "tags": []}, "tags"),
        ({"call": "c", "comment": "x" * 200_001}, "comment"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_field_of_the_wrong_shape_is_named(api: Any, event: dict[str, Any], field: str) -> None:
    response = api.send("POST", "/feedback", event)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, [field])
    assert not FeedbackEvent.objects.exists()
    assert not Seen.objects.exists()


def test_the_same_feedback_again_is_stored_and_voted_once(api: Any) -> None:
    event = {"id": "f1", "call": "c1", "thumbs": "down", "end_user": "u1"}
    first = api.send("POST", "/feedback", event)
    api.send("POST", "/feedback", {"call": "c1", "thumbs": "up", "end_user": "u1"})
    again = api.send("POST", "/feedback", event)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert Vote.objects.get().value == 1  # a retry of the old opinion does not bring it back
    assert InboxItem.objects.get().events == 2
    assert api.send("POST", "/feedback", event | {"thumbs": "up"}).status_code == 409


def test_personal_data_is_masked_before_storage(api: Any) -> None:
    api.send("POST", "/feedback", {"call": "c", "comment": "mail ada@example.com", "correction": {"to": "a@b.example"}})
    stored = FeedbackEvent.objects.get()
    assert (stored.comment, stored.correction, stored.masked) == ("mail [e-mail]", {"to": "[e-mail]"}, 2)
    assert InboxItem.objects.get().excerpt == "mail [e-mail]"


@pytest.mark.parametrize("events", [1, 3, 100])
def test_a_batch_costs_a_mark_and_four_inserts(api: Any, events: int, django_assert_num_queries: Any) -> None:
    api.send("POST", "/calls", {})
    batch = [{"call": f"c{index}", "thumbs": "down", "end_user": f"u{index}"} for index in range(events)]
    # The mark of the hour, once in a while outside tests; then wall, events, votes, items. Each in a savepoint, here.
    with django_assert_num_queries(3 + 6):
        api.send("POST", "/feedback", {"batch": batch})


# What a publishable key may do.


def from_page(key: str, origin: str | None, event: Any = None, **extra: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"} | ({"Origin": origin} if origin else {})
    return Client().post(
        "/api/v1/feedback",
        event or {"call": "c", "thumbs": "up"},
        content_type="application/json",
        headers=headers,
        **extra,
    )


def test_a_listed_origin_may_send_and_read_the_answer(browser_key: str) -> None:
    response = from_page(browser_key, SHOP)
    assert response.status_code == 201
    assert response["Access-Control-Allow-Origin"] == SHOP
    assert response["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in response
    assert FeedbackEvent.objects.get().key_id == ApiKey.objects.get(kind="publishable").pk


def test_a_listed_origin_may_read_its_mistakes_too(browser_key: str) -> None:
    response = from_page(browser_key, SHOP, {"thumbs": "up"})
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (400, SHOP)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "https://shop.example:8443",
        "http://shop.example",
        "https://shop.exampl",
        "https://SHOP.example.",
        "null",
        "*",
        "https://shop.example/",
        "https://shop.example, https://evil.example",
    ],
)
def test_no_other_origin_may_send_or_read(browser_key: str, origin: str) -> None:
    response = from_page(browser_key, origin)
    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response
    assert not FeedbackEvent.objects.exists()
    preflight = Client().options(
        "/api/v1/feedback", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )
    assert "Access-Control-Allow-Origin" not in preflight


def test_a_key_without_a_list_works_from_servers_alone(project: Project, by: Actor) -> None:
    key = api_keys.issue(project=project, kind="publishable", name="app", by=by).text
    assert from_page(key, None).status_code == 201
    assert from_page(key, SHOP).status_code == 403


def test_a_secret_key_is_never_opened_to_browsers(api: Any, browser_key: str) -> None:
    response = api.send("POST", "/feedback", {"call": "c", "thumbs": "up"}, headers={"Origin": SHOP})
    assert response.status_code == 201
    assert "Access-Control-Allow-Origin" not in response
    calls = api.send("POST", "/calls", {}, headers={"Origin": SHOP})
    assert "Access-Control-Allow-Origin" not in calls


def test_a_preflight_is_answered_for_listed_origins(browser_key: str, by: Actor) -> None:
    ask = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    response = Client().options("/api/v1/feedback", headers=ask)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (204, SHOP)
    assert response["Access-Control-Allow-Methods"] == "POST"
    assert response["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "Access-Control-Allow-Credentials" not in response
    api_keys.revoke(key=ApiKey.objects.get(kind="publishable"), by=by, now=timezone.now())
    origins.forget()
    assert "Access-Control-Allow-Origin" not in Client().options("/api/v1/feedback", headers=ask)


def test_a_revoked_key_is_refused(browser_key: str, by: Actor) -> None:
    assert from_page(browser_key, SHOP).status_code == 201
    api_keys.revoke(key=ApiKey.objects.get(kind="publishable"), by=by, now=timezone.now())
    keys.forget()
    assert from_page(browser_key, SHOP).status_code == 401


def test_a_publishable_key_that_sends_too_quickly_is_slowed_down(
    browser_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "BURST", 3.0)
    monkeypatch.setattr(origins, "PER_SECOND", 0.001)
    answers = [from_page(browser_key, SHOP) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert answers[-1]["Retry-After"] == "1"
    assert answers[-1]["Access-Control-Allow-Origin"] == SHOP
    assert FeedbackEvent.objects.count() == 3


def test_the_cookie_of_a_signed_in_person_opens_nothing(page: Client) -> None:
    response = page.post("/api/v1/feedback", {"call": "c", "thumbs": "up"}, content_type="application/json")
    assert response.status_code == 401


def test_a_publishable_key_may_do_nothing_else(project: Project, browser_key: str, api_with: Any) -> None:
    """Every operation of the API, with every method: the list of those that are let in is exactly this."""
    client = api_with(browser_key)
    let_in = []
    for route, _ in patterns():
        if not route.startswith("api/v1/"):
            continue
        path = "/" + re.sub(r"<[^>]*>|\(\?P<[^)]*\)", "7", route.removeprefix("api/v1/")).strip("^$")
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"]:
            response = client.send(method, path, {"call": "c", "thumbs": "up"} if method != "GET" else None)
            if response.status_code not in {403, 404, 405}:
                let_in.append((method, path, response.status_code))
    assert let_in == [("POST", "/feedback", 201)]
