"""Work items of a run, made some examples ahead of the calls."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from evals.models import Run, WorkItem
from evals.queries import early_stops
from evals.queries import runs as run_queries
from llmops.common import bulk

PLAN_AT_ONCE = 500


def plan_more(run: Run, now: datetime) -> int:
    """Make the work items of the run's next examples; returns how many. Inside the caller's transaction."""
    row = Run.objects.select_for_update().select_related(None).get(pk=run.pk)
    made = 0
    if not row.is_planned:
        examples = _next_by_lot(run, row) if row.early_stop else _next_in_order(run, row)
        items = [
            WorkItem(project_id=row.project_id, run_id=row.pk, example_id=example, repeat=repeat, next_at=now)
            for _, example in examples
            for repeat in range(row.repeats)
        ]
        bulk.insert(items)
        made = len(items)
        if examples:
            row.planned_position, row.planned_id = examples[-1]
        row.is_planned = len(examples) < PLAN_AT_ONCE
        if row.state == Run.State.PENDING:
            row.state, row.started_at = Run.State.RUNNING, now
        row.save(update_fields=["planned_position", "planned_id", "is_planned", "state", "started_at"])
    run.is_planned, run.state = row.is_planned, row.state
    return made


def _next_in_order(run: Run, row: Run) -> list[tuple[int, int]]:
    """Position and key of the examples behind those that have items."""
    at, key = row.planned_position, row.planned_id
    return list(
        run_queries.rows_of(run.dataset_version, row.split)
        .filter(Q(position__gt=at) | Q(position=at, id__gt=key))
        .order_by("position", "id")
        .values_list("position", "id")[:PLAN_AT_ONCE]
    )


def _next_by_lot(run: Run, row: Run) -> list[tuple[int, int]]:
    """The same where the run may stop early: place in the order by lot, and key."""
    start = row.planned_position + 1
    order = early_stops.planned_order(run)[start : start + PLAN_AT_ONCE]
    return [(start + place, key) for place, (key, _) in enumerate(order)]
