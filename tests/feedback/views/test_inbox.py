"""The inbox and the page of one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.models import Example
from evals.services import datasets
from feedback.models import Call, InboxItem
from feedback.queries import conversation
from feedback.queries import inbox as queries
from feedback.services import describing
from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project

INBOX = "/p/garden/feedback/"
DOWN = {"call": "c1", "thumbs": "down", "comment": "Wrong city", "correction": "Lyon", "end_user": "u1"}


@pytest.fixture
def ref(send: Callable[..., Any]) -> str:
    """A call with a thumbs-down and a correction, as the inbox names it."""
    send(
        "/calls",
        {
            "id": "c1",
            "prompt": "geo/answer",
            "inputs": {"question": "Where do silk scarves come from?"},
            "output": "Paris",
            "contexts": ["Lyon is known for silk."],
            "trace": [{"name": "retrieve", "latency_ms": 20}, {"name": "answer", "latency_ms": 80}],
            "model": "small-4.1",
            "tags": ["geo"],
        },
    )
    send("/feedback", DOWN)
    return ids.public("item", InboxItem.objects.get().uid)


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_a_new_project_is_told_how_to_send_the_first(page: Client) -> None:
    shown = text_of(page.get(INBOX))
    assert "No feedback yet" in shown
    assert "/api/v1/feedback" in shown


def test_a_thumbs_down_is_on_top_of_the_inbox(page: Client, ref: str) -> None:
    shown = text_of(page.get(INBOX))
    assert "Wrong city" in shown
    assert "geo/answer, small-4.1" in shown
    assert f"{INBOX}{ref}/" in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"c1", "c2"}),
        ("?state=done", {"c3"}),
        ("?state=all", {"c1", "c2", "c3"}),
        ("?verdict=down", {"c1"}),
        ("?state=all&verdict=up", {"c3"}),
        ("?verdict=correction", {"c1"}),
        ("?verdict=none", {"c2"}),
        ("?model=small-4.1", {"c1"}),
        ("?model=small", set()),
        ("?tag=geo", {"c1"}),
        ("?tag=facts", {"c2"}),
        ("?needs_label=on", set()),
        ("?q=wrong", {"c1"}),
        ("?q=100%25", set()),
        ("?prompt=geo/answer", {"c1"}),
        ("?prompt=geo/answer&version=1", set()),
        ("?since=2999-01-01", set()),
        ("?until=2999-01-01", {"c1", "c2"}),
        ("?mine=on", set()),
        ("?state=nonsense&verdict=x&version=x&since=x&cursor=x", {"c1", "c2"}),
        ("?cursor=WyJuIiwwLCJ4IiwieSJd", {"c1", "c2"}),
        ("?q=%00%ED%A0%80", {"c1", "c2"}),
    ],
)
def test_filters_are_in_the_address(
    page: Client, ref: str, send: Callable[..., Any], query: str, found: set[str]
) -> None:
    send("/feedback", {"call": "c2", "score": 2, "tags": ["facts"]}, {"call": "c3", "thumbs": "up"})
    describing.run(now=timezone.now())
    response = page.get(INBOX + query)
    assert response.status_code == 200
    refs = {row.ref for row in response.context["page"].rows}
    assert {item.call_client_id for item in InboxItem.objects.all() if ids.public("item", item.uid) in refs} == found


def test_htmx_gets_the_rows_alone(page: Client, ref: str) -> None:
    shown = text_of(page.get(INBOX, headers={"HX-Request": "true"}))
    assert "Wrong city" in shown
    assert "<html" not in shown


def test_pages_hold_every_item_once(page: Client, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    for index in range(8):
        send("/feedback", {"call": f"c{index}", "thumbs": "down"})
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        rows = page.get(INBOX, {"cursor": cursor}).context["page"]
        seen += [row.ref for row in rows.rows]
        cursor = rows.next
    assert len(seen) == len(set(seen)) == 8


def test_the_page_of_a_call_shows_everything_about_it(page: Client, ref: str) -> None:
    shown = text_of(page.get(f"{INBOX}{ref}/"))
    for part in ["Where do silk scarves come from?", "Paris", "Lyon is known for silk.", "retrieve", "Wrong city",
                 "Lyon", "small-4.1", "geo"]:  # fmt: skip
        assert part in shown
    call = Call.objects.get()
    assert "Paris" in text_of(page.get(f"{INBOX}{ids.public('call', call.uid)}/"))


def test_feedback_whose_call_has_not_arrived_has_a_page(page: Client, send: Callable[..., Any]) -> None:
    send("/feedback", {"call": "later", "thumbs": "down", "comment": "hm"})
    item = ids.public("item", InboxItem.objects.get().uid)
    assert "has not arrived" in text_of(page.get(f"{INBOX}{item}/"))
    assert page.post(f"{INBOX}{item}/example", {"new_dataset": "x", "expected": "y"}).status_code == 400


def test_a_conversation_is_shown_in_order(page: Client, send: Callable[..., Any]) -> None:
    for index in range(3):
        send(
            "/calls",
            {"id": f"s{index}", "session": "s", "inputs": {"q": f"question {index}"}, "output": f"answer {index}"},
        )
    send("/calls", {"id": "m", "inputs": {"messages": [{"role": "user", "content": "hello"}]}, "output": "hi"})
    project = Project.objects.get(slug="garden")
    last = Call.objects.get(client_id="s2")
    turns = conversation.opened(project, ids.public("call", last.uid)).turns
    assert [turn.text for turn in turns] == [f"{what} {n}" for n in range(3) for what in ("question", "answer")]
    assert [turn.is_answer for turn in turns] == [False] * 5 + [True]
    messages = conversation.opened(project, ids.public("call", Call.objects.get(client_id="m").uid)).turns
    assert [(turn.who, turn.text) for turn in messages] == [("User", "hello"), ("Answer", "hi")]


@pytest.mark.parametrize(
    "trace",
    [[], {}, [1, "x", None], {"spans": "x"}, {"spans": [{"name": ["x"], "latency_ms": "y"}]}, [{"latency_ms": -1}],
     [{"latency_ms": True, "offset_ms": 1e300}]],
    ids=str,
)  # fmt: skip
def test_any_trace_can_be_shown(page: Client, send: Callable[..., Any], trace: Any) -> None:
    send("/calls", {"id": "t", "trace": trace})
    call = Call.objects.get()
    assert page.get(f"{INBOX}{ids.public('call', call.uid)}/").status_code == 200


def test_stored_markup_is_shown_as_text(page: Client, send: Callable[..., Any]) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    send("/calls", {"id": evil, "inputs": {evil: evil}, "output": evil, "model": evil, "trace": [{"name": evil}],
                    "session": evil, "tags": [evil], "contexts": [evil], "error": "", "environment": evil})  # fmt: skip
    send("/feedback", {"call": evil, "thumbs": "down", "comment": evil, "correction": evil, "tags": [evil]})
    item = ids.public("item", InboxItem.objects.get().uid)
    for url in [INBOX, f"{INBOX}{item}/"]:
        assert "<img src=x" not in text_of(page.get(url))


def test_triage_changes_state_and_assignee_and_is_recorded(page: Client, ref: str, admin: User) -> None:
    response = page.post(f"{INBOX}{ref}/triage", {"state": "done", "assignee": admin.pk})
    assert response.status_code == 302
    item = InboxItem.objects.get()
    assert (item.state, item.assignee) == ("done", admin)
    event = Event.objects.get(name="feedback.item_triaged")
    assert (event.data, event.actor_text) == ({"state": "done", "assignee": "Ada"}, "ada@example.com")


def test_a_key_that_closes_an_item_leaves_the_assignee_and_goes_on_to_the_next(
    page: Client, ref: str, send: Callable[..., Any], admin: User
) -> None:
    send("/feedback", {"call": "c2", "thumbs": "down"})
    newest = InboxItem.objects.get(call_client_id="c2")
    InboxItem.objects.update(assignee=admin)
    response = page.post(f"{INBOX}{ids.public('item', newest.uid)}/triage?state=open", {"state": "done"})
    assert response["Location"] == f"{INBOX}{ref}/?state=open"
    newest.refresh_from_db()
    assert (newest.state, newest.assignee) == ("done", admin)


def test_only_choices_are_taken(page: Client, ref: str, other_project: Project) -> None:
    eve = User.objects.get(email="eve@example.com")
    assert page.post(f"{INBOX}{ref}/triage", {"state": "gone"}).status_code == 400
    assert page.post(f"{INBOX}{ref}/triage", {"assignee": eve.pk}).status_code == 400
    assert InboxItem.objects.get().state == "open"


def test_a_call_becomes_an_example_with_the_correction_as_expected(
    page: Client, ref: str, project: Project, by: Actor
) -> None:
    dataset = datasets.create(project=project, slug="hard", by=by)
    shown = page.get(f"{INBOX}{ref}/")
    assert shown.context["example"]["expected"].value() == "Lyon"
    response = page.post(f"{INBOX}{ref}/example", {"dataset": "hard", "expected": "Lyon"})
    assert response.status_code == 302
    example = Example.objects.get(dataset=dataset)
    call = Call.objects.get()
    assert (example.inputs, example.expected, example.contexts, example.tags) == (
        call.inputs, "Lyon", ["Lyon is known for silk."], ["geo"],
    )  # fmt: skip
    assert (example.source_kind, example.source_uid) == ("call", call.uid)
    assert InboxItem.objects.get().state == "done"


def test_the_dataset_may_be_new_and_the_correction_json(page: Client, send: Callable[..., Any]) -> None:
    send("/calls", {"id": "c1", "inputs": "plain", "output": {"city": "Paris"}})
    send("/feedback", {"call": "c1", "correction": {"city": "Lyon"}})
    ref = ids.public("item", InboxItem.objects.get().uid)
    form = page.get(f"{INBOX}{ref}/").context["example"]
    data = {"new_dataset": "fresh", "expected": form["expected"].value(), "is_json": "True"}
    assert page.post(f"{INBOX}{ref}/example", data).status_code == 302
    example = Example.objects.get(dataset__slug="fresh")
    assert (example.inputs, example.expected) == ({"input": "plain"}, {"city": "Lyon"})


@pytest.mark.parametrize(
    "data", [{}, {"dataset": "none"}, {"new_dataset": "UPPER!"}, {"new_dataset": "x", "expected": "\x00"}], ids=str
)
def test_a_form_that_is_not_acceptable_says_so(page: Client, ref: str, data: dict[str, str]) -> None:
    response = page.post(f"{INBOX}{ref}/example", data)
    assert response.status_code == 400
    assert not Example.objects.exists()


@pytest.mark.parametrize("items", [1, 3])
def test_the_inbox_costs_the_same_whatever_it_holds(
    page: Client, send: Callable[..., Any], items: int, django_assert_num_queries: Any
) -> None:
    send("/calls", *[{"id": f"c{index}"} for index in range(items)])
    send("/feedback", *[{"call": f"c{index}", "thumbs": "down"} for index in range(items)])
    page.get(INBOX)
    with django_assert_num_queries(16):
        page.get(INBOX)


def test_the_page_of_a_call_costs_the_same_whatever_was_said(
    page: Client, ref: str, send: Callable[..., Any], django_assert_num_queries: Any
) -> None:
    send("/feedback", *[{"call": "c1", "comment": f"again {index}"} for index in range(5)])
    page.get(f"{INBOX}{ref}/")
    with django_assert_num_queries(21):
        page.get(f"{INBOX}{ref}/")


def test_a_viewer_reads_an_editor_triages_and_a_labeler_sees_nothing(
    client_of: Callable[[User], Client], member: Callable[[str], User], ref: str, other_project: Project
) -> None:
    viewer, labeler = client_of(member("viewer")), client_of(member("labeler"))
    stranger = client_of(User.objects.get(email="eve@example.com"))
    assert "Add to a dataset" not in text_of(viewer.get(f"{INBOX}{ref}/"))
    assert viewer.post(f"{INBOX}{ref}/triage", {"state": "done"}).status_code == 403
    assert labeler.get(f"{INBOX}{ref}/").status_code == 403
    assert labeler.post(f"{INBOX}{ref}/triage", {"state": "done"}).status_code == 403
    editor = client_of(member("editor"))
    assert editor.post(f"{INBOX}{ref}/triage", {"state": "done"}).status_code == 302
    assert stranger.get(f"{INBOX}{ref}/").status_code == 404
    assert stranger.get(f"/p/rival/feedback/{ref}/").status_code == 404
    assert stranger.post(f"/p/rival/feedback/{ref}/triage", {"state": "done"}).status_code == 404
