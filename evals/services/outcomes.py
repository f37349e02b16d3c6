"""What the outcome of a call becomes: a result or a verdict, and what is to be done with its item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evals.metrics import CallFacts
from evals.metrics import Outcome as MetricOutcome
from evals.models import Example, JudgeVote, Result, Score, WorkItem
from evals.services import comparing, scoring
from evals.services.calling import AccountRefused, Answered, Deferred, Job, NotStarted
from evals.services.plans import EmbeddingPlan, RunPlan
from llmops.common import text
from llmops.gateway import pricing
from llmops.gateway.types import Completion, Span, trace_json

MOST_DEFERRALS = 8


@dataclass(slots=True)
class Rows:
    """What one batch of outcomes becomes in the database."""

    results: list[Result] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    votes: list[JudgeVote] = field(default_factory=list)
    judge_items: list[WorkItem] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    spent: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    refused_accounts: dict[int, AccountRefused] = field(default_factory=dict)
    postponed: list[tuple[Job, Deferred]] = field(default_factory=list)
    unstarted: list[Job] = field(default_factory=list)


def sort(
    rows: Rows,
    plan: RunPlan,
    job: Job,
    outcome: Any,
    scored: Mapping[tuple[int, int], list[tuple[int, MetricOutcome]]],
) -> None:
    """Put the outcome of a job where it belongs; `scored` holds what metrics found, by the job's place."""
    if isinstance(outcome, Deferred) and job.deferrals < MOST_DEFERRALS:
        rows.postponed.append((job, outcome))
    elif isinstance(outcome, NotStarted):
        rows.unstarted.append(job)
    elif isinstance(outcome, AccountRefused):
        rows.unstarted.append(job)
        rows.refused_accounts[job.run_id] = outcome
    elif job.is_target:
        result = _result(plan, job, outcome)
        rows.spent[job.run_id] += result.cost_usd or 0
        add_result(rows, plan, job.item_id, result, job.example, scored.get(job.place, ()))
    else:
        said = _judge_said(plan, job, outcome)
        rows.spent[job.run_id] += said.cost_usd or 0
        rows.votes.append(said) if isinstance(said, JudgeVote) else rows.scores.append(said)
        (rows.failed if said.state == Score.State.ERROR else rows.done).append(job.item_id)


def add_result(
    rows: Rows,
    plan: RunPlan,
    item_id: int,
    result: Result,
    example: Example,
    outcomes: Sequence[tuple[int, MetricOutcome]] | None = None,
) -> None:
    """A new result with its scores, and the items of judges that are to look at it."""
    rows.results.append(result)
    if result.error_code:
        rows.failed.append(item_id)
        result.pending_scores = lambda: scoring.scores_of_failure(plan, result)  # type: ignore[attr-defined]
        return
    rows.done.append(item_id)
    known = scoring.metric_outcomes(plan, result.output, example) if outcomes is None else outcomes
    result.pending_scores = lambda: scoring.metric_scores(result, known)  # type: ignore[attr-defined]
    rows.judge_items += [
        WorkItem(
            project_id=plan.project_id,
            run_id=plan.run_id,
            example_id=example.pk,
            repeat=result.repeat,
            evaluator=version_id,
            part=part,
        )
        for version_id, asked in plan.judges.items()
        for part in range(len(asked.calls))
    ]


def _judge_said(plan: RunPlan, job: Job, outcome: Any) -> Score | JudgeVote:
    """A score, or one of the votes that a score is made of."""
    judge = plan.judges[job.evaluator]
    assert job.result_id is not None
    if isinstance(judge, EmbeddingPlan):
        cost = _cost(plan, job, outcome) if isinstance(outcome, Answered) else None
        return comparing.compared(plan, judge, job, outcome, cost)
    is_alone = len(judge.parts) == 1
    if isinstance(outcome, Answered):
        given: dict[str, Any] = {
            "run": plan,
            "result_id": job.result_id,
            "completion": completion_of(outcome),
            "cost_usd": _cost(plan, job, outcome),
            "from_cache": outcome.from_cache,
        }
        return scoring.judge_score(judge, **given) if is_alone else scoring.judge_vote(judge, job.part, **given)
    reason = f"not judged: {text.repaired(outcome.message)}"
    whose = (plan.project_id, plan.run_id, job.result_id, judge.version_id)
    if is_alone:
        return scoring.failure(*whose, reason, model=job.on.model)
    return scoring.failed_vote(*whose, job.part, reason, job.on.model)


def _result(plan: RunPlan, job: Job, outcome: Any) -> Result:
    result = Result(
        project_id=plan.project_id,
        run_id=plan.run_id,
        example_id=job.example.pk,
        example_key=job.example.key,
        repeat=job.repeat,
        claims=job.claims,
    )
    if not isinstance(outcome, Answered):
        result.error_code = outcome.code[:40]
        result.error = text.repaired(outcome.message)
        result.output = text.repaired(getattr(outcome, "partial", ""))
        return result
    answer = completion_of(outcome)
    result.output = text.repaired(answer.text)
    result.parts = [dict(call) for call in answer.tool_calls]
    result.latency_ms = answer.latency_ms
    result.tokens_in, result.tokens_out = answer.usage.tokens_in, answer.usage.tokens_out
    result.cost_usd = _cost(plan, job, outcome)
    result.model_answered = text.repaired(answer.model)[:200]
    result.finish_reason = answer.finish_reason[:40]
    result.from_cache = outcome.from_cache
    span = Span(name=job.on.model, duration_ms=answer.latency_ms, attributes={"attempts": len(outcome.attempts)})
    result.trace = trace_json([span])
    return result


def completion_of(outcome: Answered) -> Completion:
    """What a model said, where a target or a judge was asked."""
    assert isinstance(outcome.answer, Completion)
    return outcome.answer


def facts_of(plan: RunPlan, job: Job, outcome: Answered) -> CallFacts:
    return scoring.call_of(completion_of(outcome), cost_usd=_cost(plan, job, outcome), from_cache=outcome.from_cache)


def _cost(plan: RunPlan, job: Job, outcome: Answered) -> Decimal | None:
    if outcome.from_cache:
        return Decimal(0)
    answer = outcome.answer
    return pricing.cost(
        answer.usage, kind=job.on.config.kind, model=answer.model or job.on.model, overrides=plan.prices
    )
