"""Scoring recorded outputs: real answers of four systems, and the verdicts that their authors published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evals.engine import Limits
from evals.importers.rows import ExampleRow
from evals.models import Result, Run, Score, WorkItem
from evals.queries import runs as queries
from evals.services import dataset_examples, datasets, imports, run_requests, runs, work
from llmops.common.actors import Actor
from llmops.projects.models import Project

pytestmark = pytest.mark.django_db(transaction=True)

LAST_ANSWER = {"metric": "exact_match", "params": {"extract": "A:\\s*(.*)", "normalizer": "number"}}


def score(project: Project, by: Actor, dataset: Any, **wanted: Any) -> Run:
    run = runs.start(project=project, by=by, wanted=run_requests.Wanted(dataset=dataset, **wanted))
    work.run_slice(limits=Limits(linger_s=0.0))
    run.refresh_from_db()
    assert (run.state, run.problem) == ("done", "")
    return run


@pytest.mark.slow
def test_the_published_verdicts_on_5276_real_answers_are_reproduced(
    project: Project, by: Actor, shared_data: Path, tmp_path: Path, settings: Any
) -> None:
    settings.UPLOADS_DIR = tmp_path
    file = shared_data / "labelled" / "gsm8k_model_solutions_4systems.jsonl"
    dataset = datasets.create(project=project, slug="gsm8k-answers", by=by)
    stored = imports.upload(project=project, chunks=[file.read_bytes()], name=file.name)
    made = imports.start(dataset=dataset, digest=stored.digest, name=file.name, by=by)
    while not imports.work(import_id=made.pk):
        pass
    made.refresh_from_db()
    assert (made.rows_ok, made.rows_bad) == (5_276, 0)

    run = score(project, by, dataset, recorded="output", evaluators=[LAST_ANSWER])

    rows = Score.objects.filter(run=run).values_list("passed", "result__example__metadata", "result__example__inputs")
    found = [(passed, metadata | inputs) for passed, metadata, inputs in rows]
    assert len(found) == 5_276
    assert [row for passed, row in found if passed is not row["is_correct_by_authors"]] == []
    right = Counter(row["system"] for passed, row in found if passed)
    assert sorted(right.values()) == [286, 458, 515, 742]
    assert set(Counter(row["system"] for _, row in found).values()) == {1_319}
    assert run.finished_at is not None
    assert run.started_at is not None
    assert (run.finished_at - run.started_at).total_seconds() < 60
    [figures] = queries.summary_of(run).evaluators
    assert (figures.n, figures.passed) == (5_276, 2_001)


def test_a_row_without_the_column_is_a_failure_of_its_own(project: Project, by: Actor) -> None:
    dataset = datasets.create(project=project, slug="answers", by=by)
    rows = [
        ExampleRow(inputs={"q": "1"}, expected="1", metadata={"output": "A: 1"}),
        ExampleRow(inputs={"q": "2"}, expected="2", metadata={}),
        ExampleRow(inputs={"q": "3"}, expected="3", metadata={"output": "A: 4"}),
    ]
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    run = score(project, by, dataset, recorded="output", evaluators=[LAST_ANSWER])
    assert list(Result.objects.filter(run=run).order_by("id").values_list("error_code", flat=True)) == [
        "",
        "no_output",
        "",
    ]
    summary = queries.summary_of(run)
    assert (summary.done, summary.failed) == (3, 1)
    assert summary.evaluators[0].mean == pytest.approx(1 / 3)
    assert not WorkItem.objects.filter(run=run).exists()
