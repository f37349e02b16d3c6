"""What dies is repaired: stale writes are refused, items come back, poison is set apart."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from evals.engine import Finished
from evals.models import Result, Run, WorkerSlice, WorkItem
from evals.queries import runs as queries
from evals.services import calling, work, worker_slices
from evals.services.desk import RunsDesk
from llmops.gateway.types import Completion
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)

# No process has this number: the kernel's limit is 4,194,304.
NOBODY = 2**30


def slice_of(bench: Bench) -> RunsDesk:
    found = RunsDesk(calling.Switchboard())
    found.beat([])
    return found


def answer(text: str) -> calling.Answered:
    return calling.Answered(Completion(text, "model-1"))


def die(one: RunsDesk, *, with_parent: bool = False) -> None:
    """As if the slice's process were gone."""
    parent = NOBODY if with_parent else os.getpid()
    WorkerSlice.objects.filter(uid=one.uid).update(pid=NOBODY, parent_pid=parent)


def test_a_slice_that_was_given_up_cannot_overwrite_its_successor(bench: Bench) -> None:
    run = bench.start(bench.dataset(1), bench.prompt())
    frozen, successor = slice_of(bench), slice_of(bench)
    [old] = frozen.claim({}).tickets
    die(frozen)
    assert work.reconcile() == 1
    [new] = successor.claim({}).tickets
    successor.store([Finished(new, answer("the successor's"))])
    frozen.store([Finished(old, answer("too late"))])
    assert [result.output for result in Result.objects.filter(run=run)] == ["the successor's"]
    run.refresh_from_db()
    assert run.refused_writes == 1


@pytest.mark.parametrize("old_first", [True, False])
@pytest.mark.parametrize(
    "late", [answer("too late"), calling.Deferred("limit_wait", "no room"), calling.Failed("bad_request", "no")]
)
def test_a_slice_that_took_an_item_up_twice_stores_only_the_newer_outcome(
    bench: Bench, late: calling.Outcome, *, old_first: bool
) -> None:
    run = bench.start(bench.dataset(1), bench.prompt())
    one = slice_of(bench)
    [old] = one.claim({}).tickets
    WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert work.reconcile() == 1
    [new] = one.claim({}).tickets
    both = [Finished(old, late), Finished(new, answer("the newer"))]
    one.store(both if old_first else both[::-1])
    assert [result.output for result in Result.objects.filter(run=run)] == ["the newer"]
    assert list(WorkItem.objects.values_list("state", flat=True)) == [WorkItem.State.DONE]
    assert one.held == {}
    run.refresh_from_db()
    assert (run.state, run.refused_writes) == (Run.State.RUNNING, 1)


def test_items_of_a_silent_slice_and_of_an_expired_lease_come_back_and_live_ones_stay(bench: Bench) -> None:
    bench.start(bench.dataset(6), bench.prompt(), concurrency=1)
    silent, live = slice_of(bench), slice_of(bench)
    assert len(silent.claim({}).tickets) == 2
    assert len(live.claim({}).tickets) == 2
    WorkerSlice.objects.filter(uid=silent.uid).update(
        host="another", heartbeat_at=timezone.now() - worker_slices.SLICE_IS_DEAD - timedelta(seconds=1)
    )
    assert work.reconcile() == 2
    assert work.reconcile() == 0
    WorkItem.objects.filter(slice_uid=live.uid).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert work.reconcile() == 2


def test_what_kills_its_worker_three_times_is_set_apart_and_the_rest_finishes(bench: Bench) -> None:
    run = bench.start(bench.dataset(40), bench.prompt(), concurrency=10)
    for _ in range(20):
        mine = slice_of(bench)
        tickets = mine.claim({}).tickets
        if not tickets:
            break
        if any(ticket.job.example.inputs["text"] == "text 7" for ticket in tickets):
            die(mine)
            work.reconcile()
        else:
            mine.store([Finished(ticket, answer(ticket.job.example.inputs["text"])) for ticket in tickets])
            mine.close()
    work.reconcile()
    run.refresh_from_db()
    assert run.state == "done"
    [poisoned] = Result.objects.filter(run=run).exclude(error_code="")
    assert (poisoned.error_code, poisoned.claims) == ("quarantined", 3)
    assert queries.summary_of(run).done == 40


def test_no_item_is_blamed_when_the_whole_worker_dies(bench: Bench) -> None:
    run = bench.start(bench.dataset(1), bench.prompt())
    for _ in range(5):
        mine = slice_of(bench)
        assert len(mine.claim({}).tickets) == 1
        die(mine, with_parent=True)
        assert work.reconcile() == 1
    assert WorkItem.objects.get(run=run).attempts == 0


def test_a_process_that_is_dead_but_not_buried_counts_as_dead() -> None:
    process = subprocess.Popen(["/bin/true"])
    deadline = time.monotonic() + 5
    while work._is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not work._is_alive(process.pid)
    process.wait()


def test_the_reconciler_finishes_a_run_whose_last_slice_died_after_storing(bench: Bench) -> None:
    run = bench.start(bench.dataset(3), bench.prompt())
    mine = slice_of(bench)
    mine.store([Finished(ticket, answer("x")) for ticket in mine.claim({}).tickets])
    work.reconcile()
    work.reconcile()
    run.refresh_from_db()
    assert (run.state, run.summary["done"]) == ("done", 3)


def test_a_run_that_is_paused_while_calls_fly_keeps_their_answers(bench: Bench) -> None:
    run = bench.start(bench.dataset(4), bench.prompt(), concurrency=4)
    mine = slice_of(bench)
    tickets = mine.claim({}).tickets
    Run.objects.filter(pk=run.pk).update(state="paused")
    assert mine.beat([run.pk]) == {run.pk}
    mine.store([Finished(ticket, answer("x")) for ticket in tickets[:2]])
    mine.give_back(tickets[2:])
    assert Result.objects.filter(run=run).count() == 2
    assert WorkItem.objects.filter(run=run, state="pending", attempts=0).count() == 2
    assert mine.claim({}).tickets == []
