"""Do the work of runs: a slice keeps calls in flight until nothing is due; the reconciler repairs what died."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from evals import engine
from evals.engine import Limits
from evals.models import TARGET, Result, Run, Score, WorkerSlice, WorkItem
from evals.services import calling, leases, plans, run_states, scoring, votes, worker_slices
from evals.services.calling import Caller, Switchboard
from evals.services.desk import RunsDesk
from evals.services.isolation import DATABASE_AWAY
from llmops.common import jobs
from llmops.common.errors import DomainError

logger = logging.getLogger(__name__)

TASK = "evals.work"
POISONED = "It stopped its worker three times."


def run_slice(*, limits: Limits | None = None, stop: engine.Stop = lambda: False) -> bool:
    """Work on all active runs until nothing is due or the time is up; tells whether work may be left.

    Any number of slices may work at once, in any processes: the rows keep them apart.
    """
    return asyncio.run(_slice(limits or Limits(), stop))


async def _slice(limits: Limits, stop: engine.Stop) -> bool:
    switchboard = Switchboard()
    rows = RunsDesk(switchboard)
    async with Caller(switchboard, lambda: rows.live_slices) as caller:
        return await engine.keep_full(rows, caller, on_crash=calling.crashed, stop=stop, limits=limits)


def reconcile() -> int:
    """Repair and wake: safe to run at any time and twice at once; returns how many items were released.

    Releases what dead slices held, quarantines what keeps killing its worker, finishes runs, and sends a wake-up when
    items are due and too few slices live.
    """
    now = worker_slices.database_now()
    released = _release_lost(now)
    for run_id in list(Run.objects.filter(state__in=Run.ACTIVE, is_planned=True).values_list("pk", flat=True)):
        _finish(run_id)
    run_states.clear_cancelled()
    live = WorkerSlice.objects.filter(heartbeat_at__gt=now - worker_slices.SLICE_IS_DEAD).count()
    if live < settings.LLMOPS_RUNS_PROCESSES and _has_work(now):
        jobs.enqueue(TASK)
    return released


def _finish(run_id: int) -> None:
    try:
        run_states.finish_if_complete(run_id=run_id)
    except DATABASE_AWAY:
        raise
    except Exception as error:  # noqa: BLE001  # it is logged, and the run says it
        run_states.give_up(run_id=run_id, error=error)


def _has_work(now: datetime) -> bool:
    unplanned = Run.objects.filter(state__in=Run.ACTIVE, project__deleted_at=None, is_planned=False)
    return unplanned.exists() or leases.due_items(now).exists()


def _release_lost(now: datetime) -> int:
    """Items whose lease ran out or whose slice is gone: pending again, or quarantined."""
    gone, blameless = _dead_slices(now)
    known = WorkerSlice.objects.filter(pk=OuterRef("slice_uid"))
    with transaction.atomic():
        lost = list(
            WorkItem.objects.select_for_update(skip_locked=True)
            .filter(state=WorkItem.State.LEASED)
            .filter(Q(lease_until__lt=now) | Q(slice_uid__in=gone) | ~Exists(known))
            .order_by("pk")
        )
        spared = [item.pk for item in lost if item.slice_uid in blameless]
        poisoned = [item for item in lost if item.pk not in spared and item.attempts >= leases.MOST_CRASHES]
        bad = {item.pk for item in poisoned}
        free = {"state": WorkItem.State.PENDING, "lease_until": None, "slice_uid": None, "next_at": now}
        WorkItem.objects.filter(pk__in=spared).update(attempts=F("attempts") - 1, **free)
        rest = [item.pk for item in lost if item.pk not in spared and item.pk not in bad]
        WorkItem.objects.filter(pk__in=rest).update(**free)
        for item in poisoned:
            _quarantine_alone(item)
        WorkerSlice.objects.filter(pk__in=gone).delete()
    if lost:
        logger.warning("runs.items_released", extra={"count": len(lost), "quarantined": len(poisoned)})
    return len(lost)


def _dead_slices(now: datetime) -> tuple[Collection[UUID], Collection[UUID]]:
    """Slices that are gone; and those among them whose whole worker died, which no single item is to blame for."""
    gone, blameless = set(), set()
    here = worker_slices.this_host()
    for one in WorkerSlice.objects.all():
        seen_dead = one.host == here and not _is_alive(one.pid)
        if seen_dead or one.heartbeat_at < now - worker_slices.SLICE_IS_DEAD:
            gone.add(one.pk)
            if one.host == here and not _is_alive(one.parent_pid):
                blameless.add(one.pk)
    return gone, blameless


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Dead, but not yet buried by its parent."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _fail_judge(run: Run, result: Result, item: WorkItem) -> None:
    try:
        plan = plans.of(run)
    except DomainError as error:
        run_states.fail(run_id=run.pk, reason=error.code, problem=error.message)
        return
    whose, reason = (run.project_id, run.pk, result.pk, item.evaluator), f"not judged: {POISONED}"
    calls = plan.judges[item.evaluator].calls
    model = calls[item.part].model
    if len(calls) == 1:
        scoring.failure(*whose, reason, model=model).save()
        return
    vote = scoring.failed_vote(*whose, item.part, reason, model)
    vote.save()
    Score.objects.bulk_create(votes.settle([vote], {run.pk: plan}))


def _quarantine_alone(item: WorkItem) -> None:
    try:
        with transaction.atomic():
            _quarantine(item)
    except DATABASE_AWAY:
        raise
    except Exception as error:  # noqa: BLE001  # it is logged, and the run says it
        run_states.give_up(run_id=item.run_id, error=error)


def _quarantine(item: WorkItem) -> None:
    """Give up on an item, visibly: the run goes on and shows it as a failure."""
    run = Run.objects.get(pk=item.run_id)
    WorkItem.objects.filter(pk=item.pk).update(
        state=WorkItem.State.QUARANTINED, lease_until=None, slice_uid=None, error=POISONED
    )
    if item.evaluator != TARGET:
        result = Result.objects.get(run=run, example_id=item.example_id, repeat=item.repeat)
        _fail_judge(run, result, item)
        return
    result = Result.objects.create(
        project_id=run.project_id,
        run=run,
        example_id=item.example_id,
        example_key=item.example.key,
        repeat=item.repeat,
        claims=item.claims,
        error_code="quarantined",
        error=POISONED,
    )
    try:
        Score.objects.bulk_create(scoring.scores_of_failure(plans.of(run), result))
    except DomainError as error:
        run_states.fail(run_id=run.pk, reason=error.code, problem=error.message)
