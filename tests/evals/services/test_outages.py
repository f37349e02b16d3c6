"""A provider that goes away in the middle of a run, and comes back: the target's, and a judge's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from evals.models import Result, Run, Score
from evals.queries import runs as queries
from evals.services import outcomes, run_retries, runs
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.errors import Conflict
from tests.evals.conftest import EXACT, Bench
from tests.evals.services.test_runs import finished, judge_on_own_server

pytestmark = pytest.mark.django_db(transaction=True)

PASS = '{"reason": "fine", "verdict": "pass"}'


def until_done(bench: Bench, run: Run) -> None:
    """Slices that find nothing due end; the reconciler starts the next one."""
    deadline = time.monotonic() + 60
    while not Run.objects.filter(pk=run.pk, state="done").exists():
        assert time.monotonic() < deadline
        bench.work()
        time.sleep(0.1)


def test_an_outage_opens_the_circuit_and_the_run_goes_on_by_itself_afterwards(bench: Bench) -> None:
    bench.fake.script = ["500"] * 10_000
    run = bench.start(bench.dataset(200), bench.prompt(), concurrency=20)
    bench.work(longest_s=8)
    # 20 calls were in flight, and all of them together had 20 quick retries and a tenth;
    # after that only probes, with pauses of 2, 4 and 8 seconds between them.
    assert bench.fake.calls <= 50
    assert not Result.objects.filter(run=run).exists()
    bench.fake.script = []
    calls = bench.fake.calls
    until_done(bench, run)
    summary = queries.summary_of(finished(run))
    assert (summary.done, summary.failed, bench.fake.calls - calls) == (200, 0, 200)


def test_an_outage_of_one_provider_does_not_hold_up_a_run_on_another(bench: Bench) -> None:
    with judge_on_own_server(bench, answers=[PASS], faults=["500"] * 10_000) as (spec, server):
        judged = bench.start(bench.dataset(20), bench.prompt(), evaluators=[EXACT, spec])
        bench.work(longest_s=4)
        assert Result.objects.filter(run=judged, error_code="").count() == 20  # the target's are all in
        assert not Score.objects.filter(run=judged).exclude(state="scored").exists()
        assert server.calls < 80
        server.script = []
        until_done(bench, judged)
        figures = queries.summary_of(finished(judged)).evaluators[1]
        assert (figures.n, figures.unscored, bench.fake.calls) == (20, 0, 20)


@pytest.fixture
def unjudged(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run whose judge stayed away for longer than the run waited, and that judge's server, which is back."""
    monkeypatch.setattr(outcomes, "MOST_DEFERRALS", 0)
    with judge_on_own_server(bench, answers=[PASS], faults=["500"] * 10_000) as (spec, server):
        run = bench.start(bench.dataset(4), bench.prompt(), evaluators=[EXACT, spec])
        bench.work(longest_s=60)
        finished(run)
        server.script = []
        yield run, server


def test_outputs_that_were_not_judged_are_judged_later_without_calling_the_target(bench: Bench, unjudged: Any) -> None:
    run, server = unjudged
    errors = Score.objects.filter(run=run, state="error")
    assert errors.count() == 4
    assert all(score.reason.startswith("not judged: ") for score in errors)
    before = queries.summary_of(run).evaluators
    assert (before[0].n, before[1].n, before[1].unscored) == (4, 0, 4)
    kept = set(Score.objects.filter(run=run, state="scored").values_list("pk", flat=True))
    assert run_retries.judge_again(run=run, by=bench.by) == 4
    calls = server.calls
    bench.work()
    after = queries.summary_of(finished(run)).evaluators
    assert (after[1].n, after[1].mean, after[1].unscored) == (4, 1.0, 0)
    assert (bench.fake.calls, server.calls - calls) == (4, 4)
    assert kept <= set(Score.objects.filter(run=run).values_list("pk", flat=True))
    with pytest.raises(Conflict):
        run_retries.judge_again(run=run, by=bench.by)


def test_an_answer_that_was_no_verdict_is_asked_for_again_and_not_taken_from_the_cache(bench: Bench) -> None:
    with judge_on_own_server(bench, answers=["PASS!"], faults=[]) as (spec, server):
        run = bench.start(bench.dataset(3), bench.prompt(), evaluators=[spec])
        bench.work()
        assert queries.summary_of(finished(run)).evaluators[0].unscored == 3
        server.answer = lambda _: PASS
        assert run_retries.judge_again(run=run, by=bench.by) == 3
        bench.work()
        [figures] = queries.summary_of(finished(run)).evaluators
        assert (figures.n, figures.passed, server.calls) == (3, 3, 6)


def test_a_cancelled_run_gets_verdicts_for_what_it_has(bench: Bench) -> None:
    with judge_on_own_server(bench, answers=[PASS], faults=["500"] * 10_000) as (spec, server):
        run = bench.start(bench.dataset(5), bench.prompt(), evaluators=[spec])
        bench.work(longest_s=3)
        runs.cancel(run=run, by=bench.by)
        server.script = []
        assert run_retries.judge_again(run=run, by=bench.by) == 5
        bench.work()
        assert queries.summary_of(finished(run)).evaluators[0].n == 5


def test_the_page_and_the_api_offer_it(page: Client, api: Any, bench: Bench, unjudged: Any) -> None:
    run, _ = unjudged
    uid = ids.public("run", run.uid)
    assert "Judge 4 again" in page.get(f"/p/garden/runs/{uid}/").content.decode()
    judge = run.evaluators.get(evaluator_version__judge__isnull=False).evaluator_version_id
    listed = page.get(f"/p/garden/runs/{uid}/?show=unscored&by={judge}").context["results"]
    assert [mark.word for row in listed for mark in row["scores"]] == ["right", "not judged"] * 4
    assert page.post(f"/p/garden/runs/{uid}/judge-again/").status_code == 302
    bench.work()
    assert "again</button>" not in page.get(f"/p/garden/runs/{uid}/").content.decode()
    refused = api.send("POST", f"/runs/{uid}/judge-again")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing_unjudged")


def test_the_api_has_outputs_judged_again(api: Any, unjudged: Any) -> None:
    run, _ = unjudged
    answer = api.send("POST", f"/runs/{ids.public('run', run.uid)}/judge-again")
    assert (answer.status_code, answer.json()["judging"], answer.json()["status"]) == (202, 4, "running")
    again = api.send("POST", f"/runs/{ids.public('run', run.uid)}/judge-again")
    assert again.json()["error"]["code"] == "not_finished"


def test_a_viewer_may_not_have_outputs_judged_again(
    unjudged: Any, member: Callable[[str], User], client_of: Any
) -> None:
    run, _ = unjudged
    viewer = client_of(member("viewer"))
    assert viewer.post(f"/p/garden/runs/{ids.public('run', run.uid)}/judge-again/").status_code == 403
    assert Run.objects.get().state == "done"
