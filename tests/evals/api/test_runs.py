"""The API of runs, as a client sees it."""

from __future__ import annotations

from typing import Any

import pytest

from evals.models import Run
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def started(api: Any, bench: Bench) -> dict[str, Any]:
    bench.prompt()
    bench.dataset(7)
    body = {"prompt": "repeat", "dataset": "texts", "evaluators": [EXACT], "concurrency": 3}
    answer = api.send("POST", "/runs", body)
    assert answer.status_code == 202, answer.content
    return dict(answer.json())


def test_a_run_is_started_watched_and_read(api: Any, bench: Bench, started: dict[str, Any]) -> None:
    assert started["status"] == "pending"
    assert started["url"].endswith(f"/api/v1/runs/{started['id']}")
    bench.work()
    run = api.send("GET", f"/runs/{started['id']}").json()
    assert (run["status"], run["done"], run["total"], run["failed"]) == ("done", 7, 7, 0)
    assert run["scores"]["exact_match"]["mean"] == 1.0
    assert run["scores"]["exact_match"]["low"] < 1.0
    assert (run["prompt"], run["version"], len(run["commit"])) == ("repeat", 1, 40)
    assert run["cost_usd"] is None  # nobody has said what this model costs
    page = api.send("GET", f"/runs/{started['id']}/results?limit=5").json()
    assert len(page["results"]) == 5
    assert page["results"][0]["scores"]["exact_match"]["passed"] is True
    rest = api.get(page["next"]).json()["results"]
    assert len({row["id"] for row in page["results"] + rest}) == 7


def test_results_come_worst_first_for_an_evaluator(api: Any, bench: Bench, started: dict[str, Any]) -> None:
    bench.fake.answer = lambda text: "wrong" if text in ("text 3", "text 5") else text
    bench.work()
    rows = api.send("GET", f"/runs/{started['id']}/results?evaluator=exact_match").json()["results"]
    assert [row["scores"]["exact_match"]["value"] for row in rows] == [0, 0, 1, 1, 1, 1, 1]
    wrong = api.send("GET", f"/runs/{started['id']}/results?evaluator=nothing")
    assert wrong.json()["error"]["fields"] == {"evaluator": "one of exact_match"}


def test_a_run_is_cancelled(api: Any, started: dict[str, Any]) -> None:
    assert api.send("POST", f"/runs/{started['id']}/cancel").json()["status"] == "cancelled"
    [listed] = api.send("GET", "/runs").json()["results"]
    assert (listed["id"], listed["status"]) == (started["id"], "cancelled")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dataset": "nothing"}, "dataset"),
        ({"dataset_version": 9}, "dataset_version"),
        ({"prompt": "nothing"}, "prompt"),
        ({"version": 9}, "version"),
        ({"label": "nothing"}, "label"),
        ({"evaluators": []}, "evaluators"),
        ({"evaluators": [{"metric": "nothing"}]}, "evaluators[0].metric"),
        ({"repeats": 0}, "repeats"),
        ({"concurrency": 10_000}, "concurrency"),
        ({"max_cost_usd": "NaN"}, "max_cost_usd"),
        ({"max_cost_usd": -1}, "max_cost_usd"),
        ({"connection": "nothing"}, "connection"),
        ({"recorded": "nothing", "prompt": ""}, "recorded"),
        ({"prompt": "x\u0000"}, "prompt"),
    ],
)
def test_what_is_not_acceptable_is_named(api: Any, bench: Bench, change: dict[str, Any], field: str) -> None:
    bench.prompt()
    bench.dataset(1)
    body = {"prompt": "repeat", "dataset": "texts", "evaluators": [EXACT]} | change
    answer = api.send("POST", "/runs", body)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not Run.objects.exists()


def test_another_project_sees_nothing(
    started: dict[str, Any], other_project: Project, by: Actor, api_with: type[Any]
) -> None:
    theirs = api_with(api_keys.issue(project=other_project, kind="secret", name="x", by=by).text)
    for path in ("", "/results"):
        assert theirs.send("GET", f"/runs/{started['id']}{path}").status_code == 404
    assert theirs.send("POST", f"/runs/{started['id']}/cancel").status_code == 404
    assert theirs.send("GET", "/runs").json()["results"] == []


def two_runs(bench: Bench, size: int = 40) -> tuple[str, str]:
    dataset = bench.dataset(size)
    bench.fake.answer = lambda text: text if text not in {"text 1", "text 2", "text 3", "text 4", "text 5"} else "wrong"
    first = bench.start(dataset, bench.prompt(), use_cache=False)
    bench.work()
    bench.fake.answer = lambda text: text if text != "text 9" else "wrong"
    second = bench.start(dataset, bench.prompt("other"), use_cache=False)
    bench.work()
    return ids.public("run", first.uid), ids.public("run", second.uid)


def test_two_runs_are_compared_in_words_and_numbers(api: Any, bench: Bench) -> None:
    a, b = two_runs(bench)
    found = api.send("GET", f"/runs/compare?a={a}&b={b}").json()
    assert (found["a"], found["b"], found["paired"], found["margin"]) == (a, b, True, None)
    assert found["examples"] == {"a": 40, "b": 40, "shared": 40, "edited": 0}
    [one] = found["evaluators"]
    assert (one["wins"], one["losses"], one["ties"]) == (5, 1, 34)
    assert one["word"] == "not known yet"
    assert one["examples_needed"] > 100
    assert one["difference"]["value"] == pytest.approx(0.1)
    assert one["difference"]["interval"]["method"] == "Tango"
    assert [test["method"] for test in one["tests"]] == ["McNemar, mid", "McNemar, exact"]
    assert one["p"] == one["p_adjusted"] == pytest.approx(0.125)
    assert [interval["method"] for interval in one["other_intervals"]] == ["Newcombe, paired", "Agresti–Min"]
    changes = {change["name"]: (change["a"], change["b"]) for change in found["changes"]}
    assert changes["prompt"] == ("repeat", "other")
    assert "dataset hash" not in changes
    wide = api.send("GET", f"/runs/compare?a={a}&b={b}&margin=20").json()["evaluators"][0]
    assert (wide["word"], wide["sentence"]) == ("no worse", "no worse than 20 points below")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 400, "a"),
        ("a={a}", 400, "b"),
        ("a={a}&b={a}", 400, "b"),
        ("a={a}&b=run_00000000000000000000000000000000", 404, None),
        ("a={a}&b=nonsense", 404, None),
        ("a={a}&b={b}&margin=0", 400, "margin"),
        ("a={a}&b={b}&margin=nan", 400, "margin"),
        ("a={a}&b={b}&margin=1e999", 400, "margin"),
        ("a={a}&b={b}&margin=much", 400, "margin"),
    ],
)
def test_a_comparison_that_cannot_be_made_names_the_field(
    api: Any, bench: Bench, query: str, status: int, field: str | None
) -> None:
    a, b = two_runs(bench, 6)
    answer = api.send("GET", f"/runs/compare?{query.format(a=a, b=b)}")
    assert answer.status_code == status, answer.content
    if field:
        assert field in answer.json()["error"]["fields"]


def test_another_project_cannot_compare_runs(
    bench: Bench, other_project: Project, by: Actor, api_with: type[Any]
) -> None:
    a, b = two_runs(bench, 6)
    theirs = api_with(api_keys.issue(project=other_project, kind="secret", name="x", by=by).text)
    assert theirs.send("GET", f"/runs/compare?a={a}&b={b}").status_code == 404
