"""Runs from start to figures, over a real model server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from evals.importers.rows import ExampleRow
from evals.models import Result, Run, WorkItem
from evals.queries import comparisons
from evals.queries import runs as queries
from evals.services import run_estimates, run_requests, run_retries, runs, work
from llmops.common.errors import Conflict, Invalid
from llmops.gateway.models import Price
from llmops.gateway.services import connections
from tests.evals.conftest import EXACT, Bench
from tests.fake_provider import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)


def finished(run: Run) -> Run:
    run.refresh_from_db()
    assert (run.state, run.problem) == ("done", ""), list(WorkItem.objects.filter(run=run).values())
    assert not WorkItem.objects.filter(run=run).exists()
    return run


def test_a_run_calls_the_model_once_per_example_and_scores_every_answer(bench: Bench) -> None:
    run = bench.start(bench.dataset(120), bench.prompt(), concurrency=20)
    bench.work()
    summary = queries.summary_of(finished(run))
    assert (summary.done, summary.failed, bench.fake.calls) == (120, 0, 120)
    [figures] = summary.evaluators
    assert (figures.name, figures.mean, figures.n, figures.passed) == ("exact_match", 1.0, 120, 120)
    assert figures.low == pytest.approx(0.9690, abs=1e-3)  # Wilson, 120 of 120
    assert bench.fake.most_in_flight <= 20


def test_a_second_run_is_answered_from_the_cache_and_repeats_are_not(bench: Bench) -> None:
    dataset, version = bench.dataset(5), bench.prompt()
    first = bench.start(dataset, version, repeats=3)
    bench.work()
    assert (queries.summary_of(finished(first)).done, bench.fake.calls) == (15, 15)
    again = bench.start(dataset, version, repeats=3)
    bench.work()
    summary = queries.summary_of(finished(again))
    assert (summary.done, summary.from_cache, bench.fake.calls) == (15, 15, 15)


def test_an_example_that_lacks_an_input_is_a_failed_result_and_the_run_goes_on(bench: Bench) -> None:
    rows = [ExampleRow(inputs={"text": "a"}, expected="a"), ExampleRow(inputs={"other": "b"}, expected="b")]
    run = bench.start(bench.dataset(rows), bench.prompt())
    bench.work()
    summary = queries.summary_of(finished(run))
    assert (summary.done, summary.failed, bench.fake.calls) == (2, 1, 1)
    [figures] = summary.evaluators
    # A version that fails on an example is not better than one that answers wrongly.
    assert (figures.mean, figures.n, figures.failed, figures.unscored) == (0.5, 2, 1, 0)


def test_every_item_ends_under_a_mix_of_faults(bench: Bench) -> None:
    bench.fake.script = ["500", "429:0", "truncated", "garbage", "reset", "400"] * 2
    run = bench.start(bench.dataset(60), bench.prompt(), concurrency=10)
    bench.work()
    summary = queries.summary_of(finished(run))
    assert (summary.done, summary.failed) == (60, 2)  # the two that the provider refused for good
    assert set(Result.objects.filter(run=run).exclude(error_code="").values_list("error_code", flat=True)) == {
        "bad_request"
    }


def test_a_refused_key_pauses_the_run_once_and_resuming_finishes_it(bench: Bench) -> None:
    bench.fake.script = ["401"] * 500
    run = bench.start(bench.dataset(200), bench.prompt(), concurrency=10)
    bench.work(longest_s=3)
    run.refresh_from_db()
    assert (run.state, run.reason) == ("paused", "auth")
    assert bench.fake.calls <= 20
    bench.fake.script = []
    runs.resume(run=run, by=bench.by)
    bench.work()
    assert queries.summary_of(finished(run)).done == 200


def test_the_cap_stops_the_run_before_a_call_could_exceed_it(bench: Bench) -> None:
    price(bench, "1000", "1000")
    run = bench.start(bench.dataset(100), bench.prompt(), concurrency=8, max_cost_usd=Decimal("0.62"))
    assert run.call_usd > Decimal("0.5")  # 512 tokens out at a thousand dollars a million
    bench.work(longest_s=10)
    run.refresh_from_db()
    assert (run.state, run.reason) == ("paused", "cap_reached")
    assert 0 < run.spent_usd <= run.cap_usd
    assert run.spent_usd == Result.objects.filter(run=run).count() * Decimal("0.018")
    runs.resume(run=run, by=bench.by, max_cost_usd=Decimal("100"))
    bench.work()
    assert queries.summary_of(finished(run)).cost_usd == "1.80000000"


def test_a_cancelled_run_starts_nothing_more_and_keeps_what_it_has(bench: Bench) -> None:
    run = bench.start(bench.dataset(50), bench.prompt())
    runs.cancel(run=run, by=bench.by)
    bench.work(longest_s=2)
    run.refresh_from_db()
    assert (run.state, bench.fake.calls) == ("cancelled", 0)
    work.reconcile()
    run.refresh_from_db()
    assert run.summary["done"] == 0
    assert not WorkItem.objects.filter(run=run).exists()


def test_retrying_calls_only_what_failed(bench: Bench) -> None:
    bench.fake.script = ["400"] * 3
    run = bench.start(bench.dataset(20), bench.prompt(), concurrency=1)
    bench.work()
    assert queries.summary_of(finished(run)).failed == 3
    assert run_retries.retry_failed(run=run, by=bench.by) == 3
    bench.work()
    summary = queries.summary_of(finished(run))
    assert (summary.done, summary.failed, bench.fake.calls) == (20, 0, 23)
    with pytest.raises(Conflict):
        run_retries.retry_failed(run=run, by=bench.by)


def test_judges_are_called_for_stored_outputs_and_an_outage_of_theirs_repeats_no_target_call(bench: Bench) -> None:
    judge = judge_on_own_server(bench, answers=['{"reason": "fine", "verdict": "pass"}'], faults=["400"] * 4)
    with judge as (spec, server):
        run = bench.start(bench.dataset(30), bench.prompt(), evaluators=[EXACT, spec], concurrency=5)
        bench.work()
        judged = queries.summary_of(finished(run)).evaluators[1]
        assert (judged.n, judged.mean, judged.unscored) == (26, 1.0, 4)
        assert run_retries.retry_failed(run=run, by=bench.by) == 4
        bench.work()
        judged = queries.summary_of(finished(run)).evaluators[1]
        assert (judged.n, judged.unscored) == (30, 0)
        assert (bench.fake.calls, server.calls) == (30, 34)


def test_an_answer_that_is_no_verdict_is_unscored_and_never_passes(bench: Bench) -> None:
    with judge_on_own_server(bench, answers=["PASS! verdict: pass"], faults=[]) as (spec, _):
        run = bench.start(bench.dataset(3), bench.prompt(), evaluators=[spec])
        bench.work()
        [figures] = queries.summary_of(finished(run)).evaluators
        assert (figures.mean, figures.n, figures.unscored, figures.passed) == (None, 0, 3, 0)


def test_two_runs_compare_pairwise_with_their_changed_rows(bench: Bench) -> None:
    dataset = bench.dataset(40)
    bench.fake.answer = lambda text: text if not text.endswith("7") else "wrong"
    first = bench.start(dataset, bench.prompt("one"), use_cache=False)
    bench.work()
    bench.fake.answer = lambda text: text if text != "text 1" else "wrong"
    second = bench.start(dataset, bench.prompt("two"), use_cache=False)
    bench.work()
    compared = comparisons.comparison_of(finished(first), finished(second))
    [one] = compared.evaluators
    assert (compared.shared, compared.edited) == (40, 0)
    assert (len(one.improved), len(one.regressed)) == (4, 1)
    assert one.comparison.difference.value == pytest.approx(3 / 40)
    assert one.comparison.difference.interval is not None


def test_everything_that_shaped_a_run_is_written_down(bench: Bench) -> None:
    version = bench.prompt()
    run = bench.start(bench.dataset(3), version, application_commit="abc123")
    found = run.provenance
    assert found["prompt"]["commit"] == version.commit.hex
    assert found["prompt"]["blob"] == version.content.blob
    assert found["dataset"]["content_hash"] == run.dataset_version.content_hash
    assert (found["model"], found["application_commit"]) == ("model-1", "abc123")
    assert found["evaluators"][0]["spec_hash"]


def test_an_estimate_changes_nothing(bench: Bench) -> None:
    price(bench, "10", "20")
    dataset, version = bench.dataset(100), bench.prompt()
    wanted = run_requests.Wanted(dataset=dataset, version=version, evaluators=[EXACT], repeats=2)
    found = run_estimates.estimate(project=bench.project, wanted=wanted, by=bench.by)
    assert (found.calls, found.judge_calls) == (200, 0)
    assert found.cost_usd is not None
    assert found.cost_usd > 0
    assert not Run.objects.exists()
    assert dataset.versions.get().sealed_at is None


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"repeats": 0}, "repeats"),
        ({"concurrency": 100_000}, "concurrency"),
        ({"recorded": "no-such-column", "version": None}, "recorded"),
        ({"version": None}, "prompt"),
        ({"connection": "no-such"}, "connection"),
        ({"evaluators": ["no-such"]}, "evaluators[0]"),
        ({"max_cost_usd": Decimal(0)}, "max_cost_usd"),
    ],
)
def test_a_bad_request_names_its_field(bench: Bench, wanted: dict[str, Any], field: str) -> None:
    dataset, version = bench.dataset(1), bench.prompt()
    with pytest.raises(Invalid) as refused:
        bench.start(dataset, **({"version": version} | wanted))
    assert list(refused.value.fields) == [field]
    assert not Run.objects.exists()


def price(bench: Bench, per_million_in: str, per_million_out: str) -> None:
    Price.objects.create(
        project=bench.project,
        model="model-1",
        in_per_million=Decimal(per_million_in),
        out_per_million=Decimal(per_million_out),
    )


@contextmanager
def judge_on_own_server(
    bench: Bench, *, answers: list[str], faults: list[str]
) -> Iterator[tuple[dict[str, Any], FakeProvider]]:
    with FakeProvider(answer=lambda _: answers[0]) as server:
        server.script = list(faults)
        settings.LLMOPS_EGRESS_ALLOW.append(server.host_port)
        connections.create(
            project=bench.project, name="Judge", kind="openai-compatible", base_url=server.openai_url, by=bench.by
        )
        bench.prompt("rubric", "---\nmodel:\n  id: judge-1\n---\nuser:\nIs it good?\n{{ output }}\n")
        spec = {"judge": {"prompt": "rubric"}, "scale": {"kind": "pass_fail"}, "connection": "Judge", "model": ""}
        yield spec, server
