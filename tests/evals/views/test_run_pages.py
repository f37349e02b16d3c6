"""The pages of runs, with runs that really ran."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Result, Run
from evals.services import dataset_examples, datasets, run_requests, run_states, runs
from llmops.accounts.models import User
from llmops.common import ids
from llmops.demo import seed
from tests.running import finish_runs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def demo() -> seed.Demo:
    return seed.plant(password="a long password", now=timezone.now())


@pytest.fixture
def browser(demo: seed.Demo, client_of: Any) -> Client:
    return client_of(User.objects.get(email=seed.EMAIL))


@pytest.fixture
def pair(demo: seed.Demo) -> tuple[str, str]:
    first, second = seed.start_runs(demo)
    finish_runs()
    return ids.public("run", first.uid), ids.public("run", second.uid)


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.content[:500]
    return str(answer.content.decode())


def test_a_run_is_chosen_estimated_started_and_watched(browser: Client, demo: seed.Demo) -> None:
    form = text(browser.get("/p/demo/runs/-/new/?prompt=support/classify-mail"))
    assert "Start run" in form
    chosen = {
        "source": "prompt", "prompt": seed.PATH, "version": "2", "dataset": seed.DATASET, "connection": "Demo",
        "evaluators": [seed.EVALUATOR], "repeats": "1", "concurrency": "20",
    }  # fmt: skip
    estimate = text(browser.get("/p/demo/runs/-/estimate/", chosen))
    assert "60 examples" in estimate
    assert "nothing" in estimate
    started = browser.post("/p/demo/runs/-/new/", chosen)
    assert started.status_code == 302
    going = text(browser.get(started["Location"]))
    assert "Results done" in going
    assert 'hx-trigger="every 1s"' in text(browser.get(started["Location"], headers={"HX-Request": "true"}))
    finish_runs()
    done = browser.get(started["Location"], headers={"HX-Request": "true"})
    assert 'hx-trigger="every 1s"' not in text(done)
    assert "category-match" in text(done)


def test_a_form_that_is_not_right_comes_back_with_what_was_chosen(browser: Client, demo: seed.Demo) -> None:
    answer = browser.post(
        "/p/demo/runs/-/new/",
        {"source": "prompt", "prompt": seed.PATH, "version": "99", "dataset": seed.DATASET, "repeats": "3",
         "evaluators": [seed.EVALUATOR], "concurrency": "20", "connection": "Demo"},
    )  # fmt: skip
    assert answer.status_code == 400
    assert 'value="99"' in answer.content.decode()
    assert "has no version 99" in answer.content.decode()
    assert not Run.objects.exists()


def test_the_worst_results_come_first_and_open_with_reasons(browser: Client, pair: tuple[str, str]) -> None:
    page = text(browser.get(f"/p/demo/runs/{pair[0]}/?show=wrong"))
    assert "Results, worst first" in page
    uid = ids.public("res", Result.objects.filter(run__uid=ids.parse("run", pair[0])).order_by("id")[0].uid)
    detail = text(browser.get(f"/p/demo/runs/{pair[0]}/results/{uid}/"))
    assert "Why these scores" in detail
    assert "category-match" in detail
    rows = browser.get(f"/p/demo/runs/{pair[0]}/?show=wrong", headers={"HX-Request": "true", "HX-Target": "rows"})
    assert text(rows).strip().startswith('<div id="rows"')


def test_two_runs_are_compared_in_words_first(browser: Client, pair: tuple[str, str]) -> None:
    page = text(browser.get(f"/p/demo/runs/-/compare/?a={pair[0]}&b={pair[1]}"))
    assert "Better on category-match" in page
    assert "Regressed" in page
    other = text(browser.get(f"/p/demo/runs/-/compare/?a={pair[1]}&b={pair[0]}&by=same-meaning"))
    assert "Worse on same-meaning" in other


def test_the_comparison_shows_tests_and_what_changed_and_takes_a_margin(browser: Client, pair: tuple[str, str]) -> None:
    address = f"/p/demo/runs/-/compare/?a={pair[1]}&b={pair[0]}"
    page = text(browser.get(address))
    assert "The tests behind the words" in page
    assert "McNemar, mid" in page
    assert "Newcombe, paired" in page
    shown = browser.get(address).context["comparison"]
    assert [one["name"] for one in shown["changes"]][:2] == ["prompt version", "prompt commit"]
    assert shown["tests"][0]["use"] == "decides"
    assert "corrected for" in shown["verdict"]["proof"]
    swapped = f"/p/demo/runs/-/compare/?a={pair[0]}&b={pair[1]}"
    assert "no worse by 3 points, one-sided" in text(browser.get(f"{swapped}&margin=3"))
    for wrong in ("0", "100", "nan", "much", "1e999"):
        answer = browser.get(f"{swapped}&margin={wrong}")
        assert answer.status_code == 400
        assert answer.context["margin_form"].errors["margin"]


def test_runs_on_other_examples_are_compared_without_pairs(
    browser: Client, demo: seed.Demo, pair: tuple[str, str]
) -> None:
    rows = [
        ExampleRow(inputs={"mail": "Hi"}, expected={"category": "refund"}, metadata={"out": '{"category": "refund"}'})
        for _ in range(30)
    ]
    dataset = datasets.create(project=demo.project, slug="others", by=seed.SYSTEM)
    dataset_examples.add(dataset=dataset, rows=rows, by=seed.SYSTEM)
    wanted = run_requests.Wanted(dataset=dataset, evaluators=[seed.EVALUATOR], recorded="out")
    other = runs.start(project=demo.project, wanted=wanted, by=seed.SYSTEM)
    finish_runs()
    page = text(browser.get(f"/p/demo/runs/-/compare/?a={pair[0]}&b={ids.public('run', other.uid)}"))
    assert "The two runs are on different examples" in page
    assert "60 examples against 30 others" in page
    assert "Newcombe, inverted" in page
    assert "Regressed" not in page


def test_a_run_with_repeats_shows_how_reliable_it_is(browser: Client, demo: seed.Demo) -> None:
    wanted = run_requests.Wanted(dataset=demo.dataset, evaluators=[seed.EVALUATOR], version=demo.baseline, repeats=3)
    run = runs.start(project=demo.project, wanted=wanted, by=seed.SYSTEM)
    finish_runs()
    page = text(browser.get(f"/p/demo/runs/{ids.public('run', run.uid)}/"))
    assert "Reliability of category-match" in page
    assert "flake rate" in page
    assert "pass@3" in page
    assert "pass^3" in page


def test_the_form_says_how_precise_the_result_will_be(browser: Client, demo: seed.Demo) -> None:
    chosen = {
        "source": "prompt", "prompt": seed.PATH, "dataset": seed.DATASET, "connection": "Demo",
        "evaluators": [seed.EVALUATOR], "repeats": "2", "concurrency": "20",
    }  # fmt: skip
    estimate = text(browser.get("/p/demo/runs/-/estimate/", chosen))
    assert "With 60 examples a pass rate near 85 % is known to about ± 9 points." in estimate
    assert "buy examples first" in estimate


def test_a_cancelled_run_keeps_what_is_done_and_a_paused_one_goes_on(browser: Client, demo: seed.Demo) -> None:
    cancelled, paused = seed.start_runs(demo)
    browser.post(f"/p/demo/runs/{ids.public('run', cancelled.uid)}/cancel/")
    run_states.pause(run_id=paused.pk, reason="auth", problem="The provider does not accept the key.")
    finish_runs()
    cancelled.refresh_from_db()
    assert cancelled.state == Run.State.CANCELLED
    address = f"/p/demo/runs/{ids.public('run', paused.uid)}/"
    assert "does not accept the key" in text(browser.get(address))
    browser.post(f"{address}resume/")
    finish_runs()
    paused.refresh_from_db()
    assert paused.state == Run.State.DONE


@pytest.mark.parametrize("more", [0, 2])
def test_the_list_costs_the_same_for_many(browser: Client, demo: seed.Demo, more: int) -> None:
    seed.start_runs(demo)
    for _ in range(more):
        wanted = run_requests.Wanted(dataset=demo.dataset, evaluators=[seed.EVALUATOR], version=demo.baseline)
        runs.start(project=demo.project, wanted=wanted, by=seed.SYSTEM)
    finish_runs()
    browser.get("/p/demo/runs/")
    with CaptureQueriesContext(connection) as queries:
        assert "category-match" in text(browser.get("/p/demo/runs/"))
    assert len(queries) == 8, [query["sql"][:150] for query in queries]


def test_a_finished_run_shows_its_first_evaluator_by_tag(browser: Client, pair: tuple[str, str]) -> None:
    shown = browser.get(f"/p/demo/runs/{pair[0]}/").context["slices"]
    assert sum(int(line["counts"].split(" of ")[1]) for line in shown["rows"]) == 60
    assert sum(int(line["counts"].split(" of ")[0]) for line in shown["rows"]) == 22
    narrowed = browser.get(f"/p/demo/runs/{pair[0]}/?tag={shown['rows'][0]['name']}&show=wrong").context["results"]
    assert narrowed


def test_choosing_recorded_outputs_asks_for_their_column(browser: Client) -> None:
    form = text(browser.get("/p/demo/runs/-/new/?source=recorded&repeats=3"))
    assert 'name="recorded"' in form
    assert 'name="prompt"' not in form
    assert 'value="3"' in form


def test_the_estimate_comes_without_script_too(browser: Client) -> None:
    chosen = {
        "source": "prompt", "prompt": seed.PATH, "dataset": seed.DATASET, "connection": "Demo",
        "evaluators": [seed.EVALUATOR], "repeats": "2", "concurrency": "20",
    }  # fmt: skip
    assert "120 calls" in text(browser.get("/p/demo/runs/-/new/", chosen))


def test_means_are_shown_in_the_unit_of_their_metric_on_every_page(browser: Client, demo: seed.Demo) -> None:
    words = "the cat sat on the mat and it slept"
    rows = [
        ExampleRow(inputs={"q": f"{n}"}, expected=words, tags=["all"], metadata={"one": words[: 12 + n], "two": words})
        for n in range(24)
    ]
    dataset = datasets.create(project=demo.project, slug="cats", by=seed.SYSTEM)
    dataset_examples.add(dataset=dataset, rows=rows, by=seed.SYSTEM)
    names = ["length", "bleu", "exact_match", "wer"]
    evaluators = [{"metric": name, "params": {}} for name in names]
    started = [
        runs.start(
            project=demo.project, by=seed.SYSTEM,
            wanted=run_requests.Wanted(dataset=dataset, evaluators=evaluators, recorded=column),
        )
        for column in ("one", "two")
    ]  # fmt: skip
    finish_runs()
    first, second = (ids.public("run", run.uid) for run in started)
    page = browser.get(f"/p/demo/runs/{second}/")
    lines = {line["name"]: line for line in page.context["summary"]["lines"]}
    assert [lines[name]["value"] for name in names] == ["35.0 characters", "100.0", "100.0 %", "0.0 %"]
    assert [bool(lines[name]["bar"]) for name in names] == [False, True, True, False]
    assert page.context["summary"]["axis"] == {"low": "lowest", "high": "highest"}
    slices = page.context["slices"]
    assert (slices["whole"], slices["axis_high"]) == ("35.0 characters", "50 characters")
    longest_first = browser.get(f"/p/demo/runs/{first}/").context["results"]
    assert longest_first[0]["scores"][0].value == "35 characters"
    listed = browser.get("/p/demo/runs/").context["runs"]
    assert listed[0]["score"]["value"] == "35.0 characters"
    compared = browser.get(f"/p/demo/runs/-/compare/?a={first}&b={second}&by=length").context["comparison"]
    quality = {line["name"]: line for line in compared["quality"]}
    assert quality["length"]["difference"].endswith(" characters")
    assert (quality["bleu"]["after"], quality["exact_match"]["after"]) == ("100.0", "100.0 %")
    assert quality["wer"]["sentence"].startswith("Better by ")
    assert compared["verdict"]["sentence"] == "Worse on length"
    assert compared["regressed"][0]["after"]["tone"] == "neutral"
    pairs = browser.get(f"/p/demo/runs/-/pairs/?run={first}&run={second}&by=length").context["found"]
    assert pairs["lines"][0]["difference"] == quality["length"]["difference"]
    report = b"".join(browser.get(f"/p/demo/runs/{second}/report/?format=markdown").streaming_content).decode()  # type: ignore[attr-defined]
    assert "| length | 35.0 characters |  | 24 |" in report
