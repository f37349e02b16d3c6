"""Schedules: due once, started once, signed off by one person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from evals.importers.rows import ExampleRow
from evals.models import Run, Schedule, ScheduleStart, SignOff
from evals.services import dataset_examples, datasets, evaluators, schedules, sign_offs
from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, Invalid
from llmops.projects.models import Notification
from llmops.projects.services import api_keys
from prompts.services import labels
from tests.evals.conftest import EXACT, PROMPT, Bench

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ready(bench: Bench) -> Bench:
    version = bench.prompt()
    labels.move(artifact=version.artifact, name="live", to=version, by=bench.by, now=NOW, may_release=True)
    dataset = bench.dataset(3)
    datasets.seal(dataset=dataset, by=bench.by, now=NOW)
    evaluators.create(project=bench.project, slug="exact", spec=EXACT, by=bench.by)
    return bench


WANTED = {"prompt": "repeat", "label": "live", "dataset": "texts", "evaluators": ["exact"]}


def make(bench: Bench, **changes: Any) -> Schedule:
    given = {"name": "Nightly", "wanted": WANTED, "cron": "0 * * * *"} | changes
    return schedules.create(project=bench.project, planned=schedules.Planned(**given), by=bench.by, now=NOW)


def actor(user: User) -> Actor:
    return Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)


def test_a_due_time_starts_one_run_and_the_next_is_an_hour_later(ready: Bench) -> None:
    schedule = make(ready)
    assert schedule.next_due_at == NOW + HOUR
    assert schedules.start_due(now=NOW + HOUR - timedelta(seconds=1)) == 0
    assert schedules.start_due(now=NOW + HOUR) == 1
    assert schedules.start_due(now=NOW + HOUR) == 0
    ready.work()
    run = Run.objects.get()
    assert (run.state, run.by) == ("done", "schedule Nightly")
    assert schedules.start_due(now=NOW + 2 * HOUR) == 1


def test_schedulers_that_tick_at_once_start_one_run(ready: Bench) -> None:
    make(ready)
    gate, started = threading.Barrier(4), []

    def tick() -> None:
        try:
            gate.wait(10)
            started.append(schedules.start_due(now=NOW + HOUR))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(started) == [0, 0, 0, 1]
    assert Run.objects.count() == ScheduleStart.objects.count() == 1


def test_a_due_time_whose_row_is_there_starts_nothing_again(ready: Bench) -> None:
    schedule = make(ready)
    schedules.start_due(now=NOW + HOUR)
    Schedule.objects.filter(pk=schedule.pk).update(next_due_at=NOW + HOUR)  # as if its change had been lost
    ready.work()
    assert schedules.start_due(now=NOW + HOUR) == 0
    assert Run.objects.count() == 1


def test_what_was_due_many_times_while_nothing_ticked_starts_once(ready: Bench) -> None:
    schedule = make(ready)
    assert schedules.start_due(now=NOW + 50 * HOUR) == 1
    schedule.refresh_from_db()
    assert schedule.next_due_at == NOW + 51 * HOUR


def test_a_run_that_is_still_at_work_is_not_doubled(ready: Bench) -> None:
    make(ready)
    schedules.start_due(now=NOW + HOUR)
    assert schedules.start_due(now=NOW + 2 * HOUR) == 0
    assert [start.problem for start in ScheduleStart.objects.order_by("pk")] == ["", schedules.BUSY]


def test_a_paused_schedule_starts_nothing_and_makes_up_for_nothing(ready: Bench) -> None:
    schedule = make(ready)
    schedules.switch(schedule=schedule, enabled=False, by=ready.by, now=NOW)
    assert schedules.start_due(now=NOW + 5 * HOUR) == 0
    schedules.switch(schedule=schedule, enabled=True, by=ready.by, now=NOW + 5 * HOUR)
    assert schedules.start_due(now=NOW + 5 * HOUR) == 0
    assert schedules.start_due(now=NOW + 6 * HOUR) == 1


def test_a_run_that_cannot_start_is_told_and_recorded_and_the_next_time_comes(ready: Bench) -> None:
    schedule = make(ready)
    labels.remove(artifact=ready.prompt().artifact, name="live", by=ready.by, may_release=True)
    assert schedules.start_due(now=NOW + HOUR) == 0
    [start] = schedule.starts.all()
    assert "has no label" in start.problem
    assert Notification.objects.filter(kind="schedule_failed").count() == 1
    schedule.refresh_from_db()
    assert schedule.next_due_at == NOW + 2 * HOUR


def change_dataset(bench: Bench) -> None:
    dataset = bench.project.datasets.get(slug="texts")
    dataset_examples.add(dataset=dataset, rows=[ExampleRow(inputs={"text": "new"}, expected="new")], by=bench.by)
    datasets.seal(dataset=dataset, by=bench.by, now=NOW)


def change_label(bench: Bench) -> None:
    version = bench.prompt(content=PROMPT.replace("{{ text }}", "Say {{ text }}"))
    labels.move(artifact=version.artifact, name="live", to=version, by=bench.by, now=NOW, may_release=True)


def change_judge(bench: Bench) -> None:
    spec = {"metric": "exact_match", "params": {"extract": "(.*)"}}
    evaluators.save(evaluator=bench.project.evaluators.get(slug="exact"), spec=spec, by=bench.by)


@pytest.mark.parametrize(
    ("kind", "change"), [("dataset", change_dataset), ("label", change_label), ("judge", change_judge)]
)
def test_a_watched_change_starts_one_run_and_an_unwatched_one_none(
    ready: Bench, kind: str, change: Callable[[Bench], None]
) -> None:
    watching = make(ready, cron="", on_change=[kind])
    others = make(ready, cron="", on_change=sorted({"dataset", "label", "judge"} - {kind}))
    assert schedules.start_due(now=NOW) == 0
    change(ready)
    assert schedules.start_due(now=NOW) == 1
    assert schedules.start_due(now=NOW) == 0
    ready.work()
    assert schedules.start_due(now=NOW) == 0
    assert [start.cause for start in watching.starts.all()] == [kind]
    assert not others.starts.exists()
    assert watching.next_due_at is None


def test_a_change_during_a_run_is_run_when_that_is_over(ready: Bench) -> None:
    make(ready, cron="", on_change=["label"])
    change_label(ready)
    assert schedules.start_due(now=NOW) == 1
    version = ready.prompt(content=PROMPT.replace("{{ text }}", "Tell {{ text }}"))
    labels.move(artifact=version.artifact, name="live", to=version, by=ready.by, now=NOW, may_release=True)
    assert schedules.start_due(now=NOW) == 0
    ready.work()
    assert schedules.start_due(now=NOW) == 1
    assert Run.objects.latest("id").target_id == version.pk


def test_only_the_named_person_signs_off_once_and_after_the_end(ready: Bench, member: Callable[[str], User]) -> None:
    reviewer, other = member("viewer"), member("editor")
    make(ready, sign_off_by=reviewer)
    schedules.start_due(now=NOW + HOUR)
    run = Run.objects.get()
    with pytest.raises(Conflict):
        sign_offs.decide(run=run, accept=True, by=actor(reviewer), now=NOW)
    assert not Notification.objects.filter(kind="sign_off_wanted").exists()
    ready.work()
    [line] = Notification.objects.filter(kind="sign_off_wanted")
    assert line.user == reviewer
    with pytest.raises(Forbidden):
        sign_offs.decide(run=run, accept=True, by=actor(other), now=NOW)
    sign_offs.decide(run=run, accept=False, by=actor(reviewer), now=NOW, note="Too many regressions")
    with pytest.raises(Conflict):
        sign_offs.decide(run=run, accept=True, by=actor(reviewer), now=NOW)
    assert SignOff.objects.get().state == "rejected"
    event = Event.objects.get(name="run.sign_off_rejected")
    assert (event.actor_id, event.data["note"]) == (reviewer.pk, "Too many regressions")


def test_naming_another_person_hands_open_sign_offs_over(ready: Bench, member: Callable[[str], User]) -> None:
    first, second = member("viewer"), member("editor")
    schedule = make(ready, sign_off_by=first)
    schedules.start_due(now=NOW + HOUR)
    ready.work()
    planned = schedules.Planned(name="Nightly", wanted=WANTED, cron="0 * * * *", sign_off_by=second)
    schedules.edit(schedule=schedule, planned=planned, by=ready.by, now=NOW + HOUR)
    assert SignOff.objects.get().person == second
    assert Notification.objects.filter(kind="sign_off_wanted", user=second).count() == 1
    sign_offs.decide(run=Run.objects.get(), accept=True, by=actor(second), now=NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"cron": "every day"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"time_zone": "Nowhere"}, "time_zone"),
        ({"on_change": ["weather"]}, "on_change"),
        ({"on_change": ["label"], "wanted": WANTED | {"label": "", "version": 1}}, "on_change"),
        ({"wanted": WANTED | {"dataset": "nothing"}}, "run.dataset"),
        ({"wanted": WANTED | {"label": "nothing"}}, "run.label"),
        ({"wanted": WANTED | {"evaluators": ["nothing"]}}, "run.evaluators[0]"),
        ({"wanted": WANTED | {"repeats": 0}}, "run.repeats"),
    ],
)
def test_a_schedule_that_could_not_run_is_refused_by_field(ready: Bench, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(ready, **changes)
    assert list(refused.value.fields) == [field]
    assert not Schedule.objects.exists()


def test_a_person_of_another_project_cannot_be_named(ready: Bench, other_project: Any) -> None:
    with pytest.raises(Invalid):
        make(ready, sign_off_by=other_project.memberships.get().user)


FORM = {
    "name": "Nightly", "cron": "0 3 * * *", "time_zone": "Europe/Berlin", "source": "prompt", "prompt": "repeat",
    "version": "live", "dataset": "texts", "evaluators": "exact", "repeats": "1", "concurrency": "20",
    "connection": "Local", "max_cost_usd": "2.5", "on_change": ["dataset", "label"], "sign_off_by": "ada@example.com",
}  # fmt: skip


def test_a_schedule_is_made_changed_paused_and_removed_on_its_pages(page: Client, ready: Bench) -> None:
    assert "No schedules yet" in page.get("/p/garden/runs/-/schedules/").content.decode()
    made = page.post("/p/garden/runs/-/schedules/-/new/", FORM)
    assert made.status_code == 302, made.context["form"].errors
    shown = page.get(made["Location"]).content.decode()
    assert 'value="0 3 * * *"' in shown
    assert 'value="2.5"' in shown
    assert "next due" in shown
    answer = page.post(made["Location"], FORM | {"cron": "0 4 * * *", "version": "nothing"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, ["version"])
    assert page.post(made["Location"], FORM | {"cron": "0 4 * * *"}).status_code == 302
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.on_change, schedule.wanted["label"]) == ("0 4 * * *", ["dataset", "label"], "live")
    page.post(f"{made['Location']}switch/")
    assert "Paused" in page.get("/p/garden/runs/-/schedules/").content.decode()
    page.post(f"{made['Location']}remove/")
    assert not Schedule.objects.exists()


def test_a_bad_line_stands_beside_its_field(page: Client, ready: Bench) -> None:
    answer = page.post("/p/garden/runs/-/schedules/-/new/", FORM | {"cron": "61 * * * *", "time_zone": "Mars"})
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == ["time_zone"]
    answer = page.post("/p/garden/runs/-/schedules/-/new/", FORM | {"cron": "61 * * * *"})
    assert list(answer.context["form"].errors) == ["cron"]


def test_the_page_of_a_run_asks_the_named_person_and_shows_the_word(
    page: Client, ready: Bench, member: Callable[[str], User], client_of: Any
) -> None:
    page.post("/p/garden/runs/-/schedules/-/new/", FORM)
    schedules.start_due(now=datetime.now(UTC) + timedelta(days=2))
    ready.work()
    address = f"/p/garden/runs/{ids.public('run', Run.objects.get().uid)}/"
    other = client_of(member("editor"))
    assert "Waits for the sign-off of Ada" in other.get(address).content.decode()
    assert "Refuse" not in other.get(address).content.decode()
    assert other.post(f"{address}sign-off/", {"accept": "yes"}).status_code == 403
    assert "Refuse" in page.get(address).content.decode()
    assert page.post(f"{address}sign-off/", {"accept": "yes", "note": "Good"}).status_code == 302
    assert "Signed off by ada@example.com" in other.get(address).content.decode()


def test_schedules_over_the_api(api: Any, api_with: Any, ready: Bench, admin: User) -> None:
    body = {"name": "Nightly", "cron": "0 3 * * *", "run": WANTED, "sign_off_by": admin.email, "on_change": ["judge"]}
    made = api.send("POST", "/schedules", body)
    assert made.status_code == 201, made.content
    uid = made.json()["id"]
    assert made.json()["next_due_at"].endswith("03:00:00Z")
    assert [one["id"] for one in api.send("GET", "/schedules").json()["results"]] == [uid]
    changed = api.send("PUT", f"/schedules/{uid}", body | {"cron": "0 5 * * *"})
    assert changed.json()["cron"] == "0 5 * * *"
    assert api.send("PATCH", f"/schedules/{uid}", {"enabled": False}).json()["next_due_at"] is None
    api.send("PATCH", f"/schedules/{uid}", {"enabled": True})
    schedules.start_due(now=datetime.now(UTC) + timedelta(days=2))
    ready.work()
    [start] = api.send("GET", f"/schedules/{uid}").json()["starts"]
    word = {"accept": True, "note": "Good"}
    assert api.send("POST", f"/runs/{start['run']}/sign-off", word).status_code == 403  # a server key is nobody
    issued = api_keys.issue(project=ready.project, kind="personal", user=admin, name="mine", by=ready.by)
    mine = api_with(issued.text)
    assert mine.send("POST", f"/runs/{start['run']}/sign-off", word).json()["sign_off"]["state"] == "accepted"
    assert api.send("DELETE", f"/schedules/{uid}").status_code == 204
    assert api.send("GET", f"/schedules/{uid}").status_code == 404
    assert api.send("GET", f"/runs/{start['run']}/sign-off").json()["sign_off"]["person"] == admin.email


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "x"}, "cron"),
        ({"sign_off_by": "nobody@example.com"}, "sign_off_by"),
        ({"run": WANTED | {"dataset": "nothing"}}, "run.dataset"),
        ({"run": {}}, "run.dataset"),
        ({"on_change": ["x"]}, "on_change.0"),
    ],
)
def test_the_api_names_what_is_wrong(api: Any, ready: Bench, change: dict[str, Any], field: str) -> None:
    answer = api.send("POST", "/schedules", {"name": "N", "cron": "0 3 * * *", "run": WANTED} | change)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]
