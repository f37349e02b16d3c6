"""Figures of one run as its page prints them: rates with their intervals, in parts and over repeats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.urls import reverse

from evals.models import EvaluatorVersion, Run, RunEvaluator
from evals.queries import boards, certificates, dataset_pages, flakiness, run_pages
from evals.queries import runs as run_queries
from evals.queries import slices as slicing
from evals.queries.corrected_means import CorrectedRate
from evals.statistics.scales import Axis, Scale
from llmops.common import ids

Shape = dict[str, Any]
SHARES = Scale()


def percentage(value: float | None) -> str:
    return SHARES.shown(value)


def bar(low: float | None, point: float | None, high: float | None, *, span: tuple[float, float] = (0.0, 1.0),
        reference: float | None = None, tone: str = "neutral", words: str = "") -> Shape | None:  # fmt: skip
    """The numbers of an interval's drawing, and what it says in words; None when there is no interval."""
    if low is None or point is None or high is None:
        return None
    words = words or f"{point:.3g}, interval {low:.3g} to {high:.3g}"
    return {
        "low": low, "point": point, "high": high, "start": span[0], "end": span[1], "reference": reference,
        "tone": tone, "words": words,
    }  # fmt: skip


def interval_words(low: float | None, high: float | None) -> str:
    return SHARES.interval(low, high)


def estimate(
    scale: Scale, low: float | None, value: float | None, high: float | None, *, axis: Axis | None = None, **drawn: Any
) -> Shape:
    """A mean in the unit of its metric: in words, with its interval, and as a drawing on the axis.

    Without an axis it is drawn over the metric's range; where there is no range either, not at all.
    """
    shown, between = scale.shown(value), scale.interval(low, high)
    on = axis or (scale.axis() if scale.is_bounded else None)
    words = f"{shown}, interval {between}"
    drawing = None if on is None else bar(low, value, high, span=(on.start, on.end), words=words, **drawn)
    return {"value": shown, "interval": between, "bar": drawing}


def summary(run: Run, now: datetime) -> Shape:
    """Every evaluator's line, and what stands at the ends of their drawings where these have an axis in common."""
    lines = list(_summary_lines(run, now))
    axes = {(line["axis"].low, line["axis"].high) for line in lines if line["axis"]}
    low, high = axes.pop() if len(axes) == 1 else ("lowest", "highest") if axes else ("", "")
    return {"lines": lines, "axis": {"low": low, "high": high}}


def _summary_lines(run: Run, now: datetime) -> Iterator[Shape]:
    """One line for each evaluator; a judged rate also as people would give it, where the judge has a certificate."""
    lines = {line.name: line for line in run_queries.evaluators_of(run)}
    found = run_queries.summary_of(run)
    corrected = certificates.corrected(run, found, now)
    for figures in found.evaluators:
        version = lines[figures.name].evaluator_version if figures.name in lines else None
        evaluator = version.evaluator if version else None
        scale = run_queries.scale_of(version) if version else SHARES
        yield {
            **estimate(scale, figures.low, figures.mean, figures.high),
            "axis": scale.axis() if scale.is_bounded else None,
            "name": figures.name,
            "url": reverse("evals:evaluator-detail", args=[run.project.slug, evaluator.slug]) if evaluator else "",
            "note": f"{figures.failed} failed count as worst" if figures.failed else "",
            "blind": _blind_words(run, version) if version else "",
            "n": figures.n,
            "unscored": figures.unscored,
            "method": figures.method,
            "corrected": _corrected(run, corrected[figures.name]) if figures.name in corrected else None,
            "order": _order_words(run, version) if version else "",
            "board_url": _board_url(run, version) if version else "",
        }


def _corrected(run: Run, rate: CorrectedRate) -> Shape:
    certificate = rate.certificate
    evaluator = certificate.evaluator_version.evaluator
    return {
        **estimate(SHARES, rate.low, rate.value, rate.high),
        "usable": rate.is_usable,
        "reasons": "; ".join(rate.reasons),
        "method": rate.method,
        "n": certificate.n,
        "url": reverse(
            "evals:certificate-detail",
            args=[run.project.slug, evaluator.slug, ids.public("cert", certificate.uid)],
        )
        if evaluator
        else "",
    }


def _blind_words(run: Run, version: EvaluatorVersion) -> str:
    """What asking again against a false reference showed; empty for a judge that does not."""
    found = certificates.blind_passes(run, version)
    if found is None:
        return ""
    flagged, asked = found
    if not flagged:
        return f"none of {asked:,} passes holds against a false reference"
    return f"{flagged:,} of {asked:,} pass against a false reference too: their outputs may talk the judge round"


def _board_url(run: Run, version: EvaluatorVersion) -> str:
    """Where a pairwise judge's verdicts of all runs come together; empty for every other evaluator."""
    key = boards.key_of(version)
    return f"{reverse('evals:run-board', args=[run.project.slug])}?judge={key}" if key else ""


def _order_words(run: Run, version: EvaluatorVersion) -> str:
    """What a pairwise judge's two orders say about the judge; empty for every other evaluator."""
    if version.spec.get("scale", {}).get("kind") != "pairwise":
        return ""
    bias = certificates.order_bias(run, version)
    share, interval = bias.share.value, bias.share.interval
    if share is None or interval is None:
        return f"{bias.order_sensitive} of {bias.pairs} change with the order"
    warning = "; prefers a place" if bias.share.notes else ""
    return (
        f"{bias.order_sensitive} of {bias.pairs} change with the order; first place won {share:.0%} "
        f"({interval.low:.0%} to {interval.high:.0%}){warning}"
    )


def slices(run: Run, *, by: str, evaluator: int) -> Shape:
    """The chosen evaluator's scores (the first one's else) in parts, beside the whole run's."""
    lines = run_queries.evaluators_of(run)
    line = next((one for one in lines if one.evaluator_version_id == evaluator), lines[0] if lines else None)
    summary = run_queries.summary_of(run).evaluators
    figures = next((one for one in summary if line is not None and one.version_id == line.evaluator_version_id), None)
    ways = slicing.dimensions_of(run)
    if line is None or figures is None or figures.mean is None or not ways:
        return {"rows": [], "ways": []}
    found = slicing.slices_of(run, line, by if by in ways else ways[0])
    scale = run_queries.scale_of(line.evaluator_version)
    axis = scale.axis([figures.mean, *(end for one in found.rows for end in _ends(one))])
    return {
        "name": figures.name,
        "whole": scale.shown(figures.mean),
        "ways": [{"key": way, "name": way.removeprefix(slicing.METADATA), "chosen": way == found.by} for way in ways],
        "by": found.by,
        "by_tag": found.by == slicing.TAG,
        "column": found.by.removeprefix(slicing.METADATA).capitalize(),
        "left_out": found.left_out,
        "few": slicing.FEW,
        "count_word": "Right" if all(one.passed is not None for one in found.rows) else "Examples",
        "axis_low": axis.low,
        "axis_high": axis.high,
        "rows": [_slice(one, figures.mean, scale, axis) for one in found.rows],
    }


def _ends(one: slicing.Slice) -> tuple[float | None, float | None]:
    interval = one.estimate.interval
    return (interval.low, interval.high) if interval else (None, None)


def _slice(one: slicing.Slice, whole: float, scale: Scale, axis: Axis) -> Shape:
    low, high = _ends(one)
    tone = "neutral"
    if low is not None and high is not None and not low <= whole <= high:
        tone = "good" if (low > whole) == scale.higher_is_better else "bad"
    shown = estimate(scale, low, one.estimate.value, high, axis=axis, reference=whole, tone=tone)
    return shown | {
        "name": one.name,
        "counts": f"{one.n:,}" if one.passed is None else f"{one.passed:,} of {one.n:,}",
        "value": "" if one.is_small else shown["value"],
    }


def reliability(run: Run, line: RunEvaluator | None) -> Shape | None:
    """How often repeats of an example disagree; None where nothing was repeated."""
    found = flakiness.flakiness_of(run, line) if line is not None else None
    if found is None:
        return None
    lines = [
        ("Two repeats of an example disagree", "flake rate", found.rate),
        (f"At least one of {found.repeats} repeats passes", f"pass@{found.repeats}", found.any_passes),
        (f"All {found.repeats} repeats pass", f"pass^{found.repeats}", found.all_pass),
    ]
    shown = [
        {
            "question": question,
            "name": name,
            "value": percentage(estimate.value),
            "interval": interval_words(estimate.interval.low, estimate.interval.high) if estimate.interval else "",
            "n": estimate.n,
        }
        for question, name, estimate in lines
    ]
    uid = run_pages.names(run).uid
    return {
        "name": found.name,
        "repeats": found.repeats,
        "mixed": found.mixed,
        "repeated": found.repeated,
        "lines": shown,
        "examples": [
            {
                "number": one.number,
                "inputs": dataset_pages.one_line(one.inputs),
                "n": one.n,
                "passed": one.passed,
                "rate": percentage(one.rate),
                "url": reverse("evals:result-detail", args=[run.project.slug, uid, ids.public("res", one.result_uid)]),
            }
            for one in found.worst
        ],
    }
