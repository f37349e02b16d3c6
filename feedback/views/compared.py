"""What the runs of a drafted prompt print: one line for each evaluator, on the slice and on the whole set."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from evals.models import Run
from evals.queries.comparisons import ComparedEvaluator, RunComparison
from feedback.queries.theme_drafts import Evaluated
from llmops.common import ids
from llmops.projects.models import Project

TONES = {"better": "good", "worse": "bad", "no worse": "good", "not known yet": "neutral"}
ICONS = {"better": "trending-up", "worse": "trending-down", "no worse": "check", "not known yet": "circle-dashed"}

Shape = dict[str, Any]


def shown(project: Project, found: Evaluated) -> Shape:
    """Both comparisons, the runs with their states, and the page with everything behind them."""
    first, second = ids.public("run", found.baseline.uid), ids.public("run", found.candidate.uid)
    return {
        "runs": [_run(project, "Live", found.baseline), _run(project, "Draft", found.candidate)],
        "is_done": found.is_done,
        "slice_rows": found.slice_rows,
        "parts": [
            {"title": "On the theme’s slice", "lines": _lines(found.on_slice)},
            {"title": "On the whole set", "lines": _lines(found.on_whole)},
        ],
        "compare_url": f"{reverse('evals:run-compare', args=[project.slug])}?a={first}&b={second}",
    }


def _run(project: Project, name: str, run: Run) -> Shape:
    return {
        "name": name,
        "state": run.state,
        "url": reverse("evals:run-detail", args=[project.slug, ids.public("run", run.uid)]),
    }


def _lines(found: RunComparison | None) -> list[Shape]:
    return [_line(one) for one in found.evaluators] if found else []


def _line(one: ComparedEvaluator) -> Shape:
    """As the page that compares runs words it; in the metric's own unit."""
    difference = one.comparison.difference
    interval = difference.interval
    sentence = one.verdict.sentence
    return {
        "name": one.name,
        "word": one.verdict.word.capitalize(),
        "tone": TONES[one.verdict.word],
        "icon": ICONS[one.verdict.word],
        "sentence": f"{sentence[:1].upper()}{sentence[1:]}.",
        "before": one.scale.shown(one.baseline_mean),
        "after": one.scale.shown(one.candidate_mean),
        "difference": one.scale.difference(difference.value),
        "interval": one.scale.differences(interval.low, interval.high) if interval else "",
        "n": difference.n,
        "unscored": difference.unscored,
    }
