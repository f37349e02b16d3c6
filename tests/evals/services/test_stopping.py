"""Runs that stop when their answer is clear."""

from __future__ import annotations

from typing import Any

import pytest

from evals.importers.rows import ExampleRow
from evals.models import Dataset, Result, Run, Score, WorkItem
from evals.queries import changes, comparisons, early_stops
from evals.queries import runs as queries
from evals.services import runs, stopping, work
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.errors import Invalid
from llmops.projects.models import Membership
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)


# The first look comes after a second: answers must take long enough for one.
def slow() -> float:
    return 0.03


WRONG_BEFORE = {f"text {n}" for n in range(0, 600, 2)}


def baseline_of(bench: Bench, size: int = 400) -> tuple[Dataset, Run]:
    """Wrong on every other text."""
    dataset = bench.dataset(size)
    bench.fake.answer = lambda text: "wrong" if text in WRONG_BEFORE else text
    run = bench.start(dataset, bench.prompt("one"), use_cache=False)
    bench.work()
    run.refresh_from_db()
    assert run.state == Run.State.DONE
    return dataset, run


def uid(run: Run) -> str:
    return ids.public("run", run.uid)


def test_a_run_that_is_clearly_better_stops_and_says_so(bench: Bench) -> None:
    dataset, first = baseline_of(bench)
    bench.fake.answer, bench.fake.latency_s = lambda text: text, slow
    second = bench.start(dataset, bench.prompt("two"), use_cache=False, stop_early=uid(first), concurrency=5)
    bench.work()
    work.reconcile()
    second = Run.objects.select_related("dataset_version__dataset").get(pk=second.pk)
    assert (second.state, second.reason) == (Run.State.DONE, stopping.REASON)
    assert not WorkItem.objects.filter(run=second).exists()
    stopped = early_stops.stopped_of(second)
    assert stopped is not None
    done = Result.objects.filter(run=second).count()
    assert stopped.used <= done < 400
    assert (stopped.planned, stopped.saved) == (400, 1 - stopped.used / 400)
    assert queries.summary_of(second).done == done

    found = comparisons.comparison_of(first, second)
    assert found.stopped == stopped
    [one] = found.evaluators
    assert one.verdict.word == "better"
    assert one.verdict.sentence.startswith("better by at least ")
    assert one.verdict.sentence.endswith(f"the answer was clear after {stopped.used} of 400 examples")
    assert one.comparison.difference.interval is not None
    assert one.comparison.difference.interval.method == "betting"
    assert one.comparison.difference.interval.low > 0
    assert "stop early against" in {change.name for change in changes.changes_between(first, second)}


def test_a_run_without_a_difference_goes_to_its_end_and_has_spent_a_fifth_of_the_error(bench: Bench) -> None:
    dataset, first = baseline_of(bench, 60)
    bench.fake.latency_s = slow
    second = bench.start(dataset, bench.prompt("two"), use_cache=False, stop_early=uid(first), margin=20.0)
    bench.work()
    second.refresh_from_db()
    assert (second.state, second.reason, early_stops.stopped_of(second)) == (Run.State.DONE, "", None)
    found = comparisons.comparison_of(first, second)
    assert (found.margin, found.stopped) == (0.2, None)
    assert (found.evaluators[0].verdict.alpha, found.evaluators[0].verdict.word) == (0.04, "no worse")


def test_only_the_finished_beginning_of_the_order_by_lot_counts(bench: Bench) -> None:
    dataset, first = baseline_of(bench, 300)
    bench.fake.answer = lambda text: text
    second = bench.start(dataset, bench.prompt("two"), use_cache=False)
    bench.work()
    second = Run.objects.select_related("dataset_version").get(pk=second.pk)
    order = early_stops.planned_order(second)
    assert len(order) == 300
    assert order != sorted(order)
    assert order == early_stops.planned_order(second)
    second.early_stop = early_stops.Rule(first.uid).as_json()
    found = early_stops.look(second)
    assert found is not None
    assert (found.used, found.evaluators["exact_match"].word) == (300, "better")
    # Without the first of the order nothing may be looked at, however much of the rest is there.
    Score.objects.filter(run=second, result__example_id=order[0][0]).purge()
    assert early_stops.look(second) is None


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"stop_early": "nonsense"}, "stop_early", "no such run"),
        ({"margin": 3.0, "stop_early": ""}, "margin", "only together"),
        ({"margin": 0.0}, "margin", "more than 0"),
        ({"margin": float("nan")}, "margin", "more than 0"),
        ({"evaluators": [{"metric": "token_f1", "params": {}}]}, "stop_early", "none of these evaluators"),
        ({"dataset": "others"}, "stop_early", "over others"),
    ],
)
def test_a_rule_that_cannot_be_held_is_refused(bench: Bench, change: dict[str, Any], field: str, reason: str) -> None:
    dataset, first = baseline_of(bench, 4)
    others = bench.dataset([ExampleRow(inputs={"text": "x"}, expected="x")], slug="others")
    given: dict[str, Any] = {"dataset": dataset, "evaluators": [EXACT], "stop_early": uid(first)} | change
    if given["dataset"] == "others":
        given["dataset"] = others
    with pytest.raises(Invalid) as caught:
        bench.start(version=bench.prompt("two"), **given)
    assert reason in caught.value.fields[field]


def test_an_unfinished_run_is_nothing_to_stop_against(bench: Bench) -> None:
    dataset = bench.dataset(4)
    waiting = bench.start(dataset, bench.prompt("one"))
    with pytest.raises(Invalid) as caught:
        bench.start(dataset, bench.prompt("two"), stop_early=uid(waiting))
    assert "went to its end" in caught.value.fields["stop_early"]
    runs.cancel(run=waiting, by=bench.by)


def test_the_pages_and_the_api_say_that_a_run_stopped_early(bench: Bench, api: Any, client_of: Any) -> None:
    dataset, first = baseline_of(bench)
    bench.fake.answer, bench.fake.latency_s = lambda text: text, slow
    bench.prompt("two")
    body = {"prompt": "two", "dataset": dataset.slug, "evaluators": [EXACT], "use_cache": False, "concurrency": 5,
            "stop_early": uid(first)}  # fmt: skip
    started = api.send("POST", "/runs", body)
    assert started.status_code == 202, started.content
    bench.work()
    work.reconcile()
    run = api.send("GET", f"/runs/{started.json()['id']}").json()
    assert (run["status"], run["reason"], run["stopped_early"]["planned"]) == ("done", stopping.REASON, 400)
    person = User.objects.create_user("reader@example.com", None, name="Reader")
    Membership.objects.create(project=bench.project, user=person, role="viewer")
    client = client_of(person)
    base = f"/p/{bench.project.slug}/runs"
    page = client.get(f"{base}/{run['id']}/").content.decode()
    assert "the answer is clear" in page
    assert "Better on exact_match" in page
    compared = client.get(f"{base}/-/compare/?a={uid(first)}&b={run['id']}").content.decode()
    assert "The second run stopped early" in compared
    assert "better by at least" in compared.lower()


def test_a_run_that_would_hardly_tell_is_given_up_and_nothing_is_claimed(bench: Bench, api: Any, page: Any) -> None:
    dataset, first = baseline_of(bench, 300)
    second = bench.start(dataset, bench.prompt("two"), use_cache=False)
    bench.work()
    second = Run.objects.select_related("dataset_version__dataset").get(pk=second.pk)
    second.early_stop = early_stops.Rule(first.uid).as_json()
    second.save(update_fields=["early_stop"])
    order = early_stops.planned_order(second)
    # As a look at the first 200 of 300 would have found it: not one answer differs.
    Score.objects.filter(run=second, result__example_id__in=[key for key, _ in order[200:]]).purge()
    found = early_stops.look(second)
    assert found is not None
    assert (found.used, found.planned, found.is_futile) == (200, 300, True)
    word = found.evaluators["exact_match"]
    assert (word.word, word.chance is not None and word.chance < 0.1) == ("not known yet", True)
    # After 40 it is too early to give up.
    Score.objects.filter(run=second, result__example_id__in=[key for key, _ in order[40:]]).purge()
    assert early_stops.look(second) is None

    Run.objects.filter(pk=second.pk).update(early_stop=second.early_stop | {"stopped": found.as_json()})
    second.refresh_from_db()
    assert early_stops.stopped_of(second) == found
    [one] = comparisons.comparison_of(first, second).evaluators
    assert one.verdict.word == "not known yet"
    assert one.verdict.sentence.startswith("not clear after 200 of 300 examples, and the rest would hardly have told")
    assert api.send("GET", f"/runs/{uid(second)}").json()["stopped_early"]["futile"] is True
    body = page.get(f"/p/{bench.project.slug}/runs/{uid(second)}/").content.decode()
    assert "Stopped after 200 of 300 examples: the rest would hardly have told" in body
    compared = page.get(f"/p/{bench.project.slug}/runs/-/compare/", {"a": uid(first), "b": uid(second)})
    assert "unlikely to tell the two apart" in compared.content.decode()
