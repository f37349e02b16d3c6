"""What the run pages print, made from queries: words, tones and addresses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from evals import charts
from evals.models import Result, Run
from evals.queries import early_stops, looks, result_pages, run_pages
from evals.queries import runs as run_queries
from evals.statistics.scales import Scale
from evals.views.figure_shapes import Shape, estimate
from llmops.common import ids
from llmops.common.templatetags import ui


def run_row(run: Run, scales: Mapping[int, Scale]) -> Shape:
    """One line of the list of runs; `scales` by evaluator version."""
    named = run_pages.names(run)
    first = _first_figures(run)
    score = None
    if first is not None and first.mean is not None:
        scale = scales.get(first.version_id, Scale())
        score = {"name": first.name, **estimate(scale, first.low, first.mean, first.high)}
    return {
        "uid": named.uid,
        "title": named.title,
        "short": named.short,
        "state": run.state,
        "is_active": run.state in Run.ACTIVE,
        "done": run.shown_done,  # type: ignore[attr-defined]
        "total": run.total,
        "dataset_slug": run.dataset_version.dataset.slug,
        "dataset_number": run.dataset_version.number,
        "score": score,
        "spent_usd": run.spent_usd,
        "created_at": run.created_at,
        "by": run.by,
    }


def _first_figures(run: Run) -> run_queries.EvaluatorFigures | None:
    if run.summary is None:
        return None
    return next(iter(run_queries.Summary.from_json(run.summary).evaluators), None)


def head(run: Run, now: Any, progress: run_pages.Progress) -> Shape:
    """The head of a run's pages."""
    shown = dataclasses.asdict(run_pages.head(run, now))
    before = run_pages.before(run)
    shown |= {
        "error": run.problem if run.state in {Run.State.FAILED, Run.State.PAUSED} else "",
        "failed": progress.failed,
        "done": progress.done,
        "total": progress.total,
        "unfinished": progress.unfinished,
        "before_uid": ids.public("run", before.uid) if before else "",
        "before_title": run_pages.names(before).title if before else "",
        "again_url": _again(run),
        "group_uid": ids.public("grp", run.group.uid) if run.group else "",
        "group_name": run.group.name if run.group else "",
        "look": looks.look_of(run),
        "stopped": _stopped(run),
        "regrade_url": _again(run, regrade=run),
    }
    return shown


def _stopped(run: Run) -> Shape | None:
    """What a run that stopped early says about it."""
    found, rule = early_stops.stopped_of(run), early_stops.rule_of(run)
    if found is None or rule is None:
        return None
    words = ", ".join(f"{word.word} on {name}" for name, word in found.evaluators.items())
    return {
        "used": found.used,
        "planned": found.planned,
        "saved": f"{found.saved:.0%}".replace("%", " %"),
        "words": words,
        "is_futile": found.is_futile,
        "baseline_uid": ids.public("run", rule.baseline),
    }


def _again(run: Run, regrade: Run | None = None) -> str:
    wanted: dict[str, Any] = {"dataset": run.dataset_version.dataset.slug, "repeats": run.repeats}
    regrade = regrade or run.regrades
    if run.split:
        wanted |= {"split": run.split}
    if regrade is not None:
        wanted |= {"source": "regrade", "regrades": ids.public("run", regrade.uid)}
    elif run.target is not None:
        wanted |= {"prompt": run.target.artifact.path}
    else:
        wanted |= {"source": "recorded", "recorded": run.recorded_column}
    slugs = [
        line.evaluator_version.evaluator.slug
        for line in run_queries.evaluators_of(run)
        if line.evaluator_version.evaluator is not None
    ]
    query = urlencode(wanted | {"evaluators": slugs}, doseq=True)
    return f"{reverse('evals:run-new', args=[run.project.slug])}?{query}"


def provenance(run: Run) -> Iterator[Shape]:
    """Where a run comes from: hashes to copy, names to follow."""
    if run.target is not None:
        path = run.target.artifact.path
        yield {"name": "prompt", "text": path, "url": reverse("prompts:editor", args=[run.project.slug, path])}
        yield {"name": "commit", "hash": run.target.commit.hex}
        yield {"name": "blob", "hash": run.target.content.blob}
    elif run.regrades is not None:
        uid = ids.public("run", run.regrades.uid)
        yield {"name": "outputs of", "text": uid, "url": reverse("evals:run-detail", args=[run.project.slug, uid])}
    else:
        yield {"name": "recorded column", "text": run.recorded_column}
    if run.dataset_version.content_hash:
        yield {"name": "dataset hash", "hash": run.dataset_version.content_hash}
    if run.model:
        yield {"name": "model asked", "text": run.model}
    for name, value in sorted(run.parameters.items()):
        yield {"name": name, "text": str(value)}
    for line in run_queries.evaluators_of(run):
        yield {"name": line.name, "hash": line.evaluator_version.spec_hash}


def money(run: Run) -> Iterator[Shape]:
    """What a run cost, in money and time."""
    figures = run_queries.summary_of(run)
    yield {
        "name": "spent",
        "text": ui.money(run.spent_usd),
        "note": f"of {ui.money(run.cap_usd)}" if run.cap_usd else "",
    }
    yield {"name": "tokens", "text": f"{figures.tokens_in:,} in, {figures.tokens_out:,} out"}
    yield {"name": "from cache", "text": f"{figures.from_cache:,} of {figures.done:,}"}
    yield {"name": "latency", "text": ui.milliseconds(figures.latency_p50_ms), "note": "median"}
    yield {"name": "p95", "text": ui.milliseconds(figures.latency_p95_ms)}
    if figures.lost_calls:
        yield {"name": "made twice", "text": str(figures.lost_calls), "note": "calls whose worker ended"}


def result_row(row: result_pages.ResultRow, *, toggle_url: str, detail: Shape | None = None) -> Shape:
    shown = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    latency = ui.milliseconds(row.latency_ms) if row.latency_ms is not None else ""
    return shown | {"latency": latency, "toggle_url": toggle_url, "detail": detail}


def detail(run: Run, result: Result, *, page_url: str = "", may_edit: bool = False) -> Shape:
    """Everything of one result."""
    found = result_pages.result_detail(run, result)
    shown = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    slug = run.project.slug
    example_url = (
        reverse("evals:example-edit", args=[slug, run.dataset_version.dataset.slug, found.example_key])
        if may_edit and found.example_key
        else ""
    )
    return shown | {
        "spans": [
            {
                "name": span.name,
                "kind": "model" if span.kind == "llm" else span.kind,
                "x": span.x,
                "width": span.width,
                "took": ui.milliseconds(span.duration_ms),
            }
            for span in charts.span_bars(found.spans)
        ],
        "latency": ui.milliseconds(found.latency_ms),
        "facts": [{"name": name, "text": text} for name, text in found.facts],
        "page_url": page_url,
        "example_url": example_url,
    }
