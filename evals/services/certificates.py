"""Measure a judge against people's labels: a finished run of the judge, and the dataset's column with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from evals import judges
from evals.models import Evaluator, EvaluatorVersion, Example, JudgeCertificate, JudgeVote, Run, RunEvaluator, Score
from evals.queries import certificate_figures
from evals.queries import datasets as dataset_queries
from evals.queries.certificate_figures import Row
from evals.statistics import agreement, pairwise, scores
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Invalid

MOST_LABELS = 200_000


@dataclass(slots=True)
class _Read:
    rows: list[Row]
    not_labelled: int = 0
    not_judged: int = 0


@transaction.atomic
def measure(
    *,
    evaluator: Evaluator,
    run: Run,
    column: str,
    by: Actor,
    now: datetime,
    positive: str = "",
    source: str = "",
    group: str = "",
) -> JudgeCertificate:
    """A certificate of the evaluator's version in that run, from the labels in `column`.

    Results that the judge could not be asked about are left out and counted; answers without a readable verdict count
    against the judge. `positive` is the label that passes where labels are not plainly pass and fail. Rows with the
    same value in the column `group` (a document, a conversation) are not independent, and neither are repeats.

    :raises Invalid: when run, judge or labels do not fit, naming the field.
    """
    version = _judge_in(evaluator, run)
    dataset = run.dataset_version.dataset
    column, group = column.strip()[:200], group.strip()[:200]
    for field, name in (("column", column), ("group", group)):
        if (field == "column" or name) and not (name and dataset_queries.has_column(dataset, name)):
            raise Invalid(f"{dataset.slug} has no column “{name[:60]}”.", fields={field: "no such column"})
    if len(positive) > 200 or len(source) > 200:
        raise Invalid("At most 200 characters.", fields={"positive" if len(positive) > 200 else "source": "too long"})
    scale = judges.scale_of(version.spec)
    read = _read(run, version, column, scale, positive, group)
    if not read.rows:
        raise Invalid("No judged result has a label there.", fields={"column": "no judged result has a label"})
    found = agreement.confusion([row.label for row in read.rows], [row.verdict for row in read.rows], scale.classes)
    asked, answered = _models(run, version)
    seed = scores.seed_of(run.uid.hex, version.spec_hash, column)
    figures = certificate_figures.of(read.rows, found, scale, seed, group=group)
    if scale.is_pairwise:
        figures["orders"] = _orders(run, version, read.rows, seed)
    decided = certificate_figures.decided(found, figures)
    made = JudgeCertificate.objects.create(
        project_id=run.project_id,
        evaluator_version=version,
        run=run,
        model_asked=asked,
        models_answered=answered,
        label_column=column,
        positive_label=positive.strip(),
        label_source=source.strip(),
        classes=list(found.classes),
        table=[list(row) for row in found.table],
        no_verdict=list(found.no_verdict),
        n=found.n,
        not_labelled=read.not_labelled,
        not_judged=read.not_judged,
        figures=figures,
        is_usable=decided.usable,
        reasons=list(decided.reasons),
        measured_at=now,
        by=by.text,
    )
    audit.record("certificate.measured", by=by, target=evaluator, version=version.number, n=found.n, column=column)
    return made


def _judge_in(evaluator: Evaluator, run: Run) -> EvaluatorVersion:
    if run.state != Run.State.DONE:
        raise Invalid("Only a finished run can measure a judge.", fields={"run": "not finished"})
    line = (
        RunEvaluator.objects.filter(run=run, evaluator_version__evaluator=evaluator)
        .select_related("evaluator_version__evaluator")
        .order_by("-evaluator_version__number")
        .first()
    )
    if line is None:
        raise Invalid(f"The run did not use “{evaluator.slug}”.", fields={"run": f"did not use {evaluator.slug}"})
    if line.evaluator_version.judge_id is None:
        raise Invalid("Only judges get certificates.", fields={"evaluator": "is a metric, which needs none"})
    return line.evaluator_version


def _read(run: Run, version: EvaluatorVersion, column: str, scale: judges.Scale, positive: str, group: str) -> _Read:
    """Without a column of groups the repeats of an example are one."""
    read = _Read([])
    is_grouped = bool(group) or run.repeats > 1
    found = Score.objects.filter(run=run, evaluator_version=version).select_related("result__example").order_by("id")
    for score in found[:MOST_LABELS].iterator(chunk_size=2_000):
        example = score.result.example
        said = dataset_queries.column(example, column)
        label = judges.label_of(said, scale, positive)
        if label is None:
            read.not_labelled += 1
        elif score.state == Score.State.ERROR:
            read.not_judged += 1
        else:
            is_scored = score.state == Score.State.SCORED
            read.rows.append(
                Row(
                    label=label,
                    verdict=score.category if is_scored else None,
                    result_id=score.result_id,
                    human=judges.number_of(said, scale),
                    judge=score.value if is_scored else None,
                    group=_group(example, group) if is_grouped else None,
                )
            )
    return read


def _group(example: Example, column: str) -> str:
    """Rows without a value belong to no group but their own."""
    value = dataset_queries.column(example, column) if column else None
    return str(example.key) if value is None or value == "" else f"= {value}"


def _models(run: Run, version: EvaluatorVersion) -> tuple[str, list[str]]:
    """The model that was asked, and the names under which it answered."""
    judged = Score.objects.filter(run=run, evaluator_version=version).exclude(state=Score.State.ERROR)
    asked = sorted(set(judged.values_list("model_asked", flat=True).order_by()))
    answered = sorted(set(judged.values_list("model_answered", flat=True).order_by()))
    if len(asked) != 1:
        raise Invalid(
            "The run's verdicts come from more than one model: measure in a run of one.",
            fields={"run": f"asked {', '.join(name or 'an unknown model' for name in asked)[:200]}"},
        )
    return asked[0], answered


def _orders(run: Run, version: EvaluatorVersion, rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """How the first judge chose in each order, against people, and how often it preferred a place."""
    cast: dict[tuple[int, int], str | None] = {}
    votes = JudgeVote.objects.filter(run=run, evaluator_version=version, part__in=(0, 1))
    for result, part, state, category in votes.values_list("result_id", "part", "state", "category"):
        cast[result, part] = category if state == Score.State.SCORED else None
    sides = [[cast.get((row.result_id, part)) for row in rows] for part in (0, 1)]
    found = pairwise.both_orders([row.label for row in rows], sides[0], sides[1], seed=seed)
    first = sum(one == "win" for one in sides[0]) + sum(one == "loss" for one in sides[1])
    second = sum(one == "loss" for one in sides[0]) + sum(one == "win" for one in sides[1])
    return {
        "n": found.n,
        "right_as_is": found.right_as_is,
        "right_swapped": found.right_swapped,
        "right_in_both": found.right_in_both,
        "same_in_both": found.same_in_both,
        "kappa": certificate_figures.as_json(found.kappa),
        "first_place": certificate_figures.as_json(pairwise.order_bias(first, second)),
    }
