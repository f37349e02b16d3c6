"""What the page of a matrix prints: a table, and two pictures of what quality costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from evals import charts
from evals.models import Run
from evals.queries import run_pages
from evals.queries.comparisons import MOST_IN_PAIRS
from evals.queries.run_groups import Cell, Matrix
from evals.statistics.scales import Axis, Scale
from evals.views.figure_shapes import estimate
from llmops.common import ids
from llmops.common.templatetags import ui

Shape = dict[str, Any]
HEAD = ["Run", "Score", "95 % interval", "n"]


def page(matrix: Matrix) -> Shape:
    group, scale = matrix.group, matrix.scale
    known = [cell.figures for cell in matrix.cells if cell.figures]
    axis = scale.axis(end for figures in known for end in (figures.low, figures.high))
    return {
        "head": {
            "uid": ids.public("grp", group.uid), "name": group.name, "by": group.by, "created_at": group.created_at,
            "runs": len(matrix.cells), "done": matrix.done, "total": matrix.total, "spent_usd": matrix.spent_usd,
            "cap_usd": group.cap_usd, "active": matrix.is_active, "paused": matrix.states.get(Run.State.PAUSED, 0),
        },
        "cells": [_row(cell, scale, axis) for cell in matrix.cells],
        "evaluators": matrix.evaluators,
        "chosen": matrix.chosen,
        "axis": axis,
        "lower_is_better": not scale.higher_is_better,
        "charts": list(_charts(matrix)),
        "pairs_query": _pairs_query(matrix),
    }  # fmt: skip


def _pairs_query(matrix: Matrix) -> str:
    """The best cells that are done, as the page of pairs takes them."""
    done = [run_pages.names(cell.run).uid for cell in matrix.cells if cell.run.state == Run.State.DONE]
    return urlencode({"run": done[:MOST_IN_PAIRS], "by": matrix.chosen}, doseq=True) if len(done) > 1 else ""


def name_of(cell: Cell) -> str:
    """Version, model and what parameters were set, in one line."""
    return " · ".join(part for part in (cell.version, cell.model, parameters_of(cell)) if part)


def parameters_of(cell: Cell) -> str:
    return ", ".join(
        f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(cell.parameters.items())
    )


def _row(cell: Cell, scale: Scale, axis: Axis) -> Shape:
    named, figures = run_pages.names(cell.run), cell.figures
    shown: Shape = {"value": "", "bar": None}
    if figures and figures.mean is not None:
        shown = estimate(scale, figures.low, figures.mean, figures.high, axis=axis)
    return {
        "uid": named.uid,
        "version": cell.version,
        "model": cell.model,
        "connection": cell.connection,
        "parameters": parameters_of(cell),
        "state": cell.run.state,
        "score": shown["value"],
        "bar": shown["bar"],
        "n": figures.n if figures else 0,
        "cost": "" if cell.usd_per_1000 is None else ui.money(cell.usd_per_1000),
        "latency": "" if cell.latency_p50_ms is None else ui.milliseconds(cell.latency_p50_ms),
        "best_for_cost": cell.best_for_cost,
        "best_for_latency": cell.best_for_latency,
    }


def _charts(matrix: Matrix) -> Iterator[Shape]:
    yield from _chart(
        matrix, "cost", "Quality against cost", "USD for 1,000 answers",
        effort=lambda cell: None if cell.usd_per_1000 is None else float(cell.usd_per_1000),
        is_best=lambda cell: cell.best_for_cost, shown=ui.money, prefix="$",
    )  # fmt: skip
    yield from _chart(
        matrix, "latency", "Quality against latency", "median seconds of an answer",
        effort=lambda cell: None if cell.latency_p50_ms is None else cell.latency_p50_ms / 1000,
        is_best=lambda cell: cell.best_for_latency, shown=lambda value: ui.milliseconds(value * 1000), suffix=" s",
    )  # fmt: skip


def _chart(
    matrix: Matrix, key: str, title: str, unit: str, *, effort: Callable[[Cell], float | None],
    is_best: Callable[[Cell], bool], shown: Callable[[float], Any], prefix: str = "", suffix: str = "",
) -> Iterator[Shape]:  # fmt: skip
    """One chart with its table, when there are two points at least: one alone says nothing."""
    points, rows = [], []
    for cell in matrix.cells:
        figures, taken = cell.figures, effort(cell)
        if figures is None or figures.mean is None or taken is None:
            continue
        best = is_best(cell)
        points.append(charts.Point(name_of(cell), figures.mean, figures.low, figures.high, taken, best))
        interval = matrix.scale.interval(figures.low, figures.high) or "–"
        rows.append(
            [name_of(cell), matrix.scale.shown(figures.mean), interval, f"{figures.n:,}", str(shown(taken)),
             "nothing is better" if best else "another is better"]
        )  # fmt: skip
    if len(points) < 2:
        return
    unbeaten = sum(point.is_best for point in points)
    yield {
        "name": f"chart-{key}",
        "title": title,
        "summary": f"{unbeaten} of {len(points)} are not beaten in both",
        "figure": charts.tradeoff(
            points, scale=matrix.scale, quality=matrix.chosen, effort=unit, prefix=prefix, suffix=suffix
        ),
        "head": [*HEAD, unit.capitalize(), "Verdict"],
        "rows": rows,
    }
