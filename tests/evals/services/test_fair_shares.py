"""A small run of one project beside large runs of another, and priorities within a project."""

from __future__ import annotations

from typing import Any

import pytest

from evals.engine import Finished
from evals.models import Result, Run
from evals.services import calling, leases
from evals.services.desk import RunsDesk
from evals.services.run_requests import PRIORITIES
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.gateway.services import connections
from llmops.gateway.types import Completion
from llmops.projects.models import Project
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rival(other_project: Project, by: Actor, bench: Bench) -> Bench:
    """The same things in another project, on a connection of its own."""
    connection = connections.create(
        project=other_project, name="Local", kind="openai-compatible", base_url=bench.fake.openai_url,
        key="sk-local-test-key", by=by, is_default=True,
    )  # fmt: skip
    return Bench(other_project, by, connection, bench.fake)


def of(tickets: Any, run: Run) -> int:
    return sum(ticket.lane == run.pk for ticket in tickets)


def test_a_small_run_gets_the_next_room_although_another_project_holds_all_of_it(bench: Bench, rival: Bench) -> None:
    dataset, version = bench.dataset(400), bench.prompt()
    wanted = {"concurrency": 200, "priority": PRIORITIES["high"], "use_cache": False}
    large = [bench.start(dataset, version, **wanted) for _ in range(3)]
    mine = RunsDesk(calling.Switchboard())
    mine.beat([])
    tickets = list(mine.claim({}).tickets)
    assert len(tickets) == leases.MOST_IN_FLIGHT
    small = rival.start(rival.dataset(10), rival.prompt(), priority=PRIORITIES["low"])
    done, tickets = tickets[:12], tickets[12:]
    answer = calling.Answered(Completion("x", "model-1"))
    mine.store([Finished(ticket, answer) for ticket in done])
    holding = {run.pk: of(tickets, run) for run in large}
    claimed = mine.claim(holding).tickets
    assert (of(claimed, small), len(claimed)) == (10, 12)
    mine.close()


def test_a_small_run_ends_long_before_a_large_one_that_was_first(bench: Bench, rival: Bench) -> None:
    bench.fake.latency_s = lambda: 0.01
    large = bench.start(bench.dataset(600), bench.prompt(), concurrency=20)
    small = rival.start(rival.dataset(10), rival.prompt(), concurrency=20)
    bench.work()
    large.refresh_from_db()
    small.refresh_from_db()
    assert (large.state, small.state) == ("done", "done")
    assert small.finished_at is not None
    before = Result.objects.filter(run=large, created_at__lte=small.finished_at).count()
    assert before < 300, before


def test_an_urgent_run_of_a_project_goes_before_its_others(bench: Bench) -> None:
    dataset, version = bench.dataset(400), bench.prompt()
    normal = bench.start(dataset, version, concurrency=200)
    low = bench.start(dataset, version, concurrency=200, priority=PRIORITIES["low"])
    high = bench.start(dataset, version, concurrency=200, priority=PRIORITIES["high"])
    mine = RunsDesk(calling.Switchboard())
    mine.beat([])
    tickets = mine.claim({}).tickets
    assert [of(tickets, run) for run in (high, normal, low)] == [250, 150, 0]
    mine.close()


def test_a_priority_is_one_of_three(bench: Bench, api: Any) -> None:
    with pytest.raises(Invalid) as refused:
        bench.start(bench.dataset(1), bench.prompt(), priority=5)
    assert list(refused.value.fields) == ["priority"]
    body = {"prompt": "repeat", "dataset": "texts", "evaluators": [{"metric": "exact_match"}], "priority": "urgent"}
    answer = api.send("POST", "/runs", body)
    assert list(answer.json()["error"]["fields"]) == ["priority"]
