from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from evals import importers
from evals.models import Example, Result, Run, Score
from evals.services import dataset_examples, datasets, evaluators, judge_templates, run_requests, runs
from feedback.models import Call, HumanFigure, QueueItem, Seat
from feedback.queries import sources
from feedback.queries.inbox import InboxFilter
from feedback.services import daily, filling, queue_settings, seats
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.gateway.services import connections
from llmops.projects.models import Notification, Project
from tests.feedback import labeling
from tests.feedback.labeling import NOW


def log(send: Callable[..., Any], count: int) -> None:
    send(
        "/calls",
        *[{"id": f"c{n}", "inputs": {"q": f"Mail ada@example.com {n}"}, "output": "yes"} for n in range(count)],
    )


def test_calls_come_in_by_hand_and_by_filter_and_only_once(
    project: Project, by: Actor, send: Callable[..., Any]
) -> None:
    queue = labeling.queue(project, by)
    log(send, 3)
    send("/feedback", {"call": "c1", "thumbs": "down"}, {"call": "c2", "thumbs": "up"})
    assert filling.by_hand(queue=queue, names=["c0", "c1", "nothing"], by=by) == 2
    assert filling.by_filter(queue=queue, narrowed=InboxFilter(), most=100, by=by) == 1
    assert filling.by_filter(queue=queue, narrowed=InboxFilter(verdict="down"), most=100, by=by) == 0
    assert set(QueueItem.objects.values_list("snapshot__output", flat=True)) == {"yes"}
    with pytest.raises(Invalid) as refused:
        filling.by_hand(queue=queue, names=["nothing"], by=by)
    assert refused.value.fields == {"calls": "no such call"}


def test_items_hide_and_mask_what_the_queue_asks(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by, mask=True, hidden=["secret", "expected", "origin"])
    snapshot = {"inputs": {"q": "I am ada@example.com", "secret": "x"}, "output": "ok", "expected": "y", "origin": {}}
    filling.add(queue=queue, found=[sources.Source("import", queue.uid, "ada@example.com", snapshot)], by=by, how="x")
    item = QueueItem.objects.get()
    assert item.snapshot == {"inputs": {"q": "I am [e-mail]"}, "output": "ok"}
    assert item.title == ""


def test_a_daily_sample_is_drawn_once_and_dealt_by_rota_and_becomes_the_human_figure(
    project: Project, by: Actor, send: Callable[..., Any], api: Any, page: Client
) -> None:
    people = labeling.people(project, 3)
    emails = [person.email for person in people]
    queue = labeling.queue(project, by, daily=4, annotators_per_item=1, labelers=emails)
    log(send, 10)
    tomorrow = Call.objects.latest("id").received_at + timedelta(days=1)
    assert daily.sample(queue=queue, now=tomorrow) == 4
    queue.refresh_from_db()
    assert daily.sample(queue=queue, now=tomorrow) == 0
    assert set(QueueItem.objects.values_list("probability", flat=True)) == {0.4}
    dealt = list(Seat.objects.order_by("item_id").values_list("user_id", flat=True))
    assert dealt == [people[n % 3].pk for n in range(4)]
    assert Notification.objects.filter(kind="labels_waiting").count() == 3
    for place, person in enumerate(people):
        while (seat := seats.reserve(queue=queue, user_id=person.pk, now=tomorrow)) is not None:
            good = {"good": "fail" if place == 2 else "pass"}
            seats.submit(item=seat.item, user_id=person.pk, answers=good, now=tomorrow)
    daily.run(now=tomorrow)
    figure = HumanFigure.objects.get()
    assert (figure.question, figure.n, figure.value, figure.method) == ("good", 4, 0.75, "Wilson")
    assert figure.low == pytest.approx(0.3006, abs=1e-4)
    [line] = api.send("GET", "/queues/answers/figures").json()
    assert (line["question"], line["n"], line["value"], line["version"]) == ("good", 4, 0.75, "")
    shown = page.get("/p/garden/labeling/answers/").content.decode()
    assert ("75 %" in shown, "30 % to 95 %" in shown) == (True, True)


def judged_run(project: Project, by: Actor, verdicts: list[tuple[float | None, str]], source: Any = None) -> Run:
    """A finished run of a judge with these values and verdicts."""
    connections.ensure_demo(project=project)
    dataset = datasets.create(project=project, slug="mails", by=by)
    rows = [importers.checked({"inputs": {"q": f"{n}"}, "metadata": {"out": f"out {n}"}}) for n in range(len(verdicts))]
    dataset_examples.add(dataset=dataset, rows=rows, by=by, source_kind="call", source_uid=source)
    datasets.seal(dataset=dataset, by=by, now=NOW)
    version = judge_templates.create(
        project=project, template="tone", slug="polite", settings={"model": "demo-small"}, by=by, now=NOW
    )
    evaluators.create(project=project, slug="exact", spec={"metric": "exact_match"}, by=by)
    run = runs.start(
        project=project,
        wanted=run_requests.Wanted(dataset=dataset, evaluators=["polite"], recorded="out"),
        by=by,
        now=NOW,
    )
    for example, (value, verdict) in zip(Example.objects.filter(dataset=dataset).order_by("id"), verdicts, strict=True):
        result = Result.objects.create(
            project=project, run=run, example=example, example_key=example.key, output=f"out {example.inputs['q']}"
        )
        Score.objects.create(
            project=project, run=run, result=result, evaluator_version=version,
            state="unscored" if value is None else "scored", value=value, passed=verdict == "pass", category=verdict,
            model_asked="demo-small", model_answered="demo-small",
        )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE, finished_at=NOW, is_planned=True)
    run.refresh_from_db()
    return run


def test_a_runs_results_come_by_lot_and_those_that_the_judge_doubts_first(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    run = judged_run(project, by, [(1.0, "pass"), (0.6, "pass"), (None, ""), (0.0, "fail")])
    assert filling.by_uncertainty(queue=queue, run=run, evaluator="", most=10, by=by) == 2
    [unread, near] = QueueItem.objects.order_by("-priority")
    assert (unread.snapshot["output"], unread.priority) == ("out 2", 1.0)
    assert (near.snapshot["output"], near.priority) == ("out 1", pytest.approx(0.8))
    other = labeling.queue(project, by, slug="other")
    assert filling.from_run(queue=other, run=run, most=3, by=by) == 3
    assert set(QueueItem.objects.filter(queue=other).values_list("probability", flat=True)) == {0.75}
    assert filling.from_run(queue=other, run=run, most=3, by=by) == 0
    with pytest.raises(Invalid):
        filling.by_uncertainty(queue=queue, run=run, evaluator="exact", most=10, by=by)


def test_where_judge_and_user_disagree_a_person_looks(project: Project, by: Actor, send: Callable[..., Any]) -> None:
    queue = labeling.queue(project, by)
    log(send, 1)
    send("/feedback", {"call": "c0", "thumbs": "down", "end_user": "u1"})
    judged_run(project, by, [(1.0, "pass"), (0.0, "fail")], source=Call.objects.get().uid)
    assert filling.by_disagreement(queue=queue, most=10, by=by) == 1
    assert QueueItem.objects.get().snapshot["output"] == "out 0"


def test_settings_out_of_range_and_strangers_are_refused_by_name(project: Project, by: Actor) -> None:
    for field, value in {
        "hold_minutes": 0,
        "annotators_per_item": 21,
        "labelers": ["x@y.example"],
        "name": "a\0",
    }.items():
        with pytest.raises(Invalid) as refused:
            labeling.queue(project, by, slug=f"q-{field.replace('_', '-')}", **{field: value})
        assert list(refused.value.fields) == [field]
    queue = labeling.queue(project, by)
    with pytest.raises(TypeError):
        queue_settings.edit(queue=queue, by=by, now=NOW, slug="other")
