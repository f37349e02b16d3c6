"""From leased items to jobs: the request of each, and the answers that are known already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evals.engine import Finished, Ticket
from evals.models import TARGET, Example, Result, Run, WorkItem
from evals.services import plans
from evals.services.calling import Answered, Failed, Job
from evals.services.plans import JudgePlan, On, RunPlan, Settled
from llmops.common.errors import DomainError
from llmops.gateway.services import cache


def jobs_of(run: Run, plan: RunPlan, items: Sequence[WorkItem]) -> list[Job]:
    """One job for each item."""
    examples = Example.objects.in_bulk([item.example_id for item in items])
    judged = _judged(run, items)
    baselines = _baselines(plan, items, examples)
    jobs = []
    for item in items:
        on = plan.target if item.evaluator == TARGET else plan.judges[item.evaluator].calls[item.part]
        assert on is not None
        output = judged.get((item.example_id, item.repeat))
        baseline = baselines.get((item.evaluator, item.example_id))
        jobs.append(_job(plan, item, examples[item.example_id], on, output, baseline))
    return jobs


def known_of(run: Run, made: Sequence[Job]) -> tuple[list[Job], list[Finished]]:
    """What must be called, and what is known already: cached answers, and requests that cannot be made."""
    jobs, known = [], []
    for job in made:
        if isinstance(job.request, Failed | Settled):
            known.append(_known(job, job.request))
        else:
            jobs.append(job)
    if jobs and run.use_cache:
        answers = cache.get_many(run.project_id, [job.cache_key for job in jobs if not job.is_fresh])
        asked = []
        for job in jobs:
            if job.cache_key in answers and not job.is_fresh:
                known.append(_known(job, Answered(answers[job.cache_key], from_cache=True)))
            else:
                asked.append(job)
        jobs = asked
    return jobs, known


def _judged(run: Run, items: Sequence[WorkItem]) -> dict[tuple[int, int], tuple[int, str]]:
    of_examples = {item.example_id for item in items if item.evaluator != TARGET}
    if not of_examples:
        return {}
    rows = Result.objects.filter(run=run, example_id__in=of_examples).values_list(
        "example_id", "repeat", "id", "output"
    )
    return {(example, repeat): (result, output) for example, repeat, result, output in rows}


def _job(
    plan: RunPlan,
    item: WorkItem,
    example: Example,
    on: On,
    judged: tuple[int, str] | None,
    baseline: str | None,
) -> Job:
    request: Any
    try:
        if item.evaluator == TARGET:
            assert plan.target is not None
            request = plans.target_request(plan.target, example)
        else:
            assert judged is not None  # the item was made together with the result
            request = plans.asking_request(
                plan.judges[item.evaluator], output=judged[1], example=example, part=item.part, baseline=baseline
            )
    except DomainError as error:
        request = Failed(error.code, error.message)
    is_known = isinstance(request, Failed | Settled)
    return Job(
        item_id=item.pk,
        fence=item.fence,
        run_id=plan.run_id,
        run_uid=plan.run_uid,
        evaluator=item.evaluator,
        example=example,
        repeat=item.repeat,
        attempts=item.attempts,
        claims=item.claims,
        deferrals=item.deferrals,
        is_fresh=item.is_fresh,
        on=on,
        request=request,
        cache_key=b"" if is_known else cache.key(on.config, request, repeat=item.repeat),
        result_id=judged[0] if judged else None,
        part=item.part,
    )


def _baselines(plan: RunPlan, items: Sequence[WorkItem], examples: Mapping[int, Example]) -> dict[tuple[int, int], str]:
    """What pairwise judges compare with, by judge and example, where that is another run's output."""
    found: dict[tuple[int, int], str] = {}
    for key, judge in plan.judges.items():
        wanted = {examples[item.example_id].key: item.example_id for item in items if item.evaluator == key}
        if not isinstance(judge, JudgePlan) or judge.baseline_run is None or not wanted:
            continue
        rows = Result.objects.filter(run=judge.baseline_run, example_key__in=list(wanted), repeat=0, error_code="")
        for example_key, output in rows.values_list("example_key", "output"):
            found[key, wanted[example_key]] = output
    return found


def _known(job: Job, outcome: Any) -> Finished:
    return Finished(Ticket(job.run_id, 1, 0.0, job), outcome)
