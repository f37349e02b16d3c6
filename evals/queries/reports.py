"""A run as the material of a report: its head at once, its rows a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from evals.models import Result, Run, Score
from evals.queries import certificates, run_pages, runs
from evals.queries.corrected_means import CorrectedRate
from evals.reports import FORMATS, Corrected, Counts, Evaluator, Head, Row, Scored
from evals.statistics.scales import Scale
from llmops.common import ids
from llmops.common.errors import Invalid

BATCH = 500


def head_of(run: Run) -> Head:
    """What was run and what it amounts to, for a run that is finished or not."""
    named, summary = run_pages.names(run), runs.summary_of(run)
    corrected, scales = certificates.corrected(run, summary, timezone.now()), runs.scales_of([run])
    target = run.target
    address = reverse("evals:run-detail", args=[run.project.slug, named.uid])
    ended = run.finished_at or run.started_at
    return Head(
        uid=named.uid,
        url=f"{settings.LLMOPS_BASE_URL}{address}",
        title=named.title,
        state=run.state,
        dataset=run.dataset_version.dataset.slug,
        dataset_version=run.dataset_version.number,
        dataset_hash=run.dataset_version.content_hash,
        prompt=named.prompt_path,
        version=getattr(getattr(target, "numbered", None), "number", None),
        commit=target.commit.hex if target else "",
        model=run.model,
        repeats=run.repeats,
        total=run.total,
        done=summary.done,
        failed=summary.failed,
        cost_usd=summary.cost_usd,
        latency_p50_ms=summary.latency_p50_ms,
        latency_p95_ms=summary.latency_p95_ms,
        started_at=run.started_at.isoformat(timespec="seconds") if run.started_at else "",
        took_s=(ended - run.started_at).total_seconds() if run.started_at and ended else 0.0,
        evaluators=tuple(
            _evaluator(one, scales.get(one.version_id, Scale()), corrected.get(one.name)) for one in summary.evaluators
        ),
        counts=_counts(run),
        provenance=run.provenance,
    )  # fmt: skip


def _evaluator(one: runs.EvaluatorFigures, scale: Scale, rate: CorrectedRate | None) -> Evaluator:
    corrected = None
    if rate is not None:
        words = {"score": scale.shown(rate.value), "between": scale.interval(rate.low, rate.high)}
        corrected = Corrected(**{**certificates.as_json(rate), **words})
    return Evaluator(
        name=one.name, mean=one.mean, low=one.low, high=one.high, n=one.n, unscored=one.unscored, failed=one.failed,
        passed=one.passed, method=one.method, corrected=corrected, score=scale.shown(one.mean),
        between=scale.interval(one.low, one.high), unit=scale.unit,
    )  # fmt: skip


def _counts(run: Run) -> Counts:
    scored = Q(state=Score.State.SCORED)
    found = Score.objects.filter(run=run).aggregate(
        verdicts=Count("id"),
        wrong=Count("id", filter=scored & Q(passed=False)),
        errors=Count("id", filter=Q(state=Score.State.ERROR)),
        unscored=Count("id", filter=Q(state=Score.State.UNSCORED)),
    )
    return Counts(**found)


def rows_of(run: Run) -> Iterator[Row]:
    """The run's results in the order in which they were stored; three queries for each BATCH of them."""
    names = {line.evaluator_version_id: line.name for line in runs.evaluators_of(run)}
    last = 0
    while True:
        batch = list(runs.results_of(run).filter(id__gt=last).defer("trace", "parts").order_by("id")[:BATCH])
        for result in batch:
            yield _row(result, names)
        if len(batch) < BATCH:
            return
        last = batch[-1].pk


def _row(result: Result, names: Mapping[int, str]) -> Row:
    example = result.example
    scores = {score.evaluator_version_id: score for score in result.scores.all()}
    return Row(
        uid=ids.public("res", result.uid),
        example=example.uid,
        position=example.position,
        repeat=result.repeat + 1,
        inputs=example.inputs,
        expected=example.expected,
        tags=tuple(str(tag) for tag in example.tags),
        split=example.split,
        output=result.output,
        error_code=result.error_code,
        error=result.error,
        latency_ms=result.latency_ms,
        tokens_in=result.tokens_in,
        tokens_out=result.tokens_out,
        cost_usd=None if result.cost_usd is None else str(result.cost_usd),
        model=result.model_answered,
        from_cache=result.from_cache,
        scores=tuple(_scored(names[key], scores[key]) for key in names if key in scores),
    )


def _scored(name: str, score: Score) -> Scored:
    return Scored(name, score.state, score.value, score.passed, score.category, score.reason)


@dataclass(frozen=True, slots=True)
class Download:
    """A report on its way out; `pieces` are read from the database while they are sent."""

    file_name: str
    media_type: str
    pieces: Iterator[str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Disposition": f'attachment; filename="{self.file_name}"', "Content-Type": self.media_type}


def download(run: Run, wanted: str) -> Download:
    """The report of a run in one of the FORMATS.

    :raises Invalid: for a format that is none of them.
    """
    if wanted not in FORMATS:
        raise Invalid("There is no such format.", fields={"format": f"one of {', '.join(FORMATS)}"})
    kind = FORMATS[wanted]
    file_name = f"{ids.public('run', run.uid)}.{kind.suffix}"
    return Download(file_name, kind.media_type, kind.render(head_of(run), rows_of(run)))
