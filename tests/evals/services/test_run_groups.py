"""Matrices of runs: what they start, what they may spend together, what they show."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from evals.models import Run, RunGroup
from evals.queries import run_groups as queries
from evals.services import run_estimates, run_groups, run_requests
from evals.services.run_groups import Axes, OnModel
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Notification
from tests.evals.conftest import EXACT, PROMPT, Bench
from tests.evals.services.test_runs import price

pytestmark = pytest.mark.django_db(transaction=True)


def start(bench: Bench, axes: Axes, rows: int = 6, **wanted: Any) -> RunGroup:
    given = {"evaluators": [EXACT], "version": bench.prompt(), "dataset": bench.dataset(rows)} | wanted
    return run_groups.start(project=bench.project, wanted=run_requests.Wanted(**given), axes=axes, by=bench.by)


def test_every_combination_is_a_run_over_the_same_examples(bench: Bench) -> None:
    first = bench.prompt()
    second = bench.prompt(content=PROMPT.replace("{{ text }}", "Say {{ text }}"))
    axes = Axes(
        [first, second, first], [OnModel("model-1"), OnModel("model-2")], [{"temperature": 0}, {"temperature": 1.0}]
    )
    group = start(bench, axes, version=first)
    members = list(group.runs.order_by("id"))
    assert {(run.target_id, run.model, run.parameters["temperature"]) for run in members} == {
        (version.pk, model, temperature)
        for version in (first, second)
        for model in ("model-1", "model-2")
        for temperature in (0, 1.0)
    }
    assert len(members) == 8
    assert len({run.dataset_version_id for run in members}) == 1
    bench.work()
    matrix = queries.matrix_of(group)
    assert matrix.states == {"done": 8}
    assert (matrix.done, matrix.total, bench.fake.calls) == (48, 48, 48)
    # The first version repeats the text and is always right; the second never.
    assert [cell.figures.mean for cell in matrix.cells if cell.figures] == [1.0] * 4 + [0.0] * 4
    assert Notification.objects.filter(project=bench.project, kind="run_finished").count() == 1


def test_a_cap_holds_over_all_runs_together_and_a_higher_one_lets_them_go_on(bench: Bench) -> None:
    price(bench, "1000", "1000")
    axes = Axes(models=[OnModel("model-1")], parameters=[{"seed": seed} for seed in range(4)])
    group = start(bench, axes, rows=30, concurrency=8, max_cost_usd=Decimal("0.9"))
    assert all(run.cap_usd is None for run in group.runs.all())
    bench.work(longest_s=10)
    assert set(group.runs.values_list("state", "reason")) == {("paused", "cap_reached")}
    spent = sum(group.runs.values_list("spent_usd", flat=True))
    assert Decimal("0.3") < spent <= Decimal("0.9")
    assert Notification.objects.filter(project=bench.project, kind="run_paused").count() == 1
    assert run_groups.resume(group=group, by=bench.by, max_cost_usd=Decimal(100)) == 4
    bench.work()
    assert set(group.runs.values_list("state", flat=True)) == {"done"}
    with pytest.raises(Conflict):
        run_groups.resume(group=group, by=bench.by)


def test_cancelling_cancels_all_of_it(bench: Bench) -> None:
    group = start(bench, Axes(parameters=[{"seed": 1}, {"seed": 2}]))
    assert run_groups.cancel(group=group, by=bench.by) == 2
    assert run_groups.cancel(group=group, by=bench.by) == 0
    assert set(group.runs.values_list("state", flat=True)) == {"cancelled"}


def test_the_estimate_is_the_sum_over_the_cells_and_changes_nothing(bench: Bench) -> None:
    price(bench, "10", "20")
    wanted = run_requests.Wanted(evaluators=[EXACT], version=bench.prompt(), dataset=bench.dataset(10))
    one = run_estimates.estimate(project=bench.project, wanted=wanted, by=bench.by)
    axes = Axes(parameters=[{"seed": 1}, {"seed": 2}, {"seed": 3}])
    count, whole = run_groups.estimate(project=bench.project, wanted=wanted, axes=axes, by=bench.by)
    assert (count, whole.calls) == (3, 30)
    assert one.cost_usd is not None
    assert whole.cost_usd == one.cost_usd * 3
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("axes", "field"),
    [
        (Axes(parameters=[{"seed": seed} for seed in range(61)]), "matrix"),
        (Axes(models=[OnModel("model-1"), OnModel("model-1", "No such connection")]), "connection"),
        (Axes(parameters=[{"seed": 1}, {"": 2}]), "parameters"),
    ],
)
def test_one_cell_that_cannot_run_refuses_the_whole(bench: Bench, axes: Axes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        start(bench, axes)
    assert list(refused.value.fields) == [field]
    assert not Run.objects.exists()
    assert not RunGroup.objects.exists()


def test_what_nothing_beats_is_marked_for_cost_and_latency_apart(bench: Bench) -> None:
    price(bench, "1", "2")
    bench.fake.answer = lambda text: text.removeprefix("Say ")
    dear = bench.prompt(content=PROMPT.replace("{{ text }}", "Say {{ text }}"))
    group = start(bench, Axes([dear], [OnModel("model-1"), OnModel("model-2")]), version=dear)
    bench.work()
    cells = {cell.model: cell for cell in queries.matrix_of(group).cells}
    # model-2 has no price here: it can be on no front of cost, however good it is.
    assert (cells["model-1"].best_for_cost, cells["model-2"].best_for_cost) == (True, False)
    assert cells["model-1"].usd_per_1000 == Decimal("0.025000")  # 11 tokens in, 7 out, a thousand times
    assert cells["model-2"].usd_per_1000 is None
    assert cells["model-1"].best_for_latency or cells["model-2"].best_for_latency
