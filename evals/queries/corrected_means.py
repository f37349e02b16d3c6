"""The mean of a judge's numbers as people would give it: prediction-powered inference from a certificate's sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Avg

from evals.models import EvaluatorVersion, JudgeCertificate, Run, Score
from evals.queries import certificate_figures, runs
from evals.statistics import Interval, agreement, prediction
from evals.statistics.prediction import Moments


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """What people would say of a run, by the judge's certificate; `reasons` say why it is not to be believed."""

    certificate: JudgeCertificate
    value: float | None
    low: float | None
    high: float | None
    is_usable: bool
    reasons: tuple[str, ...]
    method: str


def of(
    run: Run, version: EvaluatorVersion, certificate: JudgeCertificate, figures: runs.EvaluatorFigures, now: datetime
) -> CorrectedRate | None:
    """Failed outputs count as the worst score without a correction; None for a certificate without numbers.

    In the run that was measured the labels are taken for a sample of it, drawn by lot; elsewhere the certificate says
    only by how much the judge is wrong.
    """
    labelled = certificate_figures.labelled_of(certificate.figures)
    if labelled is None:
        return None
    scored = Score.objects.filter(run=run, evaluator_version=version, state=Score.State.SCORED)
    by_example = list(scored.order_by().values("result__example_id").annotate(mean=Avg("value")).values_list("mean"))
    if not by_example:
        return CorrectedRate(certificate, None, None, None, False, ("nothing was judged",), "")
    judged = Moments.of([mean for (mean,) in by_example])
    is_sample = certificate.run_id == run.pk and run.repeats == 1
    others = judged.without(labelled.judge) if is_sample else judged
    found = prediction.corrected_mean(labelled, others, is_sample=is_sample)
    table = agreement.of_table(certificate.table, certificate.classes, certificate.no_verdict)
    decided = certificate_figures.decided(table, certificate.figures, measured_at=certificate.measured_at, now=now)
    count = scored.count()
    share = count / (count + figures.failed)
    reasons = tuple(dict.fromkeys([*decided.reasons, *found.reasons]))
    interval = found.corrected.interval
    return CorrectedRate(
        certificate=certificate,
        value=None if found.corrected.value is None else _clipped(found.corrected.value) * share,
        low=_clipped(interval.low) * share if isinstance(interval, Interval) else None,
        high=_clipped(interval.high) * share if isinstance(interval, Interval) else None,
        is_usable=not reasons,
        reasons=reasons,
        method=found.corrected.method,
    )


def _clipped(value: float) -> float:
    return min(max(value, 0.0), 1.0)
