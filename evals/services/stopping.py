"""Stop a run before its end: because its answer is clear, or because the rest would hardly bring one."""

from __future__ import annotations

from django.db import transaction

from evals.models import TARGET, Dataset, EvaluatorVersion, Run, RunEvaluator, WorkItem
from evals.queries import early_stops
from evals.queries import runs as run_queries
from llmops.audit import services as audit
from llmops.common.actors import SYSTEM
from llmops.common.errors import NotFound
from llmops.projects.models import Project

REASON = "stopped_early"


def rule(
    *,
    project: Project,
    baseline: str,
    margin: float | None,
    dataset: Dataset,
    evaluators: list[EvaluatorVersion],
    wrong: dict[str, str],
) -> early_stops.Rule | None:
    """The rule that was asked for, None without one; what is not acceptable goes into `wrong` by field."""
    if margin is not None and not baseline:
        wrong["margin"] = "only together with stop_early: a run to compare with"
    elif margin is not None and not 0 < margin < 100:
        wrong["margin"] = "more than 0 and less than 100 points"
    if not baseline:
        return None
    try:
        run = run_queries.run_in(project, baseline)
    except NotFound:
        wrong["stop_early"] = "there is no such run"
        return None
    if run.state != Run.State.DONE or early_stops.stopped_of(run) is not None:
        wrong["stop_early"] = "must be a run that went to its end"
    elif run.dataset_version.dataset_id != dataset.pk:
        wrong["stop_early"] = f"must be a run over {dataset.slug}"
    elif not _has_any(run, evaluators):
        wrong["stop_early"] = "that run has none of these evaluators"
    return early_stops.Rule(run.uid, margin)


def _has_any(run: Run, evaluators: list[EvaluatorVersion]) -> bool:
    return RunEvaluator.objects.filter(run=run, evaluator_version__in=[one.pk for one in evaluators]).exists()


def stop_if_clear(*, run_id: int) -> bool:
    """Start nothing more in a run whose answer is clear, or hardly to be had. What is in flight is stored, then the run
    finishes as always.

    Safe to call at any time and twice at once.
    """
    run = Run.objects.select_related("dataset_version").get(pk=run_id)
    if run.state not in Run.ACTIVE or run.early_stop is None or run.early_stop["stopped"]:
        return False
    found = early_stops.look(run)
    if found is None or found.used >= found.planned:
        return False
    with transaction.atomic():
        row = Run.objects.select_for_update().get(pk=run_id)
        if row.state not in Run.ACTIVE or row.early_stop is None or row.early_stop["stopped"]:
            return False
        row.early_stop |= {"stopped": found.as_json()}
        row.reason, row.is_planned = REASON, True
        row.save(update_fields=["early_stop", "reason", "is_planned"])
        WorkItem.objects.filter(run=row, state=WorkItem.State.PENDING, evaluator=TARGET).delete()
        audit.record("run.stopped_early", by=SYSTEM, target=row, used=found.used, planned=found.planned,
                     futile=found.is_futile)  # fmt: skip
    return True
