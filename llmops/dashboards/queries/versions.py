"""What was deployed and measured in a span of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from evals.models import Run
from evals.queries import runs as run_queries
from evals.statistics.scales import Scale
from feedback.queries.traffic import Span
from llmops.common import ids
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import VersionNumber

MOST_DEPLOYMENTS = 50
MOST_RUNS = 200


@dataclass(frozen=True, slots=True)
class Deployed:
    """One move of a label."""

    path: str
    label: str
    number: int | None
    before: int | None
    by: str
    at: datetime
    reason: str

    @property
    def is_rollback(self) -> bool:
        return self.number is not None and self.before is not None and self.number < self.before


@dataclass(frozen=True, slots=True)
class Measured:
    """One evaluator's mean in one finished run, with its interval where the run has one."""

    run: str
    version: str
    evaluator: str
    mean: float
    low: float | None
    high: float | None
    n: int
    at: datetime
    scale: Scale = field(default_factory=Scale)


def version_id(project: Project, path: str, number: int) -> int | None:
    """The primary key of a prompt's numbered version, or None."""
    rows = VersionNumber.objects.filter(project=project, artifact__path=path, number=number)
    return rows.order_by("-id").values_list("version_id", flat=True).first()


def deployed(project: Project, since: datetime, until: datetime, path: str = "") -> list[Deployed]:
    """Moves of labels, newest first."""
    moves = prompt_queries.deployments_in(project).filter(at__gte=since, at__lt=until)
    if path:
        moves = moves.filter(artifact__path=path)
    return [_deployed(move) for move in moves[:MOST_DEPLOYMENTS]]


def latest_deployed(project: Project, most: int) -> list[Deployed]:
    return [_deployed(move) for move in prompt_queries.deployments_in(project)[:most]]


def measured(project: Project, span: Span, path: str = "") -> list[Measured]:
    """What evaluators said in the runs that finished in the span, oldest first."""
    since = datetime.combine(span.first, time(), span.zone)
    until = datetime.combine(span.last + timedelta(days=1), time(), span.zone)
    runs = Run.objects.filter(project=project, state=Run.State.DONE, finished_at__gte=since, finished_at__lt=until)
    if path:
        runs = runs.filter(target__artifact__path=path)
    runs = runs.select_related("target__artifact", "target__numbered").order_by("-id")[:MOST_RUNS]
    scales = run_queries.scales_of(runs)
    return [found for run in reversed(runs) for found in scores_of(run, scales)]


def _deployed(move: Any) -> Deployed:
    return Deployed(
        path=move.artifact.path,
        label=move.label_name,
        number=_number(move.to_version),
        before=_number(move.from_version),
        by=move.by_text,
        at=move.at,
        reason=move.reason,
    )


def _number(version: Any) -> int | None:
    numbered = getattr(version, "numbered", None) if version is not None else None
    return numbered.number if numbered else None


def target_name(run: Run) -> str:
    """What a run measured: a version, a column of recorded outputs, or another run's outputs."""
    if run.regrades_id is not None:
        return "outputs of an earlier run"
    if run.target is None:
        return f"recorded “{run.recorded_column}”"
    number = _number(run.target)
    return run.target.artifact.path if number is None else f"{run.target.artifact.path} v{number}"


def scores_of(run: Run, scales: Mapping[int, Scale]) -> list[Measured]:
    """The means that a finished run keeps, in its own order; empty before the end. `scales` by evaluator version."""
    if not run.summary:
        return []
    return [
        Measured(
            run=ids.public("run", run.uid),
            version=target_name(run),
            evaluator=figures.name,
            mean=figures.mean,
            low=figures.low,
            high=figures.high,
            n=figures.n,
            at=run.finished_at or run.created_at,
            scale=scales.get(figures.version_id, Scale()),
        )
        for figures in run_queries.Summary.from_json(run.summary).evaluators
        if figures.mean is not None
    ]
