"""Outputs that are there already, in a dataset or an earlier run: scored at once in big batches, no call is made."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from evals.models import TARGET, Example, Result, Run, WorkItem
from evals.services import outcomes, plans, storing
from evals.services.outcomes import Rows
from evals.services.planning import plan_more
from evals.services.plans import RunPlan
from evals.services.worker_slices import database_now
from llmops.common import text
from llmops.common.errors import DomainError

RECORDED_AT_ONCE = 500


def score(run: Run, plan: RunPlan) -> bool:
    """Score one big batch of what the dataset holds; False when nothing is left."""
    with transaction.atomic():
        now = database_now()
        due = WorkItem.objects.select_for_update(skip_locked=True).filter(
            run=run, state=WorkItem.State.PENDING, evaluator=TARGET
        )
        items = list(due.order_by("id")[:RECORDED_AT_ONCE])
        if not items and not run.is_planned:
            plan_more(run, now)
            items = list(due.order_by("id")[:RECORDED_AT_ONCE])
        examples = Example.objects.in_bulk([item.example_id for item in items])
        given = _given_outputs(plan, items)
        rows = Rows()
        for item in items:
            _add(rows, plan, item, examples[item.example_id], given.get((item.example_id, item.repeat)))
        storing.insert(rows, {run.pk: plan}, now)
    return bool(items)


def _add(rows: Rows, plan: RunPlan, item: WorkItem, example: Example, given: Result | None) -> None:
    result = Result(
        project_id=plan.project_id,
        run_id=plan.run_id,
        example_id=example.pk,
        example_key=example.key,
        repeat=item.repeat,
    )
    if given is not None:
        result.output, result.error_code, result.error = given.output, given.error_code, given.error
        result.model_answered = given.model_answered
    elif plan.regrades is not None:
        result.error_code, result.error = "no_output", "The earlier run has no output of this example."
    else:
        try:
            result.output = text.repaired(plans.recorded_output(plan, example))
        except DomainError as error:
            result.error_code, result.error = error.code, error.message
    outcomes.add_result(rows, plan, item.pk, result, example)


def _given_outputs(plan: RunPlan, items: Sequence[WorkItem]) -> dict[tuple[int, int], Result]:
    """The frozen outputs that a run grades anew, by example and repeat."""
    if plan.regrades is None:
        return {}
    rows = Result.objects.filter(run=plan.regrades, example_id__in=[item.example_id for item in items])
    return {(row.example_id, row.repeat): row for row in rows}
