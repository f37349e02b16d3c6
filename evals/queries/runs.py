"""Figures of runs: progress and summary with intervals."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from evals import metrics
from evals.models import DatasetVersion, EvaluatorVersion, Example, Result, Run, RunEvaluator, Score
from evals.models.dataset import ExampleQuerySet
from evals.statistics import Estimate, means
from evals.statistics.scales import Scale
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project


@dataclass(frozen=True, slots=True)
class EvaluatorFigures:
    """One evaluator over a run. `n` examples count in the mean, `failed` of them as the worst score because the target
    gave no output; `unscored` results have no verdict and do not count."""

    name: str
    version_id: int
    mean: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    failed: int
    passed: int
    method: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run amounts to; `cost_usd` is None where no price was known.

    `over_run` are figures of the whole by evaluator (metrics.over_runs.OverRun as JSON); None until they were made.
    """

    done: int
    failed: int
    from_cache: int
    tokens_in: int
    tokens_out: int
    cost_usd: str | None
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    lost_calls: int
    evaluators: tuple[EvaluatorFigures, ...]
    over_run: tuple[Mapping[str, Any], ...] | None = None

    def over_run_of(self, version_id: int) -> Mapping[str, Any]:
        """The figures of the whole that an evaluator has; empty where it has none."""
        return next((one for one in self.over_run or () if one["version_id"] == version_id), {})

    def as_json(self) -> dict[str, Any]:
        return {"v": 1, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Summary:
        """:raises ValueError: for a version of the shape that this code does not know."""
        if data.get("v") != 1:
            raise ValueError(f"run summary of version {data.get('v')!r}")
        values = {name: value for name, value in data.items() if name not in ("v", "evaluators", "over_run")}
        figures = tuple(EvaluatorFigures(**{**one, "notes": tuple(one["notes"])}) for one in data["evaluators"])
        over_run = None if data.get("over_run") is None else tuple(data["over_run"])
        return cls(**values, evaluators=figures, over_run=over_run)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; `left_s` is a guess from its speed so far, None before there is enough to guess from."""

    done: int
    total: int
    failed: int
    spent_usd: Decimal
    left_s: float | None


def runs_in(project: Project, *, prompt: str = "", dataset: str = "", state: str = "") -> QuerySet[Run]:
    """The project's runs, newest first, with what their titles need; of one prompt (its path), dataset (its slug) or
    state where these are given."""
    rows = Run.objects.filter(project=project).select_related(
        "dataset_version__dataset", "target__artifact", "target__numbered", "target__commit", "regrades", "group"
    )
    if prompt:
        rows = rows.filter(target__artifact__path=prompt)
    if dataset:
        rows = rows.filter(dataset_version__dataset__slug=dataset)
    if state:
        rows = rows.filter(state=state)
    return rows.order_by("-id")


def run_in(project: Project, uid: str | uuid.UUID) -> Run:
    """:raises NotFound: when the project has no such run."""
    key = uid if isinstance(uid, uuid.UUID) else ids.parse("run", uid)
    run = runs_in(project).select_related("connection").filter(uid=key).first()
    if run is None:
        raise NotFound("There is no such run here.")
    return run


def rows_of(version: DatasetVersion, split: str = "") -> ExampleQuerySet:
    """The rows of a version that a run over `split` (all of them without one) is over."""
    rows: ExampleQuerySet = Example.objects.filter(dataset_id=version.dataset_id)
    rows = rows.at(version.number)
    return rows.filter(split=split) if split else rows


def evaluators_of(run: Run) -> list[RunEvaluator]:
    return list(RunEvaluator.objects.filter(run=run).select_related("evaluator_version__evaluator").order_by("id"))


def asking(run: Run) -> list[EvaluatorVersion]:
    """The run's evaluators whose scores need calls of their own: judges, and metrics that compare embeddings."""
    versions = [line.evaluator_version for line in evaluators_of(run)]
    return [version for version in versions if version.asks_model]


def settled_states(version: EvaluatorVersion) -> list[str]:
    """When a score is not to be asked for again: what a judge said may have been no verdict, a metric is sure."""
    return [Score.State.SCORED] if version.judge_id else [Score.State.SCORED, Score.State.UNSCORED]


def scale_of(version: EvaluatorVersion) -> Scale:
    """A judge's values are shares; a metric says its own range."""
    return metrics.scale_of(version.spec)


def scales_of(runs: Iterable[Run]) -> dict[int, Scale]:
    """What the evaluators of these runs give, by their version's key: one query however many runs."""
    used = RunEvaluator.objects.filter(run__in=[run.pk for run in runs]).values("evaluator_version")
    versions = EvaluatorVersion.objects.filter(pk__in=used)
    return {version.pk: scale_of(version) for version in versions.only("spec")}


def progress_of(run: Run, now: datetime) -> Progress:
    counted = Result.objects.filter(run=run).aggregate(done=Count("id"), failed=Count("id", filter=~Q(error_code="")))
    done = counted["done"]
    left = None
    if run.state == Run.State.RUNNING and run.started_at and done >= 10:
        left = (now - run.started_at).total_seconds() / done * (run.total - done)
    return Progress(done, run.total, counted["failed"], run.spent_usd, left)


def summary_of(run: Run) -> Summary:
    """The kept figures of a finished run, else those of what is there so far."""
    return Summary.from_json(run.summary) if run.summary else computed_summary(run)


def computed_summary(run: Run) -> Summary:
    """Read every result and score of the run."""
    counted = Result.objects.filter(run=run).aggregate(
        done=Count("id"),
        failed=Count("id", filter=~Q(error_code="")),
        cached=Count("id", filter=Q(from_cache=True)),
        tokens_in=Sum("tokens_in"),
        tokens_out=Sum("tokens_out"),
        priced=Count("id", filter=Q(cost_usd__isnull=False)),
        answered=Count("id", filter=Q(error_code="")),
        claims=Sum("claims"),
    )
    answered = Result.objects.filter(run=run, from_cache=False, latency_ms__isnull=False)
    latencies = sorted(latency or 0 for latency in answered.values_list("latency_ms", flat=True))
    is_priced = run.target_id is None or counted["priced"] == counted["answered"]
    return Summary(
        done=counted["done"],
        failed=counted["failed"],
        from_cache=counted["cached"],
        tokens_in=counted["tokens_in"] or 0,
        tokens_out=counted["tokens_out"] or 0,
        cost_usd=str(_spent(run)) if is_priced else None,
        latency_p50_ms=_rank(latencies, 0.5),
        latency_p95_ms=_rank(latencies, 0.95),
        lost_calls=max((counted["claims"] or 0) - counted["done"], 0),
        evaluators=_figures(run),
    )


def _spent(run: Run) -> Decimal:
    return Run.objects.values_list("spent_usd", flat=True).get(pk=run.pk)


def _rank(ordered: Sequence[int], share: float) -> int | None:
    return ordered[round(share * (len(ordered) - 1))] if ordered else None


@dataclass(slots=True)
class Tally:
    """An evaluator's values by example, and counts of results: unscored, failed at the target, passed."""

    by_example: dict[Any, list[float]]
    unscored: int = 0
    failed: int = 0
    passed: int = 0


def _figures(run: Run) -> tuple[EvaluatorFigures, ...]:
    tallies = tallies_of(run)
    found = []
    for line in evaluators_of(run):
        tally, scale = tallies[line.evaluator_version_id], scale_of(line.evaluator_version)
        values = [sum(repeats) / len(repeats) for repeats in tally.by_example.values()]
        mean = estimate(values, scale)
        interval = mean.interval
        found.append(
            EvaluatorFigures(
                name=line.name,
                version_id=line.evaluator_version_id,
                mean=mean.value,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                n=mean.n,
                unscored=tally.unscored,
                failed=tally.failed,
                passed=tally.passed,
                method=mean.method,
                notes=mean.notes,
            )
        )
    return tuple(found)


def estimate(values: Sequence[float], scale: Scale) -> Estimate:
    """The mean with the interval that fits the range; resampling draws alike each time the page is shown."""
    if scale.is_bounded:
        return means.bounded_mean(values, low=scale.low, high=scale.high)
    if not values:
        return Estimate(None, None, 0, method="none", notes=("no scores",))
    return means.bca(values)


def tallies_of(run: Run) -> dict[int, Tally]:
    """Each evaluator's values by example: repeats of one example are averaged, for they are not independent.

    Where the target failed the worst score counts, else a version would improve by failing; a metric without a worst
    value has none for it, and the failures are shown beside it. Where the evaluator itself failed nothing counts.
    """
    scales = {line.evaluator_version_id: scale_of(line.evaluator_version) for line in evaluators_of(run)}
    tallies = {version: Tally(defaultdict(list)) for version in scales}
    rows = Score.objects.filter(run=run).values_list(
        "evaluator_version_id", "state", "value", "passed", "result__error_code", "result__example_key"
    )
    for version, state, value, passed, error_code, key in rows.iterator(chunk_size=5_000):
        tally = tallies[version]
        if state == Score.State.SCORED and value is not None:
            tally.by_example[key].append(value)
            tally.passed += bool(passed)
        elif error_code:
            tally.failed += 1
            worst = scales[version].worst
            if worst is not None:
                tally.by_example[key].append(worst)
        else:
            tally.unscored += 1
    return tallies


def results_of(run: Run, *, only_failed: bool = False) -> QuerySet[Result]:
    """The run's results with their example and scores."""
    rows = Result.objects.filter(run=run).select_related("example").prefetch_related("scores")
    return rows.exclude(error_code="") if only_failed else rows


def first_results(run: Run, keys: Sequence[uuid.UUID]) -> dict[uuid.UUID, Result]:
    """Of these examples the first repeat's result, with the example."""
    rows = Result.objects.filter(run=run, example_key__in=keys, repeat=0).select_related("example")
    return {result.example_key: result for result in rows}


def scored_by(run: Run, version_id: int) -> QuerySet[Score]:
    """The verdicts that an evaluator reached in the run, each with its result as `results_of` has it."""
    scores = Score.objects.filter(run=run, evaluator_version_id=version_id, state=Score.State.SCORED)
    return scores.select_related("result__example").prefetch_related("result__scores")
