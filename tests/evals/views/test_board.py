"""The board of versions that a pairwise judge compared: page and API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Dataset, EvaluatorVersion, Example, Result, Run, Score
from evals.services import dataset_examples, datasets, evaluators, judge_templates, run_requests, runs
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.gateway.services import connections
from llmops.projects.models import Project
from prompts.models import Version
from prompts.services import versions

pytestmark = pytest.mark.django_db

PROMPT = "---\nname: Answer\nmodel:\n  id: demo-small\ninputs:\n  text: {type: string}\n---\nuser:\n{{ text }}\n"
# Wins, ties and losses of the first of two versions: the known answer of Bradley and Terry's model with ties.
TALLIES = {(1, 2): (18, 8, 9), (1, 3): (25, 6, 4), (2, 3): (16, 9, 10)}
BOARD = "/p/garden/runs/-/board/"


def dataset_of(project: Project, by: Actor, size: int, slug: str) -> Dataset:
    dataset = datasets.create(project=project, slug=slug, by=by)
    dataset_examples.add(dataset=dataset, rows=[ExampleRow(inputs={"text": f"{slug} {n}"}) for n in range(size)], by=by)
    return dataset


def version_of(project: Project, by: Actor, number: int) -> Version:
    return versions.save(
        project=project, path="answer", content=PROMPT + f"Take {number}.\n", message="", by=by, now=timezone.now()
    ).version


def finished(project: Project, by: Actor, dataset: Dataset, version: Version, *evaluators_: Any) -> Run:
    wanted = run_requests.Wanted(
        dataset=dataset, version=version, evaluators=list(evaluators_) or [{"metric": "exact_match"}]
    )
    run = runs.start(project=project, wanted=wanted, by=by)
    Run.objects.filter(pk=run.pk).update(state="done", is_planned=True)
    return run


def verdicts(run: Run, version: EvaluatorVersion, dataset: Dataset, tally: tuple[int, int, int]) -> None:
    values = [value for value, count in zip((1.0, 0.5, 0.0), tally, strict=True) for _ in range(count)]
    for example, value in zip(Example.objects.filter(dataset=dataset).order_by("id"), values, strict=False):
        result = Result.objects.create(
            project_id=run.project_id, run=run, example=example, example_key=example.key, output="x"
        )
        Score.objects.create(
            project_id=run.project_id, run=run, result=result, evaluator_version=version, state="scored", value=value,
            reason="So.", model_asked="demo-small", model_answered="demo-small",
        )  # fmt: skip


@pytest.fixture
def compared(project: Project, by: Actor) -> Dataset:
    """Three versions, each pair compared on 35 examples, by one judge with two baselines."""
    connections.ensure_demo(project=project)
    dataset = dataset_of(project, by, 35, "texts")
    made = {number: version_of(project, by, number) for number in (1, 2, 3)}
    bases = {number: finished(project, by, dataset, made[number]) for number in (2, 3)}
    judge = judge_templates.create(
        project=project, template="pairwise", slug="better", by=by, now=timezone.now(),
        settings={"model": "demo-small", "baseline": {"run": ids.public("run", bases[2].uid)}},
    )  # fmt: skip
    spec = {name: judge.spec[name] for name in ("scale", "connection", "model")}
    spec |= {"judge": {"prompt": "judges/pairwise", "version": 1}}
    other = {**spec, "baseline": {"run": ids.public("run", bases[3].uid)}}
    against = {2: judge, 3: evaluators.ensure(project=project, spec=other, by=by)}
    for (first, second), tally in TALLIES.items():
        run = finished(project, by, dataset, made[first], "better" if second == 2 else other)
        verdicts(run, against[second], dataset, tally)
    return dataset


def test_an_empty_board_says_how_to_fill_it(page: Client) -> None:
    body = page.get(BOARD).content.decode()
    assert "No comparisons yet" in body
    assert "metric=template.pairwise" in body
    assert "/api/v1/runs/board" in body


def test_versions_stand_in_the_order_of_their_strengths_whatever_their_baselines(compared: Dataset, api: Any) -> None:
    found = api.send("GET", "/runs/board").json()
    [board] = found["boards"]
    assert [one["version"] for one in board] == [1, 2, 3]
    assert [one["strength"] for one in board] == pytest.approx([0.827467, -0.083281, -0.744185], abs=2e-6)
    assert found["tie"] == pytest.approx(0.646822, abs=2e-6)
    assert [(one["wins"], one["ties"], one["losses"], one["n"]) for one in board] == [
        (43, 14, 13, 70), (25, 17, 28, 70), (14, 15, 41, 70),
    ]  # fmt: skip
    assert (found["n"], found["examples"], found["runs"], found["left_out"]) == (105, 35, 3, 0)
    for one in board:
        assert one["strength_interval"]["low"] < one["strength"] < one["strength_interval"]["high"]
    # The most frequent baseline is what shares are against; another one may be asked for.
    assert found["against"] == board[2]["key"]
    other = api.send("GET", f"/runs/board?judge=better&dataset=texts&against={board[1]['key']}").json()
    assert other["boards"][0][0]["share"] == pytest.approx(0.551741 + 0.226336 / 2, abs=2e-6)
    assert other["boards"][0][0]["share_interval"]["low"] > 0.5
    assert board[2]["key"] in other["boards"][0][0]["clearly_beats"]
    assert api.send("GET", "/runs/board").json() == found


def test_the_page_shows_ranks_shares_and_counts_and_is_linked(compared: Dataset, page: Client) -> None:
    body = page.get(BOARD, {"judge": "better"}).content.decode()
    for words in ("answer v1 on demo-small", "43, 14, 13", "against answer v2 on demo-small", "judges/pairwise v1"):
        assert words in body
    assert "/p/garden/runs/-/board/" in page.get("/p/garden/runs/").content.decode()
    assert "/p/garden/runs/-/board/?judge=better" in page.get("/p/garden/evaluators/better/").content.decode()
    run = Run.objects.latest("id")
    assert (
        "/p/garden/runs/-/board/?judge=" in page.get(f"/p/garden/runs/{ids.public('run', run.uid)}/").content.decode()
    )


def test_versions_that_never_met_stand_on_boards_of_their_own(
    compared: Dataset, project: Project, by: Actor, api: Any, page: Client
) -> None:
    alone = dataset_of(project, by, 10, "columns")
    judge = evaluators.ensure(
        project=project, by=by,
        spec={
            "judge": {"prompt": "judges/pairwise", "version": 1}, "scale": {"kind": "pairwise"},
            "model": "demo-small", "baseline": {"column": "expected"},
        },
    )  # fmt: skip
    run = finished(
        project, by, alone, version_of(project, by, 4), judge.spec | {"judge": {"prompt": "judges/pairwise"}}
    )
    verdicts(run, judge, alone, (10, 0, 0))
    found = api.send("GET", "/runs/board").json()
    assert [len(board) for board in found["boards"]] == [2, 3]
    assert found["boards"][0][0]["version"] == 4
    assert found["boards"][0][1]["title"] == "column “expected” of columns"
    assert found["pulled_towards_the_middle"]
    body = page.get(BOARD).content.decode()
    assert "2 boards that do not compare" in body
    assert "Pulled towards the middle" in body
    assert [len(board) for board in api.send("GET", "/runs/board?dataset=texts").json()["boards"]] == [3]


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ("judge=nothing", 404, None), ("judge=exact", 400, "judge"), ("dataset=other", 400, "dataset"),
        ("against=0123", 400, "against"), (f"against={'x' * 61}", 400, "against"),
    ],
)  # fmt: skip
def test_a_board_that_is_not_there_is_refused_by_name(
    compared: Dataset, project: Project, by: Actor, api: Any, page: Client, asked: str, status: int, field: str | None
) -> None:
    evaluators.create(project=project, slug="exact", spec={"metric": "contains", "params": {"value": "a"}}, by=by)
    answer = api.send("GET", f"/runs/board?{asked}")
    assert answer.status_code == status, answer.content
    if field:
        assert field in answer.json()["error"]["fields"]
        shown = page.get(f"{BOARD}?{asked}")
        assert shown.status_code == 400
        assert "This board cannot be shown" in shown.content.decode()


@pytest.mark.parametrize("more", [0, 4])
def test_the_board_costs_the_same_queries_however_many_runs(
    compared: Dataset, project: Project, by: Actor, page: Client, more: int, django_assert_num_queries: Any
) -> None:
    version, judge = version_of(project, by, 9), EvaluatorVersion.objects.get(evaluator__slug="better")
    for _ in range(more):
        verdicts(finished(project, by, compared, version, "better"), judge, compared, (2, 1, 2))
    page.get(BOARD)
    with django_assert_num_queries(7):
        assert page.get(BOARD).status_code == 200
