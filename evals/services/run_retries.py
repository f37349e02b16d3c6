"""Make again what failed in a finished run, or was never judged; what is good stays."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from evals.models import TARGET, EvaluatorVersion, JudgeVote, Result, Run, Score, WorkItem
from evals.queries import runs as run_queries
from evals.services import plans
from evals.services.runs import TASK
from llmops.audit import services as audit
from llmops.common import jobs
from llmops.common.actors import Actor
from llmops.common.errors import Conflict


@transaction.atomic
def retry_failed(*, run: Run, by: Actor) -> int:
    """Make the failed calls of a finished run again, target and judges apart; returns how many.

    The failed results go, and their places are filled anew; good results and scores stay untouched.

    :raises Conflict: when the run is still at work, or nothing failed.
    """
    row = Run.objects.select_for_update().get(pk=run.pk)
    if row.state in (*Run.ACTIVE, Run.State.PAUSED):
        raise Conflict("The run is still at work.", code="not_finished")
    if row.state == Run.State.CANCELLED:
        raise Conflict("The run was cancelled: start it anew, answers that are there come from the cache.")
    items = _failed_items(row)
    if not items:
        raise Conflict("Nothing failed in this run.", code="nothing_failed")
    Score.objects.filter(run=row, result__error_code__gt="").purge()
    Result.objects.filter(run=row, error_code__gt="").purge()
    Score.objects.filter(run=row, state=Score.State.ERROR).purge()
    JudgeVote.objects.filter(run=row, state=Score.State.ERROR).purge()
    WorkItem.objects.filter(run=row).delete()
    WorkItem.objects.bulk_create(items, batch_size=500)
    Run.objects.filter(pk=row.pk).update(
        state=Run.State.RUNNING, reason="", problem="", cancel_at=None, finished_at=None, summary=None
    )
    audit.record("run.failed_retried", by=by, target=row, items=len(items))
    jobs.enqueue(TASK)
    run.refresh_from_db()
    return len(items)


@transaction.atomic
def judge_again(*, run: Run, by: Actor) -> int:
    """Have the run's judges look at the outputs on which they gave no verdict; returns how many calls that makes.

    The target is not called again, and verdicts that are there stay. A kept answer that was no verdict is not taken
    from the cache a second time. Who is asked more than once about an output, in both orders or as a panel, is asked
    all of it again: votes that made no verdict together go.

    :raises Conflict: when the run is still at work, or every output has its verdicts.
    :raises DomainError: when a judge cannot be asked any more, because its connection or model is gone.
    """
    row = Run.objects.select_for_update().get(pk=run.pk)
    if row.state in (*Run.ACTIVE, Run.State.PAUSED):
        raise Conflict("The run is still at work.", code="not_finished")
    items = _unjudged_items(row)
    if not items:
        raise Conflict("Every output has its verdicts.", code="nothing_unjudged")
    for version in run_queries.asking(row):
        asked = Score.objects.filter(run=row, result__error_code="", evaluator_version=version)
        asked.exclude(state__in=run_queries.settled_states(version)).purge()
        votes = JudgeVote.objects.filter(run=row, evaluator_version=version)
        votes.exclude(result_id__in=_settled(row, version).values("result_id")).purge()
    WorkItem.objects.filter(run=row).delete()
    WorkItem.objects.bulk_create(items, batch_size=500)
    Run.objects.filter(pk=row.pk).update(
        state=Run.State.RUNNING, reason="", problem="", cancel_at=None, finished_at=None, summary=None, is_planned=True
    )
    audit.record("run.judged_again", by=by, target=row, items=len(items))
    jobs.enqueue(TASK)
    run.refresh_from_db()
    return len(items)


def _unjudged_items(run: Run) -> list[WorkItem]:
    """The calls for each output and judge without a verdict, whether it was asked or, in a cancelled run, never."""
    answered = Result.objects.filter(run=run, error_code="").order_by("id")
    items = []
    for version in run_queries.asking(run):
        settled = _settled(run, version).values("result_id")
        lacking = answered.exclude(id__in=settled).values_list("example_id", "repeat")
        parts = range(len(plans.asking(version).calls)) if lacking else ()
        items += [
            WorkItem(
                project_id=run.project_id,
                run=run,
                example_id=example,
                repeat=repeat,
                evaluator=version.pk,
                part=part,
                is_fresh=True,
            )
            for example, repeat in lacking
            for part in parts
        ]
    return items


def _settled(run: Run, version: EvaluatorVersion) -> QuerySet[Score]:
    """The verdicts of an evaluator that are not to be asked for again."""
    return Score.objects.filter(run=run, evaluator_version=version, state__in=run_queries.settled_states(version))


def _failed_items(run: Run) -> list[WorkItem]:
    failed = Result.objects.filter(run=run).exclude(error_code="").values_list("example_id", "repeat")
    judged = (
        Score.objects.filter(run=run, state=Score.State.ERROR, result__error_code="")
        .filter(evaluator_version__in=run_queries.asking(run))
        .values_list("result__example_id", "result__repeat", "evaluator_version_id")
    )
    voted: dict[tuple[int, int, int], list[int]] = {}
    votes = JudgeVote.objects.filter(run=run, state=Score.State.ERROR).order_by("part")
    for example, repeat, evaluator, part in votes.values_list(
        "result__example_id", "result__repeat", "evaluator_version_id", "part"
    ):
        voted.setdefault((example, repeat, evaluator), []).append(part)
    wanted = [(example, repeat, TARGET, 0) for example, repeat in failed]
    wanted += [(*key, part) for key in judged for part in voted.get(key, [0])]
    return [
        WorkItem(project_id=run.project_id, run=run, example_id=example, repeat=repeat, evaluator=evaluator, part=part)
        for example, repeat, evaluator, part in wanted
    ]
