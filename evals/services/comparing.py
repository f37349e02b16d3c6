"""Scores of metrics that compare embeddings, made from what the call for the vectors gave."""

from __future__ import annotations

from decimal import Decimal

from evals.models import Score
from evals.services import scoring
from evals.services.calling import NO_EMBEDDINGS, AccountRefused, Answered, Deferred, Failed, Job, Outcome
from evals.services.plans import EmbeddingPlan, RunPlan, Settled
from llmops.common import text
from llmops.gateway.types import EmbeddingRequest, Embeddings


def compared(plan: RunPlan, metric: EmbeddingPlan, job: Job, outcome: Outcome, cost: Decimal | None) -> Score:
    """An unsaved score, which says by its category how the texts were compared; an error where nothing could be asked.

    Only a connection that has no embeddings to offer is fallen back from: an outage ends as “not judged” and can be
    made up for, so that the scores of one run are not of two kinds by accident.
    """
    assert job.result_id is not None
    whose = (plan.project_id, plan.run_id, job.result_id, metric.version_id)
    if isinstance(outcome, Settled):
        return scoring.score_of(*whose, outcome.outcome)
    if isinstance(outcome, Answered):
        assert isinstance(outcome.answer, Embeddings)
        row = scoring.score_of(*whose, metric.embedder.score(_texts(job), outcome.answer.vectors, outcome.answer.model))
        row.cost_usd, row.from_cache = cost, outcome.from_cache
        row.model_asked, row.model_answered = job.on.model, outcome.answer.model
        return row
    assert isinstance(outcome, Failed | Deferred | AccountRefused)
    if outcome.code == NO_EMBEDDINGS and (instead := metric.embedder.without(_texts(job))) is not None:
        return scoring.score_of(*whose, instead)
    return scoring.failure(*whose, f"not judged: {text.repaired(outcome.message)}", model=job.on.model)


def _texts(job: Job) -> tuple[str, ...]:
    assert isinstance(job.request, EmbeddingRequest)
    return job.request.texts
