"""A batch of outcomes in the database, inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from evals.engine import Finished
from evals.models import Run, WorkItem
from evals.services import leases, run_states, votes
from evals.services.calling import Answered, Deferred, Job
from evals.services.outcomes import Rows
from evals.services.plans import RunPlan
from llmops.common import bulk, text
from llmops.gateway.services import attempts, cache

LONGEST_DEFERRAL_S = 60.0


def insert(rows: Rows, plans: Mapping[int, RunPlan], now: datetime) -> None:
    """Results, votes, scores and judges' items; items closed, put off or given back; runs paused that must rest."""
    bulk.insert(rows.results, keys=True)
    bulk.insert(rows.votes)
    rows.scores += votes.settle(rows.votes, plans)
    for result in rows.results:
        rows.scores += result.pending_scores()  # type: ignore[attr-defined]  # they need the result's key
    bulk.insert(rows.scores)
    for item in rows.judge_items:
        item.next_at = now
    bulk.insert(rows.judge_items)
    items = WorkItem.objects
    for ids, state in ((rows.done, WorkItem.State.DONE), (rows.failed, WorkItem.State.FAILED)):
        if ids:
            items.filter(pk__in=ids).update(state=state, lease_until=None, slice_uid=None)
    for run_id, spent in rows.spent.items():
        if spent:
            Run.objects.filter(pk=run_id).update(spent_usd=F("spent_usd") + spent)
    for job, outcome in rows.postponed:
        _postpone(job, outcome, now)
    leases.release([job.item_id for job in rows.unstarted])
    for run_id, refused in rows.refused_accounts.items():
        run_states.pause(run_id=run_id, reason=refused.code, problem=refused.message)


def _postpone(job: Job, outcome: Deferred, now: datetime) -> None:
    wait = max(min(2.0 ** (job.deferrals + 1), LONGEST_DEFERRAL_S), outcome.retry_after_s or 0.0)
    WorkItem.objects.filter(pk=job.item_id).update(
        state=WorkItem.State.PENDING,
        next_at=now + timedelta(seconds=wait),
        attempts=F("attempts") - 1,
        deferrals=F("deferrals") + 1,
        lease_until=None,
        slice_uid=None,
        error=f"{outcome.code}: {text.repaired(outcome.message)}"[:500],
    )


def record(finished: Sequence[Finished], plans: Mapping[int, RunPlan]) -> None:
    """Keep every attempt, refused writes' too: they were made and may have been paid for; and new answers."""
    made: dict[tuple[int, bool, Any], list[Any]] = defaultdict(list)
    answers: dict[int, dict[bytes, Any]] = defaultdict(dict)
    for one in finished:
        job, outcome = one.ticket.job, one.outcome
        if outcome_attempts := getattr(outcome, "attempts", ()):
            made[job.run_id, job.is_target, job.on.config].extend(outcome_attempts)
        if isinstance(outcome, Answered) and not outcome.from_cache:
            answers[plans[job.run_id].project_id][job.cache_key] = outcome.answer
    for (run_id, is_target, config), records in made.items():
        plan = plans[run_id]
        purpose = "run" if is_target else "judge"
        attempts.record_many(records, config=config, purpose=purpose, owner=plan.run_uid, prices=plan.prices)
    for project_id, of_project in answers.items():
        cache.put_many(project_id, of_project)
