"""What the certificate pages print: figures with their intervals, as words and places on a bar."""

from __future__ import annotations

import math
from typing import Any

from evals.models import JudgeCertificate
from evals.statistics.scales import Scale
from evals.views import figure_shapes
from llmops.common import ids

Shape = dict[str, Any]

RATES = {
    "agreement": ("Agreement", "share of labels that the judge gave too"),
    "tpr": ("Passes found", "of what people pass, the share that the judge passes (TPR)"),
    "tnr": ("Fails found", "of what people fail, the share that the judge fails (TNR)"),
}
COEFFICIENTS = {
    "kappa": ("Kappa", "agreement beyond chance: 0 is chance, 1 is perfect"),
    "ac1": ("AC1", "the same, and sensible when one class dominates"),
    "mcc": ("MCC", "correlation of labels and verdicts"),
    "correlation": ("Correlation", "of people's numbers and the judge's (Pearson)"),
}
OFFSETS = {"bias": ("Bias", "points of 100 by which the judge's mean is above people's")}
SIZES = {"error": ("Error", "points of 100 by which a single score is off, on average")}
LEAST_REACH = 0.2  # of the drawing of a bias or an error: what is drawn wider than it is looks alarming


def row(certificate: JudgeCertificate) -> Shape:
    """One line of an evaluator's list."""
    figures = certificate.figures
    return {
        "uid": ids.public("cert", certificate.uid),
        "version": certificate.evaluator_version.number,
        "model": certificate.model_asked,
        "n": certificate.n,
        "kappa": coefficient(figures["kappa"]),
        "tpr": rate(figures.get("tpr")),
        "tnr": rate(figures.get("tnr")),
        "correlation": coefficient(figures.get("correlation") or figures.get("mcc")),
        "usable": certificate.is_usable,
        "reasons": "; ".join(certificate.reasons),
        "source": certificate.label_source or f"column “{certificate.label_column}”",
        "measured_at": certificate.measured_at,
    }


def whole(certificate: JudgeCertificate) -> Shape:
    """A certificate's own page."""
    run = certificate.run
    return {
        **row(certificate),
        "figures": [
            *_lines(certificate, RATES, rate, (0.0, 1.0)),
            *_lines(certificate, COEFFICIENTS, coefficient, (-1.0, 1.0)),
            *_lines(certificate, OFFSETS, points, (-_reach(certificate, "bias"), _reach(certificate, "bias"))),
            *_lines(certificate, SIZES, size, (0.0, _reach(certificate, "error"))),
        ],
        "groups": certificate.figures.get("groups"),
        "largest": f"{certificate.figures['largest_class'] * 100:.0f} %",
        "classes": certificate.classes,
        "lines": [
            {"name": name, "cells": [*cells, lost]}
            for name, cells, lost in zip(certificate.classes, certificate.table, certificate.no_verdict, strict=True)
        ],
        "orders": _orders(certificate),
        "answered": ", ".join(certificate.models_answered),
        "column": certificate.label_column,
        "positive": certificate.positive_label,
        "not_labelled": certificate.not_labelled,
        "not_judged": certificate.not_judged,
        "by": certificate.by,
        "run_uid": ids.public("run", run.uid),
        "dataset": run.dataset_version.dataset.slug,
        "dataset_version": run.dataset_version.number,
    }


def rate(one: Shape | None) -> str:
    """Such as `93 % (86 to 96)`; a dash where it is not defined."""
    if one is None or one["value"] is None:
        return "–"
    interval = "" if one["low"] is None else f" ({one['low'] * 100:.0f} to {one['high'] * 100:.0f})"
    return f"{one['value'] * 100:.0f} %{interval}"


def coefficient(one: Shape | None) -> str:
    """Such as `0.72 (0.60 to 0.83)`; a dash where it is not defined."""
    if one is None or one["value"] is None:
        return "–"
    interval = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f})"
    return f"{one['value']:.2f}{interval}"


def points(one: Shape | None) -> str:
    """Such as `+4.2 (+1.0 to +7.4)`; a dash where it is not defined."""
    if one is None or one["value"] is None:
        return "–"
    interval = "" if one["low"] is None else f" ({one['low'] * 100:+.1f} to {one['high'] * 100:+.1f})"
    return f"{one['value'] * 100:+.1f}{interval}"


def size(one: Shape | None) -> str:
    """Such as `13.1 (11.0 to 15.6)`: what has no sign."""
    return points(one).replace("+", "")


def _reach(certificate: JudgeCertificate, key: str) -> float:
    """How far the drawing of a figure goes, so that it can be read: to a round number beyond its interval."""
    one = certificate.figures.get(key) or {}
    ends = [abs(one[end]) for end in ("low", "high") if one.get(end) is not None]
    return Scale(-math.inf, math.inf).axis([LEAST_REACH, *ends]).end


def _lines(
    certificate: JudgeCertificate, names: dict[str, tuple[str, str]], show: Any, span: tuple[float, float]
) -> list[Shape]:
    found = []
    for key, (name, meaning) in names.items():
        one = certificate.figures.get(key)
        if one is None or (one["value"] is None and key not in RATES):  # of a rate it says that a label is missing
            continue
        reference = 0.0 if span[0] < 0 else None
        drawn = figure_shapes.bar(
            one["low"], one["value"], one["high"], span=span, reference=reference, words=show(one)
        )
        found.append({"name": name, "meaning": meaning, "value": show(one), "bar": drawn})
    return found


def _orders(certificate: JudgeCertificate) -> list[tuple[str, str]]:
    """A pairwise judge in each order, against people."""
    orders = certificate.figures.get("orders")
    if orders is None:
        return []
    n = orders["n"]
    counts = [
        ("right, the output first", "right_as_is"), ("right, the output second", "right_swapped"),
        ("right in both orders", "right_in_both"), ("the same in both orders", "same_in_both"),
    ]  # fmt: skip
    lines = [(name, f"{orders[key]} of {n}") for name, key in counts]
    lines.append(("kappa between the orders", coefficient(orders["kappa"])))
    return [*lines, ("votes for the first place", rate(orders["first_place"]))]
