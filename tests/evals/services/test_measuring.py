"""Figures of a whole run are made after it has finished, by a task of their own, and shown beside the means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sacrebleu
from django.test import Client
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Run
from evals.queries import runs as queries
from evals.services import measuring, run_retries
from llmops.common import ids, jobs
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)
BLEU = {"metric": "bleu", "params": {}}
ROWS = [
    ExampleRow(inputs={"text": "delivery"}, expected="delivery"),
    ExampleRow(inputs={"text": "refund"}, expected="delivery"),
    ExampleRow(inputs={"text": "refund"}, expected="refund"),
    ExampleRow(inputs={"other": "?"}, expected="refund"),
]


def finished(bench: Bench, **wanted: Any) -> Run:
    run = bench.start(bench.dataset(ROWS), bench.prompt(), **wanted)
    bench.work()
    return Run.objects.get(pk=run.pk)


def figures(run: Run) -> dict[str, Any]:
    summary = queries.summary_of(Run.objects.get(pk=run.pk))
    return {one.name: summary.over_run_of(one.version_id) for one in summary.evaluators}


def test_a_finished_run_is_measured_once_whoever_asks(bench: Bench) -> None:
    run = finished(bench, evaluators=[EXACT, BLEU, {"metric": "length"}])
    assert figures(run) == {"exact_match": {}, "bleu": {}, "length": {}}
    for _ in range(2):
        measuring.work(run_id=run.pk)
    found = figures(run)
    # The row that could not be filled has no output: an empty sentence, and no label.
    whole = sacrebleu.corpus_bleu(["delivery", "refund", "refund", ""], [["delivery", "delivery", "refund", "refund"]])
    assert found["bleu"]["figures"][0]["value"] == pytest.approx(whole.score)
    classes = found["exact_match"]["classes"]
    assert (classes["labels"], classes["matrix"], classes["accuracy"]) == (
        ["delivery", "refund"], [[1, 1], [0, 1]], 0.5,
    )  # fmt: skip
    assert found["length"] == {}


def test_the_page_and_the_api_show_them_beside_the_mean(bench: Bench, page: Client, api: Any) -> None:
    run = finished(bench, evaluators=[EXACT, BLEU])
    uid = ids.public("run", run.uid)
    assert "over the whole run" not in page.get(f"/p/garden/runs/{uid}/").content.decode()
    measuring.work(run_id=run.pk)
    shown = page.get(f"/p/garden/runs/{uid}/").content.decode()
    for text in (
        "bleu over the whole run",
        "corpus BLEU",
        "mean of bleu over the results",
        "Confusion matrix of exact",
    ):
        assert text in shown
    scores = api.send("GET", f"/runs/{uid}").json()["scores"]
    assert scores["exact_match"]["over_run"]["classes"]["macro"]["recall"] == 0.5
    assert scores["bleu"]["over_run"]["figures"][0]["name"] == "corpus BLEU"
    assert scores["bleu"]["scale"] == {"low": 0.0, "high": 100.0, "higher_is_better": True, "unit": ""}
    assert scores["exact_match"]["scale"]["unit"] == "%"


def test_what_was_lost_with_its_message_is_asked_for_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(jobs, "enqueue", lambda name, **given: asked.append((name, given)))
    run = finished(bench, evaluators=[EXACT])
    wake = (measuring.TASK, {"run_id": run.pk})
    assert asked.count(wake) == 1
    soon = timezone.now() + timedelta(minutes=5)
    measuring.ask_again(now=timezone.now())
    assert asked.count(wake) == 1  # it may be on its way
    measuring.ask_again(now=soon)
    assert asked.count(wake) == 2
    measuring.work(run_id=run.pk)
    measuring.ask_again(now=soon)
    measuring.ask_again(now=soon + timedelta(hours=2))
    assert asked.count(wake) == 2


def test_a_run_that_goes_on_is_measured_anew(bench: Bench) -> None:
    run = finished(bench, evaluators=[EXACT])
    measuring.work(run_id=run.pk)
    run_retries.retry_failed(run=run, by=bench.by)
    measuring.work(run_id=run.pk)
    assert Run.objects.get(pk=run.pk).summary is None
    bench.work()
    assert figures(run) == {"exact_match": {}}
