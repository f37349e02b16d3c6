"""Reads about judges' certificates, and the rates of a run that they correct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from evals.judges import panel_of, scale_of
from evals.models import Evaluator, EvaluatorVersion, JudgeCertificate, JudgeVote, Run, RunEvaluator, Score
from evals.queries import certificate_figures, corrected_means, runs
from evals.queries.corrected_means import CorrectedRate
from evals.statistics import Estimate, agreement, judges, pairwise, scores
from llmops.common import ids
from llmops.common.errors import NotFound


@dataclass(frozen=True, slots=True)
class OrderBias:
    """How often a pairwise judge of a run voted for the answer at the first place, of `votes` that were no tie."""

    share: Estimate
    order_sensitive: int
    pairs: int


def certificates_of(evaluator: Evaluator) -> QuerySet[JudgeCertificate]:
    """All of the evaluator's certificates, newest first."""
    return (
        JudgeCertificate.objects.filter(project=evaluator.project, evaluator_version__evaluator=evaluator)
        .select_related("evaluator_version__evaluator", "run__dataset_version__dataset")
        .order_by("-id")
    )


def certificate_in(evaluator: Evaluator, uid: str) -> JudgeCertificate:
    """:raises NotFound: when the evaluator has no such certificate."""
    found = certificates_of(evaluator).filter(uid=ids.parse("cert", uid)).first()
    if found is None:
        raise NotFound("There is no such certificate here.")
    return found


def newest_for(version: EvaluatorVersion, model_asked: str) -> JudgeCertificate | None:
    """The last certificate of exactly this version on exactly this model."""
    return (
        JudgeCertificate.objects.filter(evaluator_version=version, model_asked=model_asked)
        .select_related("evaluator_version__evaluator")
        .order_by("-id")
        .first()
    )


def runs_with(evaluator: Evaluator, most: int = 100) -> list[Run]:
    """Finished runs that used the evaluator, newest first."""
    used = RunEvaluator.objects.filter(evaluator_version__evaluator=evaluator).values("run")
    return list(runs.runs_in(evaluator.project).filter(pk__in=used, state=Run.State.DONE)[:most])


def confusion_of(certificate: JudgeCertificate) -> agreement.Confusion:
    return agreement.of_table(certificate.table, certificate.classes, certificate.no_verdict)


def corrected(run: Run, summary: runs.Summary, now: datetime) -> dict[str, CorrectedRate]:
    """By the evaluator's name in the run: the corrected pass rate or mean of each judge that has a certificate.

    A judge with another rubric or model than the run's has none, and neither has one whose provider answered under
    another name than when it was measured.
    """
    lines = {line.name: line.evaluator_version for line in runs.evaluators_of(run)}
    found = {}
    for figures in summary.evaluators:
        version = lines.get(figures.name)
        scale = None if version is None or version.judge_id is None else scale_of(version.spec)
        if version is None or scale is None or scale.is_pairwise:
            continue
        certificate = _fitting(run, version)
        if certificate is None or not figures.n:
            continue
        if scale.is_numeric:
            rate = corrected_means.of(run, version, certificate, figures, now)
        else:
            rate = _corrected(run, version, certificate, figures, now)
        if rate is not None:
            found[figures.name] = rate
    return found


def _fitting(run: Run, version: EvaluatorVersion) -> JudgeCertificate | None:
    judged = Score.objects.filter(run=run, evaluator_version=version, state=Score.State.SCORED).order_by()
    models = set(judged.values_list("model_asked", "model_answered").distinct()[:5])
    asked = {one for one, _ in models}
    if len(asked) != 1:
        return None
    certificate = newest_for(version, asked.pop())
    if certificate is None or not {answered for _, answered in models} <= set(certificate.models_answered):
        return None
    return certificate


def _corrected(
    run: Run, version: EvaluatorVersion, certificate: JudgeCertificate, figures: runs.EvaluatorFigures, now: datetime
) -> CorrectedRate:
    """Failed outputs are known to be wrong: they count as fails as they are, and only verdicts are corrected."""
    scored = Score.objects.filter(run=run, evaluator_version=version, state=Score.State.SCORED).count()
    table = confusion_of(certificate)
    decided = certificate_figures.decided(table, certificate.figures, measured_at=certificate.measured_at, now=now)
    if not scored:
        return CorrectedRate(certificate, None, None, None, False, ("nothing was judged",), "")
    share = scored / (scored + figures.failed)
    examples = min(float(scored), figures.n * share)
    result = judges.rogan_gladen(
        figures.passed, scored, table, n_eff=examples, seed=scores.seed_of(run.uid.hex, version.spec_hash)
    )
    reasons = tuple(dict.fromkeys([*decided.reasons, *result.reasons]))
    value, interval = result.corrected.value, result.corrected.interval
    return CorrectedRate(
        certificate=certificate,
        value=None if value is None else value * share,
        low=interval.low * share if interval else None,
        high=interval.high * share if interval else None,
        is_usable=not reasons,
        reasons=reasons,
        method=result.corrected.method,
    )


def blind_passes(run: Run, version: EvaluatorVersion) -> tuple[int, int] | None:
    """Of the outputs that pass, how many pass against a false reference too, and how many were asked about; None for a
    judge that does not ask."""
    if not version.spec.get("counterfactual"):
        return None
    check = 1 + len(panel_of(version.spec))  # the part behind the votes
    passed = JudgeVote.objects.filter(
        run=run, evaluator_version=version, part=check, state=Score.State.SCORED,
        result__scores__evaluator_version=version, result__scores__passed=True,
    )  # fmt: skip
    return passed.filter(passed=True).count(), passed.count()


def order_bias(run: Run, version: EvaluatorVersion) -> OrderBias:
    """Over the raw votes of a pairwise judge, both orders and all of a panel."""
    first = second = 0
    by_pair: dict[tuple[int, int], list[str]] = {}
    votes = JudgeVote.objects.filter(run=run, evaluator_version=version, state=Score.State.SCORED).order_by()
    for result, part, category in votes.values_list("result_id", "part", "category").iterator(chunk_size=5_000):
        won_first = (category == "win") == (part % 2 == 0)
        if category != "tie":
            first, second = first + won_first, second + (not won_first)
        by_pair.setdefault((result, part // 2), []).append(category)
    complete = [pair for pair in by_pair.values() if len(pair) == 2]
    sensitive = sum(pair[0] != pair[1] for pair in complete)
    return OrderBias(pairwise.order_bias(first, second), sensitive, len(complete))


def as_json(rate: CorrectedRate) -> Mapping[str, Any]:
    """The corrected rate as the API shows it."""
    return {
        "mean": rate.value,
        "low": rate.low,
        "high": rate.high,
        "usable": rate.is_usable,
        "reasons": list(rate.reasons),
        "method": rate.method,
        "certificate": ids.public("cert", rate.certificate.uid),
        "labels": rate.certificate.n,
    }
