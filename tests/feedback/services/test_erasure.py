"""One end user's data goes, nobody else's does, and it does not come back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Example
from evals.services import dataset_examples, datasets
from feedback.models import Call, Erasure, FeedbackEvent, HourStat, InboxItem, LooseSpan, Vote
from feedback.services import arrivals, erasing, erasures, exports, hours
from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys

PAGE = "/p/garden/settings/data/"
CALLS = [
    {"id": "ada-1", "end_user": "ada", "output": "one", "latency_ms": 5},
    {"id": "ada-2", "end_user": "ada", "output": "two"},
    {"id": "bob-1", "end_user": "bob", "output": "three"},
]
SAID = [
    {"id": "f1", "call": "ada-1", "thumbs": "down", "comment": "Ada's words"},
    {"id": "f2", "call": "ada-2", "thumbs": "up", "end_user": "bob"},
    {"id": "f3", "call": "bob-1", "thumbs": "down", "comment": "Ada on Bob", "end_user": "ada"},
    {"id": "f4", "call": "bob-1", "thumbs": "up", "comment": "Bob's words", "end_user": "bob"},
]


@pytest.fixture
def traffic(send: Callable[..., Any], project: Project, by: Actor) -> None:
    send("/calls", *CALLS)
    send("/feedback", *SAID)
    dataset = datasets.create(project=project, slug="mails", by=by)
    for name in ["ada-1", "bob-1"]:
        call = Call.objects.get(client_id=name)
        dataset_examples.add(
            dataset=dataset, rows=[ExampleRow(inputs={"q": name}, expected="x")], by=by, source_kind="call",
            source_uid=call.uid,
        )  # fmt: skip
    datasets.seal(dataset=dataset, by=by, now=timezone.now())
    hours.rebuild(project=project, now=timezone.now())


@pytest.fixture
def admin_api(project: Project, admin: User, by: Actor, api_with: Any) -> Any:
    """Deleting and exporting are for people: a personal key of an admin."""
    return api_with(api_keys.issue(project=project, kind="personal", user=admin, name="mine", by=by).text)


def test_a_person_is_deleted_everywhere_and_does_not_come_back(
    page: Client, traffic: None, send: Callable[..., Any], project: Project
) -> None:
    assert page.post(PAGE, {"end_user": "ada"}).status_code == 400
    assert Call.objects.count() == 3
    assert page.post(PAGE, {"end_user": "ada", "confirm": "on"}).status_code == 302
    ada = arrivals.keyed_hash(project.uid, "ada")
    assert list(Call.objects.values_list("client_id", flat=True)) == ["bob-1"]
    assert list(FeedbackEvent.objects.values_list("comment", flat=True)) == ["Bob's words"]
    assert [vote.voter for vote in Vote.objects.all()] == [f"u:{arrivals.keyed_hash(project.uid, 'bob')}"]
    (item,) = InboxItem.objects.all()
    assert (item.call_client_id, item.thumbs, item.excerpt, item.events) == ("bob-1", 1, "Bob's words", 1)
    assert sorted(bool(example.erased_at) for example in Example.objects.all()) == [False, True]
    event = Event.objects.get(name="feedback.end_user_erased")
    assert (event.data["calls"], event.data["feedback"], event.data["votes"], event.data["examples"]) == (2, 3, 3, 1)
    assert "ada" not in event.target_text
    assert ada[:12] in event.target_text
    hours.compute_dirty(now=timezone.now())
    assert [(row.calls, row.votes, row.ups) for row in HourStat.objects.all()] == [(1, 1, 1)]
    assert {result["status"] for result in [*send("/calls", *CALLS), *send("/feedback", *SAID)]} == {201}
    assert (Call.objects.count(), FeedbackEvent.objects.count()) == (1, 1)


def test_rest_deletes_the_same_in_this_project_alone(
    admin_api: Any, traffic: None, other_project: Project, api_with: Any, by: Actor
) -> None:
    theirs = api_with(api_keys.issue(project=other_project, kind="secret", name="x", by=by).text)
    theirs.send("POST", "/calls", CALLS[0])
    answer = admin_api.send("POST", "/end-users/erase", {"end_user": "ada"})
    assert answer.status_code == 200
    said = answer.json()
    counted = {"calls": 2, "feedback": 3, "votes": 3, "inbox_items": 2, "examples": 1, "queue_items": 0}
    assert {name: said[name] for name in counted} == counted
    assert (said["state"], said["done"]) == ("finished", said["total"])
    assert admin_api.send("GET", f"/end-users/erasures/{said['id']}").json() == said
    assert api_with(api_keys.issue(project=other_project, kind="secret", name="y", by=by).text).send(
        "GET", f"/end-users/erasures/{said['id']}"
    ).status_code in {403, 404}
    assert admin_api.send("POST", "/end-users/erase", {"end_user": ""}).status_code == 400
    assert admin_api.send("POST", "/end-users/erase", {"end_user": "ada"}).json()["calls"] == 0
    assert Call.objects.filter(project=other_project).count() == 1


def test_calls_are_exported_with_what_was_said(
    page: Client, admin_api: Any, api: Any, traffic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 2)
    streamed = page.post(f"{PAGE}export/jsonl/")
    lines = [json.loads(line) for line in b"".join(streamed).splitlines()]
    assert [line["id"] for line in lines] == ["ada-1", "ada-2", "bob-1"]
    assert [said["comment"] for said in lines[2]["feedback"]] == ["Ada on Bob", "Bob's words"]
    assert lines[0]["end_user"] != "ada"
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    assert b"".join(admin_api.send("POST", "/calls/export", {"since": later})) == b""
    assert len(b"".join(admin_api.send("POST", "/calls/export", {"until": later})).splitlines()) == 3
    assert api.send("POST", "/calls/export", {}).status_code == 403
    assert admin_api.send("POST", "/calls/export", {"format": "xml"}).status_code == 400
    assert Event.objects.filter(name="feedback.calls_exported").count() == 3


def test_parquet_holds_the_same_rows(page: Client, traffic: None) -> None:
    files = pytest.importorskip("pyarrow.parquet")
    table = files.read_table(io.BytesIO(b"".join(page.post(f"{PAGE}export/parquet/")))).to_pylist()
    assert [row["id"] for row in table] == ["ada-1", "ada-2", "bob-1"]
    assert (table[0]["latency_ms"], table[1]["latency_ms"]) == (5, None)
    assert json.loads(table[2]["feedback"])[1]["comment"] == "Bob's words"


def test_thumbs_are_read_by_rest_and_on_the_prompts_panel(api: Any, page: Client, traffic: None) -> None:
    found = api.send("GET", "/thumbs?by=model&days=1").json()["results"]
    (row,) = found
    assert (row["calls"], row["votes"], row["ups"], row["shown"], row["rate"]) == (3, 4, 2, "count", None)
    assert (row["voted"], row["against"]) == (3, None)
    assert api.send("GET", "/thumbs?days=0").status_code == 400
    assert page.get("/p/garden/monitor/prompts/no/such/").status_code == 404


@pytest.fixture
def in_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a little is much: batches of two rows."""
    monkeypatch.setattr(erasures, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(erasing, "AT_ONCE", 2)


def test_much_of_it_goes_in_a_task_with_progress_and_only_what_had_come(
    admin_api: Any, page: Client, send: Callable[..., Any], project: Project, in_a_task: None
) -> None:
    send("/calls", *({"id": f"ada-{n}", "end_user": "ada"} for n in range(5)))
    answer = admin_api.send("POST", "/end-users/erase", {"end_user": "ada"})
    assert (answer.status_code, answer.json()["state"], answer.json()["total"]) == (202, "waiting", 5)
    again = admin_api.send("POST", "/end-users/erase", {"end_user": "ada"})
    assert again.json()["id"] == answer.json()["id"]
    shown = page.get(PAGE).content.decode()
    assert ("0 of 5 rows" in shown, "every 1s" in shown) == (True, True)
    part = page.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert ("0 of 5 rows" in part, "<html" in part) == (True, False)
    send("/calls", {"id": "later", "end_user": "ada"})
    mine = Erasure.objects.get()
    for _ in range(2):
        erasures.work(erasure_id=mine.pk)
    assert list(Call.objects.values_list("client_id", flat=True)) == ["later"]
    mine.refresh_from_db()
    assert (mine.state, mine.done, mine.counts["calls"]) == ("finished", 5, 5)
    assert Event.objects.filter(name="feedback.end_user_erased").count() == 1
    finished = page.get(PAGE).content.decode()
    assert ("5 calls" in finished, "every 1s" in finished) == (True, False)


def test_a_deletion_whose_worker_died_is_gone_on_with_and_counted_once(
    traffic: None, project: Project, by: Actor, in_a_task: None
) -> None:
    mine = erasures.start(project=project, end_user="ada", by=by, now=timezone.now())
    _, gone = erasing.calls(of=mine, by=by, now=timezone.now())
    Erasure.objects.filter(pk=mine.pk).update(
        state="running", fence=1, attempts=1, counts=asdict(gone), lease_until=timezone.now() + timedelta(minutes=1)
    )
    erasures.work(erasure_id=mine.pk)  # somebody has it still
    assert FeedbackEvent.objects.filter(comment="Ada on Bob").exists()
    Erasure.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert erasures.continue_stalled(now=timezone.now()) == 1
    erasures.work(erasure_id=mine.pk)
    mine.refresh_from_db()
    assert mine.state == "finished"
    assert (mine.counts["calls"], mine.counts["feedback"], mine.counts["votes"], mine.counts["examples"]) == (
        2,
        3,
        3,
        1,
    )


def test_a_deletion_that_keeps_killing_its_worker_is_given_up(
    send: Callable[..., Any], project: Project, by: Actor, in_a_task: None
) -> None:
    send("/calls", *({"id": f"ada-{n}", "end_user": "ada"} for n in range(2)))
    mine = erasures.start(project=project, end_user="ada", by=by, now=timezone.now())
    Erasure.objects.update(attempts=erasures.MOST_CRASHES)
    erasures.work(erasure_id=mine.pk)
    mine.refresh_from_db()
    assert (mine.state, Call.objects.count()) == ("failed", 2)
    assert erasures.start(project=project, end_user="ada", by=by, now=timezone.now()).pk != mine.pk


def test_spans_that_wait_for_their_trace_go_too(project: Project, by: Actor) -> None:
    now = timezone.now()
    for name in ("ada", "bob"):
        person = arrivals.keyed_hash(project.uid, name)
        LooseSpan(project=project, trace_id=name, span_id="1", step={}, end_user=person, received_at=now).save()
    erasures.start(project=project, end_user="ada", by=by, now=now)
    assert LooseSpan.objects.get().trace_id == "bob"
