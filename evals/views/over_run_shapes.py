"""How pages show the figures of a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evals.models import Run
from evals.queries import runs as run_queries
from evals.statistics.scales import Scale
from evals.views.figure_shapes import Shape, percentage

MOST_COLUMNS = 12  # of a confusion matrix


def over_run(run: Run) -> list[Shape]:
    """The figures of the whole run by evaluator, each beside the mean of its scores, and the confusion matrix."""
    found, scales = run_queries.summary_of(run), run_queries.scales_of([run])
    return [
        _over_run(one, scales[one.version_id], measured)
        for one in found.evaluators
        if (measured := found.over_run_of(one.version_id)) and one.version_id in scales
    ]


def _over_run(figures: run_queries.EvaluatorFigures, scale: Scale, measured: Mapping[str, Any]) -> Shape:
    """Figures of the whole are in the unit of the metric whose scores they sum up."""
    lines = [
        {"name": one["name"], "value": scale.shown(one["value"]), "n": one["n"], "method": one["method"]}
        for one in measured["figures"]
    ]
    if lines and figures.mean is not None:
        name = f"mean of {figures.name} over the results"
        lines.append({"name": name, "value": scale.shown(figures.mean), "n": figures.n, "method": "one score each"})
    classes = measured["classes"]
    return {
        "name": figures.name,
        "lines": lines,
        "left_out": measured["left_out"],
        "classes": None if classes is None else _classes(classes),
    }


def _classes(report: Mapping[str, Any]) -> Shape:
    """Precision, recall and F of each label, and what the outputs said instead."""
    labels = report["labels"]
    rows = []
    for one, counts in zip(report["by_label"], report["matrix"], strict=True):
        of_label = one["figures"]
        cells = [{"count": count, "right": label == one["label"]} for label, count in zip(labels, counts, strict=True)]
        shares = [percentage(of_label[name]) for name in ("precision", "recall", "f")]
        rows.append(
            {"label": one["label"] or "(empty)", "shares": shares, "support": of_label["support"], "cells": cells,
             "other": of_label["support"] - sum(counts)}
        )  # fmt: skip
    means = [
        {"name": name, "shares": [percentage(report[name][part]) for part in ("precision", "recall", "f")]}
        for name in ("macro", "micro", "weighted")
    ]
    return {
        "labels": [label or "(empty)" for label in labels],
        "rows": rows,
        "means": means,
        "accuracy": percentage(report["accuracy"]),
        "balanced": percentage(report["balanced_accuracy"]),
        "n": report["n"],
        "shows_matrix": len(labels) <= MOST_COLUMNS,
    }
