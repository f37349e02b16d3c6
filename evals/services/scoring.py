"""From outputs to scores: metrics at once, judges' verdicts as they come."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from evals import judges
from evals.metrics import NO_CALL, CallFacts, Outcome, Unscored
from evals.metrics import Score as Verdict
from evals.models import Example, JudgeVote, Result, Score
from evals.services.plans import JudgePlan, MetricPlan, RunPlan
from llmops.common import text
from llmops.gateway.types import Completion

logger = logging.getLogger(__name__)

# A metric over an output of this size could hold up every other run of the worker.
MAX_SCORED_CHARS = 1_000_000


def call_of(completion: Completion, *, cost_usd: Decimal | None, from_cache: bool) -> CallFacts:
    """What metrics may know of a call; an answer from the cache has no time of its own."""
    return CallFacts(
        latency_ms=None if from_cache else float(completion.latency_ms),
        tokens_in=completion.usage.tokens_in,
        tokens_out=completion.usage.tokens_out,
        cost_usd=None if cost_usd is None else float(cost_usd),
        finish_reason=completion.finish_reason or None,
        from_cache=from_cache,
        tool_calls=completion.tool_calls,
    )


def metric_outcomes(
    plan: RunPlan, output: str, example: Example, call: CallFacts = NO_CALL
) -> list[tuple[int, Outcome]]:
    """Each metric of the run and what it says about the output; `call` is unknown for recorded outputs."""
    if len(output) > MAX_SCORED_CHARS:
        too_long = Unscored(f"the output has more than {MAX_SCORED_CHARS:,} characters")
        return [(metric.version_id, too_long) for metric in plan.metrics]
    return [(metric.version_id, _scored(metric, output, example, call)) for metric in plan.metrics]


def _scored(metric: MetricPlan, output: str, example: Example, call: CallFacts) -> Outcome:
    try:
        return metric.score(output, example.expected, call)
    except Exception as error:  # a bug in one metric must not stop every run of the worker
        logger.exception("runs.metric_crashed", extra={"evaluator_version": metric.version_id, "example": example.pk})
        return Unscored(f"the metric failed on this output ({type(error).__name__})")


def metric_scores(result: Result, outcomes: Sequence[tuple[int, Outcome]]) -> list[Score]:
    """Unsaved rows."""
    return [score_of(result.project_id, result.run_id, result.pk, version, outcome) for version, outcome in outcomes]


def scores_of_failure(plan: RunPlan, result: Result) -> list[Score]:
    """A result without output has an error for each evaluator, so that failing is never better than answering."""
    versions = [metric.version_id for metric in plan.metrics] + list(plan.judges)
    return [
        failure(result.project_id, result.run_id, result.pk, version, f"no output: {result.error}")
        for version in versions
    ]


def judge_score(plan: JudgePlan, *, run: RunPlan, result_id: int, completion: Completion, **paid: Any) -> Score:
    """The verdict in a judge's answer: scored, or unscored with the reason."""
    outcome = judges.verdict(completion.text, plan.scale)
    row = score_of(run.project_id, run.run_id, result_id, plan.version_id, outcome)
    row.cost_usd = paid["cost_usd"]
    row.from_cache = paid["from_cache"]
    row.model_asked = plan.parts[0].on.model
    row.model_answered = text.repaired(completion.model)[:200]
    return row


def judge_vote(
    plan: JudgePlan, part: int, *, run: RunPlan, result_id: int, completion: Completion, **paid: Any
) -> JudgeVote:
    """One of several answers about an output, turned so that it speaks of the output, whichever place that had."""
    outcome = judges.verdict(completion.text, plan.scale)
    if plan.scale.is_pairwise:
        outcome = judges.turned(outcome, swapped=plan.parts[part].swapped)
    row = _vote(run.project_id, run.run_id, result_id, plan.version_id, part)
    _fill(row, outcome)
    row.cost_usd = paid["cost_usd"]
    row.from_cache = paid["from_cache"]
    row.model_asked = plan.parts[part].on.model
    row.model_answered = text.repaired(completion.model)[:200]
    return row


def failed_vote(
    project_id: int, run_id: int, result_id: int, version_id: int, part: int, reason: str, model: str = ""
) -> JudgeVote:
    """One of several judges could not be asked."""
    row = _vote(project_id, run_id, result_id, version_id, part)
    row.state, row.reason, row.model_asked = Score.State.ERROR, reason[:4_000], model
    return row


BLIND = "passes against a false reference too, so the output may have talked the judge round; "


def settled(votes: Sequence[JudgeVote], plan: JudgePlan) -> Score:
    """The score that all parts' votes about one result amount to; an error as long as one could not be asked.

    An output that passes, and passes against a false reference too, keeps its score and says so.
    """
    votes = sorted(votes, key=lambda vote: vote.part)
    first = votes[0]
    failed = next((vote for vote in votes if vote.state == Score.State.ERROR), None)
    if failed is not None:
        row = failure(first.project_id, first.run_id, first.result_id, first.evaluator_version_id, failed.reason)
    else:
        cast = [vote for vote in votes if not plan.parts[vote.part].is_check]
        outcome = judges.settled([judges.Vote(_verdict(vote), vote.reason) for vote in cast], plan.scale)
        row = score_of(first.project_id, first.run_id, first.result_id, first.evaluator_version_id, outcome)
        if row.passed and any(vote.passed for vote in votes if plan.parts[vote.part].is_check):
            row.reason = f"{BLIND}{row.reason}"[:4_000]
    costs = [vote.cost_usd for vote in votes]
    row.cost_usd = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    row.from_cache = all(vote.from_cache for vote in votes)
    row.model_asked = _names(vote.model_asked for vote in votes)
    row.model_answered = _names(vote.model_answered for vote in votes)
    return row


def _verdict(vote: JudgeVote) -> Verdict | None:
    if vote.state != Score.State.SCORED or vote.value is None:
        return None
    return Verdict(vote.value, vote.passed, vote.reason, vote.category)


def _vote(project_id: int, run_id: int, result_id: int, version_id: int, part: int) -> JudgeVote:
    return JudgeVote(
        project_id=project_id, run_id=run_id, result_id=result_id, evaluator_version_id=version_id, part=part
    )


def _names(models: Iterable[str]) -> str:
    """Models as one text: `one` or, of a panel, `one + two`."""
    return " + ".join(dict.fromkeys(name for name in models if name))[:200]


def failure(
    project_id: int,
    run_id: int,
    result_id: int,
    version_id: int,
    reason: str,
    cost_usd: Decimal | None = None,
    model: str = "",
) -> Score:
    """An evaluator that could not be asked."""
    return Score(
        model_asked=model,
        project_id=project_id,
        run_id=run_id,
        result_id=result_id,
        evaluator_version_id=version_id,
        state=Score.State.ERROR,
        reason=reason[:4_000],
        cost_usd=cost_usd,
    )


def score_of(project_id: int, run_id: int, result_id: int, version_id: int, outcome: Outcome) -> Score:
    """An unsaved score of an outcome."""
    made = Score(project_id=project_id, run_id=run_id, result_id=result_id, evaluator_version_id=version_id)
    _fill(made, outcome)
    return made


def _fill(row: Score | JudgeVote, outcome: Outcome) -> None:
    if isinstance(outcome, Unscored):
        row.state, row.reason = Score.State.UNSCORED, outcome.reason[:4_000]
        return
    row.state, row.reason = Score.State.SCORED, outcome.reason[:4_000]
    row.value, row.passed, row.category = outcome.value, outcome.passed, (outcome.category or "")[:100]
