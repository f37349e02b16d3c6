"""Figures over a whole run, made after it has finished: too much reading for the thread that keeps other runs going."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from evals import metrics
from evals.models import Result, Run
from evals.queries import runs as queries
from llmops.common import jobs

TASK = "evals.measure_run"
BATCH = 500
LOST_AFTER = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(hours=1)


def ask(run: Run) -> None:
    """Have a finished run measured, where one of its evaluators has figures of its own for the whole."""
    if any(metrics.measures_runs(line.evaluator_version.spec) for line in queries.evaluators_of(run)):
        jobs.enqueue(TASK, run_id=run.pk)


def work(*, run_id: int) -> None:
    """Read the run's outputs once and keep the figures with its summary; safe to run twice and to die anywhere."""
    run = Run.objects.filter(pk=run_id, summary__isnull=False).first()
    if run is None:
        return
    measures = {}
    for line in queries.evaluators_of(run):
        measure = metrics.measure(line.evaluator_version.spec)
        if measure is not None:
            measures[line.evaluator_version_id] = measure
    for output, expected in _results(run):
        for measure in measures.values():
            measure.add(output, expected)
    _keep(run, [{"version_id": version, **asdict(measure.found())} for version, measure in measures.items()])


@transaction.atomic
def _keep(run: Run, found: list[dict[str, Any]]) -> None:
    row = Run.objects.select_for_update().get(pk=run.pk)
    if row.summary is None or row.finished_at != run.finished_at:  # it went on meanwhile, and will be measured again
        return
    row.summary = {**row.summary, "over_run": found}
    row.save(update_fields=["summary"])


def _results(run: Run) -> Iterator[tuple[str, Any]]:
    """Each output with what was expected; a failed one is empty."""
    last = 0
    while True:
        rows = Result.objects.filter(run=run, id__gt=last).order_by("id")
        batch = list(rows.values_list("id", "output", "error_code", "example__expected")[:BATCH])
        for _, output, error, expected in batch:
            yield ("" if error else output), expected
        if len(batch) < BATCH:
            return
        last = batch[-1][0]


def ask_again(*, now: datetime) -> None:
    """Wake what was lost with its message: runs that finished within the hour and were never measured."""
    since, until = now - GIVEN_UP_AFTER, now - LOST_AFTER
    for run in Run.objects.filter(state=Run.State.DONE, finished_at__range=(since, until)):
        if run.summary is not None and run.summary.get("over_run") is None:
            ask(run)
