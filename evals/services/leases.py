"""Work items leased to a slice of a worker: taken up, given back, and whose they are when an answer comes."""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet

from evals.models import Run, WorkItem
from evals.services import budgets, run_states
from evals.services.calling import Call, Job
from evals.services.planning import plan_more
from evals.services.worker_slices import database_now

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
MOST_IN_FLIGHT = 400  # of one slice, over all runs
SUSPECTS = 8
MOST_CRASHES = 3


def lease(run: Run, most: int, without: Q, *, to: uuid.UUID, suspects: int) -> list[WorkItem]:
    """Lease up to `most` due items to a slice that holds so many suspects, items that were in flight at a crash."""
    with transaction.atomic():
        now = database_now()
        if budgets.is_limited(run):
            most = min(most, _affordable(run))
        found = _due(run, most, without, now, suspects)
        if len(found) < most and not run.is_planned:
            plan_more(run, now)
            found = _due(run, most, without, now, suspects)
        WorkItem.objects.filter(pk__in=[item.pk for item in found]).update(
            state=WorkItem.State.LEASED,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            claims=F("claims") + 1,
            lease_until=now + LEASE,
            slice_uid=to,
        )
    for item in found:
        item.fence += 1
        item.claims += 1
    return found


def _due(run: Run, most: int, without: Q, now: datetime, suspects: int) -> list[WorkItem]:
    """Items that may start now. Those that were in flight when a worker died come last and a few at a time, and
    after a second crash one by one: so it is soon known which of them kills its worker."""
    if most <= 0:
        return []
    due = (
        WorkItem.objects.select_for_update(skip_locked=True)
        .filter(run=run, state=WorkItem.State.PENDING, next_at__lte=now)
        .exclude(without)
    )
    found = list(due.filter(attempts=0).order_by("next_at", "id")[:most])
    if len(found) < most and suspects < SUSPECTS:
        found += due.filter(attempts=1).order_by("id")[: min(most - len(found), SUSPECTS - suspects)]
        if not suspects and not any(item.attempts for item in found):
            found += due.filter(attempts__gte=2).order_by("id")[:1]
    return found


def _affordable(run: Run) -> int:
    """How many more calls the caps allow, counting what is in flight anywhere at its highest price."""
    row, limits = budgets.of(run.pk)
    possible = MOST_IN_FLIGHT
    for budget in limits:
        calls = budget.calls(row.call_usd, MOST_IN_FLIGHT)
        possible = min(possible, calls)
        if calls <= 0 and budget.in_flight == 0 and _has_more(row):
            of_what = " of the whole matrix" if budget.of_group else ""
            run_states.pause(
                run_id=run.pk,
                reason="cap_reached",
                problem=f"The next call could exceed the limit{of_what} of {budget.cap_usd.normalize():f} USD.",
            )
            break
    return possible


def _has_more(run: Run) -> bool:
    return not run.is_planned or WorkItem.objects.filter(run=run, state=WorkItem.State.PENDING).exists()


def due_in_s(active: Sequence[Run]) -> float | None:
    """Seconds until the next item is due; None when no item waits."""
    waiting = WorkItem.objects.filter(run__in=[run.pk for run in active], state=WorkItem.State.PENDING)
    soonest = waiting.aggregate(soonest=Min("next_at"))["soonest"]
    return None if soonest is None else max((soonest - database_now()).total_seconds(), 0.0)


def due_items(now: datetime) -> QuerySet[WorkItem]:
    """Items of active runs that could start now."""
    return WorkItem.objects.filter(
        run__state__in=Run.ACTIVE, run__project__deleted_at=None, state=WorkItem.State.PENDING, next_at__lte=now
    )


def ours(jobs: Sequence[Job]) -> set[tuple[int, int]]:
    """Items and fences of the batch that are still leased to us, locked; the others are refused and counted."""
    locked = (
        WorkItem.objects.select_for_update()
        .filter(pk__in={job.item_id for job in jobs}, state=WorkItem.State.LEASED)
        .order_by("pk")
        .values_list("pk", "fence")
    )
    still_ours = set(locked)
    refused: dict[int, int] = defaultdict(int)
    for job in jobs:
        refused[job.run_id] += job.place not in still_ours
    for run_id, count in refused.items():
        if not count:
            continue
        Run.objects.filter(pk=run_id).update(refused_writes=F("refused_writes") + count)
        logger.warning("runs.writes_refused", extra={"run": run_id, "count": count})
    return still_ours & {job.place for job in jobs}


def release(item_ids: Iterable[int]) -> None:
    """Back to pending in good order: not counted as a crash."""
    WorkItem.objects.filter(pk__in=list(item_ids)).update(
        state=WorkItem.State.PENDING, attempts=F("attempts") - 1, lease_until=None, slice_uid=None
    )


def release_unknown(slice_uid: uuid.UUID, known: Collection[int]) -> None:
    """Give back what the slice leased in a claim that broke off before it had tickets."""
    leased = WorkItem.objects.filter(state=WorkItem.State.LEASED, slice_uid=slice_uid)
    release(set(leased.values_list("pk", flat=True)) - set(known))


def any_of(calls: Collection[Call]) -> Q:
    """Items of these calls; of none, when there are none."""
    found = Q(pk__in=[])
    for evaluator, part in calls:
        found |= Q(evaluator=evaluator, part=part)
    return found
