"""Matrices of runs: each cell's quality beside its price and latency, and which cells nothing else beats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from evals.models import Result, Run, RunEvaluator, RunGroup
from evals.queries import run_pages, runs
from evals.queries.runs import EvaluatorFigures
from evals.statistics import pareto
from evals.statistics.scales import Scale
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.gateway import pricing
from llmops.gateway import queries as gateway_queries
from llmops.gateway.types import Usage
from llmops.projects.models import Project

MOST_LATENCIES = 200_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a matrix. `figures` of the chosen evaluator are None until the run is done.

    `usd_per_1000` is what a thousand answers cost at today's prices, whatever came from the cache; None where tokens
    or prices are not known. `latency_p50_ms` is over every answer, measured when it was first made.
    """

    run: Run
    version: str
    model: str
    connection: str
    parameters: Mapping[str, object]
    figures: EvaluatorFigures | None
    usd_per_1000: Decimal | None
    latency_p50_ms: int | None
    best_for_cost: bool = False
    best_for_latency: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """A group with its cells, the best first; `chosen` is the evaluator that says how good."""

    group: RunGroup
    cells: tuple[Cell, ...]
    evaluators: tuple[str, ...]
    chosen: str
    scale: Scale
    spent_usd: Decimal
    done: int
    total: int
    states: Mapping[str, int]

    @property
    def is_active(self) -> bool:
        return any(self.states.get(state, 0) for state in Run.ACTIVE)


def groups_in(project: Project) -> QuerySet[RunGroup]:
    """The project's matrices, newest first, with how many runs each has and how many of them are done."""
    return (
        RunGroup.objects.filter(project=project)
        .annotate(
            runs_all=Count("runs"),
            runs_done=Count("runs", filter=Q(runs__state__in=Run.FINISHED)),
            spent_usd=Sum("runs__spent_usd"),
        )
        .order_by("-id")
    )


def group_in(project: Project, uid: str) -> RunGroup:
    """:raises NotFound: when the project has no such matrix."""
    group = RunGroup.objects.filter(project=project, uid=ids.parse("grp", uid)).select_related("project").first()
    if group is None:
        raise NotFound("There is no such matrix here.")
    return group


def matrix_of(group: RunGroup, chosen: str = "") -> Matrix:
    """The matrix as it stands; `chosen` is an evaluator's name, else the first is taken."""
    members = list(runs.runs_in(group.project).filter(group=group).select_related("connection").order_by("id"))
    lines = list(RunEvaluator.objects.filter(run__in=members[:1]).select_related("evaluator_version").order_by("id"))
    names = tuple(line.name for line in lines)
    line = next((line for line in lines if line.name == chosen), lines[0] if lines else None)
    scale = runs.scale_of(line.evaluator_version) if line else Scale()
    higher = scale.higher_is_better
    cells = _marked(_cells(group, members, line.name if line else ""), higher)
    states: dict[str, int] = defaultdict(int)
    for run in members:
        states[run.state] += 1
    return Matrix(
        group=group,
        cells=tuple(sorted(cells, key=lambda cell: _rank(cell, higher))),
        evaluators=names,
        chosen=line.name if line else "",
        scale=scale,
        spent_usd=sum((run.spent_usd for run in members), Decimal(0)),
        done=Result.objects.filter(run__in=members).count(),
        total=sum(run.total for run in members),
        states=states,
    )


def _rank(cell: Cell, higher: bool) -> tuple[bool, float, int]:
    if cell.figures is None or cell.figures.mean is None:
        return (True, 0.0, cell.run.pk)
    return (False, -cell.figures.mean if higher else cell.figures.mean, cell.run.pk)


def _cells(group: RunGroup, members: Sequence[Run], chosen: str) -> list[Cell]:
    counted = {
        row["run_id"]: row
        for row in Result.objects.filter(run__in=members, error_code="")
        .values("run_id")
        .annotate(n=Count("id"), known=Count("tokens_out"), all_in=Sum("tokens_in"), all_out=Sum("tokens_out"))
    }
    medians = _medians(members)
    prices = gateway_queries.price_overrides(group.project_id)
    found = []
    for run in members:
        row = counted.get(run.pk)
        usd = None
        if row and row["n"] == row["known"] and run.connection is not None:
            usage = Usage(row["all_in"], row["all_out"])
            whole = pricing.cost(usage, kind=run.connection.kind, model=run.model, overrides=prices)
            usd = None if whole is None else (whole * 1000 / row["n"]).quantize(Decimal("0.000001"))
        found.append(
            Cell(
                run=run,
                version=run_pages.names(run).version_word or run_pages.names(run).title,
                model=run.model,
                connection=run.connection.name if run.connection else "",
                parameters=run.parameters,
                figures=_figures(run, chosen),
                usd_per_1000=usd,
                latency_p50_ms=medians.get(run.pk),
            )
        )
    return found


def _figures(run: Run, chosen: str) -> EvaluatorFigures | None:
    if run.summary is None:
        return None
    return next((one for one in runs.summary_of(run).evaluators if one.name == chosen), None)


def _medians(members: Sequence[Run]) -> dict[int, int]:
    latencies: dict[int, list[int]] = defaultdict(list)
    rows = Result.objects.filter(run__in=members, error_code="", latency_ms__isnull=False).order_by("run_id", "id")
    for run_id, latency in rows.values_list("run_id", "latency_ms")[:MOST_LATENCIES].iterator(chunk_size=10_000):
        latencies[run_id].append(latency or 0)
    return {run_id: sorted(found)[(len(found) - 1) // 2] for run_id, found in latencies.items()}


def _marked(cells: Sequence[Cell], higher: bool) -> list[Cell]:
    """Only cells with a score and the effort in question can be on a front."""
    sign = 1.0 if higher else -1.0
    marks: dict[str, set[int]] = {"cost": set(), "latency": set()}
    for name, effort in (("cost", "usd_per_1000"), ("latency", "latency_p50_ms")):
        able = [
            (cell.run.pk, (sign * cell.figures.mean, float(getattr(cell, effort))))
            for cell in cells
            if cell.figures is not None and cell.figures.mean is not None and getattr(cell, effort) is not None
        ]
        front = pareto.front([point for _, point in able])
        marks[name] = {pk for (pk, _), is_kept in zip(able, front, strict=True) if is_kept}
    return [
        replace(cell, best_for_cost=cell.run.pk in marks["cost"], best_for_latency=cell.run.pk in marks["latency"])
        for cell in cells
    ]
