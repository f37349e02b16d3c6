"""Metrics inside runs: those that look at the call, and those whose values have no end."""

from __future__ import annotations

import pytest

from evals.importers.rows import ExampleRow
from evals.models import Run, Score
from evals.queries import comparisons
from evals.queries import runs as queries
from tests.evals.conftest import PROMPT, Bench

pytestmark = pytest.mark.django_db(transaction=True)
LATENCY = {"metric": "latency", "params": {"at_most": 60_000}}
STOP = {"metric": "finish_reason", "params": {"reasons": ["stop"]}}
LENGTH = {"metric": "length", "params": {}}
BOTH = {
    "metric": "combination",
    "params": {"parts": {"right": {"metric": "exact_match"}, "quick": LATENCY}, "expression": "right and quick"},
}


def test_metrics_see_the_call_and_values_without_an_end_have_a_mean_and_an_interval(bench: Bench) -> None:
    run = bench.start(bench.dataset(12), bench.prompt(), evaluators=[LATENCY, STOP, LENGTH, BOTH])
    bench.work()
    run = Run.objects.get(pk=run.pk)
    assert run.state == Run.State.DONE, run.problem
    figures = {one.name: one for one in queries.summary_of(run).evaluators}
    assert {name: one.n for name, one in figures.items()} == dict.fromkeys(figures, 12)
    assert figures["latency"].passed == 12
    assert figures["finish_reason"].mean == 1.0
    assert figures["length"].mean == pytest.approx((10 * 6 + 2 * 7) / 12)
    assert figures["length"].low is not None
    assert figures["length"].low <= figures["length"].mean <= (figures["length"].high or 0)
    assert figures["combination"].passed == 12
    assert not Score.objects.filter(run=run).exclude(state=Score.State.SCORED).exists()


def test_failures_have_no_worst_length_but_are_counted(bench: Bench) -> None:
    rows = [ExampleRow(inputs={"text": "abc"}), ExampleRow(inputs={"other": "b"})]
    run = bench.start(bench.dataset(rows), bench.prompt(), evaluators=[LENGTH])
    bench.work()
    run = Run.objects.get(pk=run.pk)
    [figures] = queries.summary_of(run).evaluators
    assert (figures.mean, figures.n, figures.failed) == (3.0, 1, 1)
    [compared] = comparisons.comparison_of(run, run).evaluators
    assert compared.comparison.difference.value == 0.0


def test_lengths_are_compared_in_characters_by_the_bootstrap(bench: Bench) -> None:
    dataset = bench.dataset(12)
    shout = PROMPT.replace("{{ text }}", "{{ text }} " + "and more " * 4)
    first = bench.start(dataset, bench.prompt(), evaluators=[LENGTH])
    second = bench.start(dataset, bench.prompt("shout", shout), evaluators=[LENGTH])
    bench.work()
    runs = [Run.objects.get(pk=run.pk) for run in (first, second)]
    [compared] = comparisons.comparison_of(*runs).evaluators
    difference = compared.comparison.difference
    assert (compared.scale.is_bounded, difference.n) == (False, 12)
    longer = (compared.candidate_mean or 0) - (compared.baseline_mean or 0)
    assert longer > 20
    assert difference.value == pytest.approx(-longer)  # shorter is better
    assert "point" not in compared.verdict.sentence
