"""The comparison of the main job as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from evals.models import Run
from evals.queries import comparisons
from evals.queries import runs as run_queries
from evals.statistics import Estimate, verdicts
from evals.statistics.scales import Scale


def lines(baseline: Run, candidate: Run) -> Iterator[str]:
    """The table: each evaluator on both versions with 95 % intervals, the paired difference, and the verdict."""
    head = ("evaluator", "v1", "v2", "difference", "verdict")
    rows = list(_rows(baseline, candidate))
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    for row in [head, tuple("-" * width for width in widths), *rows]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _rows(baseline: Run, candidate: Run) -> Iterator[tuple[str, str, str, str, str]]:
    first, second = (
        {figures.name: figures for figures in run_queries.summary_of(run).evaluators} for run in (baseline, candidate)
    )
    for compared in comparisons.comparison_of(baseline, candidate).evaluators:
        verdict = compared.verdict
        difference = compared.comparison.difference
        yield (
            compared.name,
            _shown(first[compared.name], compared.scale),
            _shown(second[compared.name], compared.scale),
            _difference(difference, compared.scale),
            verdict.word
            if verdict.word in (verdicts.BETTER, verdicts.WORSE)
            else f"{verdict.word}: {verdict.sentence}",
        )


def _shown(figures: run_queries.EvaluatorFigures, scale: Scale) -> str:
    if figures.mean is None:
        return "no scores"
    interval = scale.interval(figures.low, figures.high)
    return f"{scale.shown(figures.mean)}{f' ({interval})' if interval else ''}, n {figures.n}"


def _difference(difference: Estimate, scale: Scale) -> str:
    value, interval = difference.value, difference.interval
    if value is None:
        return "unknown"
    return scale.difference(value) + (f" ({scale.differences(interval.low, interval.high)})" if interval else "")
