"""Score definitions, every kind of feedback on every subject, and the count of what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from feedback.api import origins
from feedback.models import Call, FeedbackEvent, InboxItem, Refusal, ScoreDefinition, Vote
from feedback.queries import definitions as definition_queries
from feedback.services import calls, refusals
from llmops.audit.models import Event
from llmops.gateway.types import spans_of
from llmops.projects.models import Project

SCORES = "/p/garden/settings/scores/"
NUMBER = {"name": "helpfulness", "kind": "number", "low": 1, "high": 5}


@pytest.fixture
def defined(api: Any) -> None:
    for body in [
        NUMBER,
        {"name": "solved", "kind": "boolean"},
        {"name": "topic", "kind": "category", "categories": ["billing", "parcel"]},
        {"name": "why", "kind": "text"},
    ]:
        assert api.send("POST", "/score-definitions", body).status_code == 201


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ({"name": "helpfulness", "value": 4}, ("score", 4, "", "")),
        ({"name": "Helpfulness", "score": 5, "kind": "number"}, ("score", 5, "", "")),
        ({"name": "solved", "value": False}, ("score", 0, "", "")),
        ({"name": "solved", "value": "yes"}, ("score", 1, "", "")),
        ({"name": "topic", "value": "billing"}, ("category", None, "billing", "")),
        ({"name": "topic", "category": "parcel", "kind": "category"}, ("category", None, "parcel", "")),
        ({"name": "why", "value": "too slow"}, ("comment", None, "", "too slow")),
    ],
    ids=str,
)
def test_a_named_score_is_kept_as_its_definition_says(
    api: Any, defined: None, event: dict[str, Any], kept: tuple[Any, ...]
) -> None:
    assert api.send("POST", "/feedback", {"call": "c", **event}).status_code == 201
    stored = FeedbackEvent.objects.get()
    assert (stored.kind, stored.value, stored.category, stored.comment) == kept
    assert stored.name == event["name"].lower()


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"name": "unknown", "value": 1}, "name"),
        ({"name": "helpfulness", "value": 6}, "value"),
        ({"name": "helpfulness", "score": 0.5}, "score"),
        ({"name": "helpfulness", "value": "high"}, "value"),
        ({"name": "helpfulness", "value": True}, "value"),
        ({"name": "helpfulness", "kind": "category", "value": 3}, "kind"),
        ({"name": "helpfulness"}, "value"),
        ({"name": "solved", "value": 2}, "value"),
        ({"name": "topic", "value": "weather"}, "value"),
        ({"name": "why", "value": 7}, "value"),
        ({"kind": "copied", "value": "often"}, "value"),
        ({"kind": "category"}, "category"),
        ({"thumbs": "up", "source": "ghost"}, "source"),
    ],
    ids=str,
)
def test_what_a_definition_does_not_allow_is_refused_by_field_and_counted(
    api: Any, defined: None, event: dict[str, Any], field: str
) -> None:
    response = api.send("POST", "/feedback", {"call": "c", **event})
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, [field])
    refused = Refusal.objects.get()
    assert (refused.entry, refused.reason, refused.field, refused.count) == ("feedback", "invalid", field, 1)
    assert refused.sample == response.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["edited", "copied", "retried", "abandoned"])
def test_what_people_do_is_kept_and_asks_nothing_of_anybody(send: Callable[..., Any], kind: str) -> None:
    send("/feedback", {"call": "c", "kind": kind, "end_user": "u"})
    assert FeedbackEvent.objects.get().kind == kind
    assert not InboxItem.objects.exists()


def test_an_edited_answer_is_a_correction_to_read(send: Callable[..., Any]) -> None:
    send("/feedback", {"call": "c", "kind": "edited", "correction": "Lyon"})
    assert (InboxItem.objects.get().state, InboxItem.objects.get().has_correction) == ("open", True)


def test_feedback_on_a_session_is_read_at_its_latest_call_and_is_no_vote(send: Callable[..., Any]) -> None:
    send("/feedback", {"session": "s", "thumbs": "down"})
    send("/calls", {"id": "first", "session": "s"}, {"id": "second", "session": "s"}, {"id": "other", "session": "t"})
    send("/feedback", {"session": "s", "thumbs": "down", "comment": "Never solved"})
    kept = list(FeedbackEvent.objects.order_by("id").values_list("session", "call_client_id"))
    assert kept == [("s", ""), ("s", "second")]
    assert InboxItem.objects.get().call_client_id == "second"
    assert not Vote.objects.exists()


def test_feedback_on_a_span_names_it_and_is_no_vote_on_the_answer(send: Callable[..., Any]) -> None:
    steps = [{"id": "s1", "name": "search", "kind": "retriever", "output": [{"content": "A"}]}, {"name": "answer"}]
    send("/calls", {"id": "c", "spans": steps, "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
    send("/feedback", {"call": "c", "span": "s1", "thumbs": "down", "comment": "Wrong shelf"})
    call = Call.objects.get()
    assert [(span.id, span.kind) for span in spans_of(call.trace)] == [("s1", "retrieval"), ("", "step")]
    assert (call.contexts, call.tokens_in, call.tokens_out) == (["A"], 5, 2)
    assert FeedbackEvent.objects.get().span == "s1"
    assert not Vote.objects.exists()


def test_each_named_score_of_a_person_is_a_vote_of_its_own(send: Callable[..., Any], api: Any, defined: None) -> None:
    for value in (2, 4):
        send("/feedback", {"call": "c", "name": "helpfulness", "value": value, "end_user": "u"})
    send("/feedback", {"call": "c", "name": "solved", "value": True, "end_user": "u"})
    assert set(Vote.objects.values_list("name", "value")) == {("helpfulness", 4), ("solved", 1)}


@pytest.mark.parametrize(
    ("assessment", "kept"),
    [
        ({"assessment_name": "correct", "feedback": {"value": True}, "source": {"source_type": "LLM_JUDGE"}},
         ("score", "correct", 1, None, "judge")),
        ({"assessment_name": "tone", "feedback": {"value": "kind"}, "rationale": "It says please"},
         ("category", "tone", None, None, "person")),
        ({"assessment_name": "answer", "expectation": {"value": "Lyon"}, "source": {"source_type": "HUMAN"}},
         ("correction", "", None, "Lyon", "person")),
        ({"assessment_name": "answer", "expectation": {"serialized_value": {"value": '{"a": 1}'}}},
         ("correction", "", None, {"a": 1}, "person")),
    ],
)  # fmt: skip
def test_mlflow_assessments_are_feedback(api: Any, assessment: dict[str, Any], kept: tuple[Any, ...]) -> None:
    body = {"assessment": {"trace_id": f"tr-{'a' * 32}", **assessment}}
    assert api.send("POST", "/feedback", body).status_code == 201
    stored = FeedbackEvent.objects.get()
    assert (stored.kind, stored.name, stored.value, stored.correction, stored.source) == kept
    assert stored.call_client_id == "a" * 32
    assert api.send("POST", "/feedback", {"assessment": {"trace_id": "t", "assessment_name": "x"}}).status_code == 400


def test_scores_of_older_langfuse_sdks_are_answered_one_by_one(api: Any) -> None:
    def event(number: str, **body: Any) -> dict[str, Any]:
        return {"id": number, "type": "score-create", "timestamp": "2026-03-04T12:00:00Z", "body": body}

    batch = [
        event("1", id="s", traceId="t", name="tone", value=0.5),
        event("2", traceId="t", value=1),
        {"id": "3", "type": "trace-create", "body": {}},
        {"id": "4", "type": "sdk-log", "body": {}},
    ]
    response = api.post("/api/public/ingestion", {"batch": batch}, content_type="application/json")
    assert response.status_code == 207
    assert [one["id"] for one in response.json()["successes"]] == ["1", "4"]
    assert [(one["id"], one["status"]) for one in response.json()["errors"]] == [("2", 400), ("3", 400)]
    single = {"id": "s", "traceId": "t", "name": "tone", "value": 1}
    assert api.post("/api/public/scores", single, content_type="application/json").json() == {"id": "s"}
    assert Vote.objects.get().value == 1


def test_a_publishable_key_defines_no_scores(browser_key: str, api_with: Any) -> None:
    client = api_with(browser_key)
    assessment = {"assessment_name": "x", "trace_id": "t", "feedback": {"value": 1}}
    assert client.send("POST", "/feedback", {"assessment": assessment}).status_code == 400
    score = {"traceId": "t", "name": "x", "value": 1}
    assert client.post("/api/public/scores", score, content_type="application/json").status_code == 403
    assert not ScoreDefinition.objects.exists()


def test_refusals_add_up_by_reason_and_are_shown(api: Any, send: Callable[..., Any], page: Client) -> None:
    send("/calls", {"id": "c"}, {"tags": "x"}, {"tags": "y"}, {"inputs<script>": 1, "version": -1})
    api.send("POST", "/calls", {"id": "c", "output": "other"})
    rows = {(row["reason"], row["field"]): row["count"] for row in api.send("GET", "/refusals").json()["results"]}
    assert rows == {("invalid", "tags"): 2, ("invalid", "version"): 1, ("conflict", "id"): 1}
    shown = page.get("/p/garden/settings/refused/?days=30").content.decode()
    assert "is stored already" in shown
    assert api.send("GET", "/refusals?days=0").status_code == 400


def test_what_may_not_be_written_is_counted_a_little_later(
    api: Any, browser_key: str, api_with: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "PAUSE", 0.0)
    with monkeypatch.context() as patch:

        def busy(**_: Any) -> None:
            raise OperationalError

        patch.setattr(calls, "record", busy)
        patch.setattr(refusals, "PAUSE", 1e9)
        response = api.send("POST", "/calls", {"batch": [{}, {}, {}]})
        assert (response.status_code, response["Retry-After"]) == (503, "1")
    monkeypatch.setattr(origins, "BURST", 0.0)
    slow = api_with(browser_key).send("POST", "/feedback", {"call": "c", "thumbs": "up"})
    assert (slow.status_code, slow["Retry-After"]) == (429, "1")
    assert dict(Refusal.objects.values_list("reason", "count")) == {"unavailable": 3, "too_many_requests": 1}


@pytest.mark.parametrize("definitions", [1, 30])
def test_the_list_costs_the_same_for_many_definitions(
    page: Client, project: Project, definitions: int, django_assert_max_num_queries: Any
) -> None:
    ScoreDefinition.objects.bulk_create(
        ScoreDefinition(project=project, name=f"n{number}", kind="number") for number in range(definitions)
    )
    with django_assert_max_num_queries(7):
        assert page.get(SCORES).status_code == 200


def test_a_definition_is_made_changed_and_archived_on_its_page(page: Client, project: Project, api: Any) -> None:
    made = page.post(f"{SCORES}new/", {"name": "tone", "kind": "category", "categories": "kind\n\nrude\n"})
    assert made.status_code == 302
    definition = ScoreDefinition.objects.get()
    assert definition.categories == ["kind", "rude"]
    wrong = page.post(f"{SCORES}new/", {"name": "Tone", "kind": "number", "low": "5", "high": "1"})
    assert (wrong.status_code, b"must be more than the lowest value" in wrong.content) == (400, True)
    taken = page.post(f"{SCORES}new/", {"name": "TONE", "kind": "text"})
    assert (taken.status_code, b"is defined already" in taken.content) == (400, True)
    assert page.post(f"{SCORES}{definition.uid}/", {"categories": "kind"}).status_code == 302
    definition_queries.forget()
    assert api.send("POST", "/feedback", {"call": "c", "name": "tone", "value": "rude"}).status_code == 400
    page.post(f"{SCORES}{definition.uid}/archive/")
    definition_queries.forget()
    assert api.send("POST", "/feedback", {"call": "c", "name": "tone", "value": "kind"}).status_code == 400
    names = list(
        Event.objects.filter(name__startswith="feedback.definition").order_by("id").values_list("name", flat=True)
    )
    assert [name.rpartition("_")[2] for name in names] == ["created", "changed", "archived"]
    assert timezone.now() > ScoreDefinition.objects.get().archived_at
