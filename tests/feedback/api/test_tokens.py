"""Feedback tokens: signed by the app, checked by the platform, good for one person, one call and a while."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback.api import origins
from feedback.models import FeedbackEvent, Vote
from llmops.common.access_check import patterns
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import ApiKey, Project
from llmops.projects.services import api_keys

SHOP = "https://shop.example"


def signed(key: str, **changes: Any) -> str:
    """As `docs/feedback.md` tells apps to sign."""
    fields = {"call": "c1", "end_user": "u1", "exp": int(time.time()) + 3600} | changes
    payload = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    return f"ft.{key[:10]}.{payload}.{hmac.new(hashlib.sha256(key.encode()).digest(), payload.encode(), 'sha256').hexdigest()}"  # noqa: E501 (one line, as documented)


@pytest.fixture
def key(project: Project, by: Actor) -> str:
    return api_keys.issue(project=project, kind="secret", name="app", by=by).text


def react(token: str, origin: str | None = None, **event: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} | ({"Origin": origin} if origin else {})
    return Client().post("/api/v1/feedback", event or {"thumbs": "down"}, "application/json", headers=headers)


def test_a_token_reacts_to_its_call_as_its_person(key: str) -> None:
    assert react(signed(key)).status_code == 201
    assert react(signed(key), thumbs="up", call="c1", end_user="u1").status_code == 201
    assert react(signed(key, end_user="u2")).status_code == 201
    assert set(FeedbackEvent.objects.values_list("call_client_id", flat=True)) == {"c1"}
    assert sorted(Vote.objects.values_list("value", flat=True)) == [-1, 1]  # u1 changed their mind


@pytest.mark.parametrize(
    ("event", "field"),
    [({"call": "c2"}, "call"), ({"call_id": "c2"}, "call_id"), ({"end_user": "u2"}, "end_user"),
     ({"user": "u2"}, "user"), ({"session": "u1"}, "session"), ({"call": None}, "call"),
     ({"end_user": ["u1"]}, "end_user")],
    ids=str,
)  # fmt: skip
def test_a_token_is_for_nothing_else(key: str, event: dict[str, Any], field: str) -> None:
    response = react(signed(key), thumbs="up", **event)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (403, [field])
    assert not FeedbackEvent.objects.exists()


def test_one_event_id_under_two_tokens_is_a_conflict_and_not_a_repeat(key: str) -> None:
    assert react(signed(key), id="f1", thumbs="up").status_code == 201
    assert react(signed(key), id="f1", thumbs="up").status_code == 201
    assert react(signed(key, call="c2"), id="f1", thumbs="up").status_code == 409


def altered(token: str, place: int, text: str) -> str:
    parts = token.split(".")
    parts[place] = text
    return ".".join(parts)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: signed(key, exp=int(time.time()) - 1),
        lambda key: signed(key, exp="tomorrow"),
        lambda key: signed(key, exp=True),
        lambda key: signed(key, exp=2**60),
        lambda key: signed(key, call=""),
        lambda key: signed(key, end_user=None),
        lambda key: signed(key, call="x" * 201),
        lambda key: signed(key[:10] + "x" * 25),
        lambda key: signed("sk-nobodyy" + "x" * 25),
        lambda key: altered(signed(key), 2, signed(key, call="c2").split(".")[2]),
        lambda key: altered(signed(key), 3, "0" * 64),
        lambda key: altered(signed(key), 3, ""),
        lambda key: altered(signed(key), 2, ""),
        lambda key: signed(key) + ".x",
        lambda key: signed(key)[:-1],
        lambda key: "ft." + "x" * 5000,
        lambda key: "ft.\xff.a.b",
        lambda key: "ft.",
    ],
)
def test_what_is_forged_broken_or_over_is_refused_alike(key: str, spoil: Callable[[str], str]) -> None:
    response = react(spoil(key))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
    assert response.json() == react("ft.a.b.c").json()
    assert not FeedbackEvent.objects.exists()


def test_a_publishable_key_signs_nothing(browser_key: str, api_with: Any) -> None:
    assert react(signed(browser_key)).status_code == 401
    assert api_with(browser_key).send("POST", "/feedback-tokens", {"call": "c", "end_user": "u"}).status_code == 403


def test_a_token_ends_with_its_key(key: str, by: Actor) -> None:
    assert react(signed(key)).status_code == 201
    api_keys.revoke(key=ApiKey.objects.get(kind="secret"), by=by, now=timezone.now())
    keys.forget()
    assert react(signed(key)).status_code == 401


def test_a_key_without_the_scope_gives_no_leave(project: Project, by: Actor) -> None:
    key = api_keys.issue(project=project, kind="secret", name="x", scopes=["prompt:read"], by=by).text
    assert react(signed(key)).status_code == 403


def test_a_token_works_on_pages_that_the_project_lists(key: str, browser_key: str) -> None:
    response = react(signed(key), SHOP)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (201, SHOP)
    assert "Access-Control-Allow-Credentials" not in response
    assert react(signed(key), "https://evil.example").status_code == 403


def test_the_origins_of_another_project_are_not_ours(key: str, other_project: Project, by: Actor) -> None:
    api_keys.issue(project=other_project, kind="publishable", name="theirs", origins=[SHOP], by=by)
    assert react(signed(key), SHOP).status_code == 403


def test_a_token_opens_no_other_operation(key: str, api_with: Any) -> None:
    client = api_with(signed(key))
    let_in = []
    for route, _ in patterns():
        if route.startswith("api/v1/"):
            path = "/" + route.removeprefix("api/v1/").replace("<", "").replace(">", "").replace(":", "")
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"]:
                if client.send(method, path, {"thumbs": "up"} if method != "GET" else None).status_code < 400:
                    let_in.append((method, path))
    assert let_in == [("POST", "/feedback")]


def test_tokens_that_send_too_quickly_are_slowed_down(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "BURST", 2.0)
    monkeypatch.setattr(origins, "PER_SECOND", 0.001)
    assert [react(signed(key, call=f"c{n}")).status_code for n in range(4)] == [201, 201, 429, 429]


def test_the_rest_helper_signs_the_same(api: Any) -> None:
    asked = {"call": "c1", "end_user": "Łucja", "expires_in": 600}
    answer = api.send("POST", "/feedback-tokens", asked)
    assert answer.status_code == 201
    until = timezone.now() + timedelta(seconds=600)
    assert abs((datetime.fromisoformat(answer.json()["expires_at"]) - until).total_seconds()) < 60
    assert react(answer.json()["token"]).status_code == 201
    assert Vote.objects.get().voter.startswith("u:")


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"call": "c"}, "end_user"), ({"end_user": "u"}, "call"), ({"call": "x" * 201, "end_user": "u"}, "call"),
     ({"call": "c", "end_user": "u", "expires_in": 1}, "expires_in"),
     ({"call": "c", "end_user": "u", "expires_in": 10**9}, "expires_in")],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_signed_is_named(api: Any, asked: dict[str, Any], field: str) -> None:
    response = api.send("POST", "/feedback-tokens", asked)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, [field])
