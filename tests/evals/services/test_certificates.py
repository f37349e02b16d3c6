"""A judge measured against people's labels, and a run's rate corrected by it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Evaluator, JudgeCertificate, Run
from evals.queries import certificates as queries
from evals.queries import runs as run_queries
from evals.services import certificates, evaluators
from llmops.common.errors import Invalid
from prompts.services import versions
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)

RUBRIC = "---\nname: judge\nmodel:\n  id: judge-1\n---\nuser:\nIs {{ output }} right?\n"


def answer(text: str) -> str:
    """A judge that reads its verdict in the output: `pass 3` passes, `? 4` is no verdict."""
    [word] = re.findall(r"<data-\w+ output>\n(\S+)", text)
    return json.dumps({"reason": "so it says", "verdict": word}) if word != "?" else "no idea"


@pytest.fixture
def judge(bench: Bench) -> Evaluator:
    bench.fake.answer = answer
    versions.save(
        project=bench.project, path="judges/right", content=RUBRIC, message="", by=bench.by, now=timezone.now()
    )
    made = evaluators.create(
        project=bench.project, slug="right", spec={"judge": {"prompt": "judges/right"}}, by=bench.by
    )
    assert made.evaluator is not None
    return made.evaluator


def run_of(bench: Bench, counts: dict[tuple[str, Any], int], slug: str = "labelled") -> Run:
    """A finished run over recorded outputs; a key is what the judge will say and what people said."""
    rows = [
        ExampleRow(inputs={"text": f"{n}"}, metadata={"out": f"{verdict} {slug} {n}", "human": label})
        for (verdict, label), count in counts.items()
        for n in range(count)
    ]
    run = bench.start(bench.dataset(rows, slug=slug), recorded="out", evaluators=["right"])
    bench.work()
    run.refresh_from_db()
    assert run.state == "done"
    return run


def measure(bench: Bench, judge: Evaluator, run: Run, **more: Any) -> JudgeCertificate:
    given = {"column": "human", "now": timezone.now()} | more
    return certificates.measure(evaluator=judge, run=run, by=bench.by, **given)


def test_a_finished_run_over_labelled_outputs_measures_the_judge_and_corrects_later_rates(
    bench: Bench, judge: Evaluator
) -> None:
    counts = {("pass", "yes"): 88, ("fail", "yes"): 7, ("pass", "no"): 12, ("fail", "no"): 43}
    labelled = run_of(bench, {**counts, ("pass", None): 5})
    found = measure(bench, judge, labelled, source="two reviewers")
    assert (found.classes, found.table, found.no_verdict) == (["pass", "fail"], [[88, 7], [12, 43]], [0, 0])
    assert (found.n, found.not_labelled, found.not_judged, found.is_usable) == (150, 5, 0, True)
    assert (found.model_asked, found.label_source) == ("judge-1", "two reviewers")
    figures = found.figures
    assert figures["tpr"]["value"] == pytest.approx(0.926316, abs=1e-6)
    assert figures["kappa"]["value"] == pytest.approx(0.721951, abs=1e-6)
    assert figures["mcc"]["value"] == pytest.approx(0.723892, abs=1e-6)
    assert figures["largest_class"] == pytest.approx(95 / 150)

    later = run_of(bench, {("pass", ""): 82, ("fail", ""): 18}, slug="later")
    summary = run_queries.summary_of(later)
    [rate] = queries.corrected(later, summary, timezone.now()).values()
    assert (summary.evaluators[0].mean, rate.is_usable, rate.certificate) == (0.82, True, found)
    assert rate.value == pytest.approx(0.849865, abs=1e-6)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 0.82 < rate.high
    [stale] = queries.corrected(later, summary, timezone.now() + timedelta(days=365)).values()
    assert (stale.is_usable, stale.reasons) == (False, ("measured 365 days ago",))


def test_another_rubric_or_another_model_has_no_certificate(bench: Bench, judge: Evaluator) -> None:
    measure(bench, judge, run_of(bench, {("pass", "yes"): 3, ("fail", "no"): 3}))
    evaluators.save(evaluator=judge, spec={"judge": {"prompt": "judges/right"}, "model": "judge-2"}, by=bench.by)
    other_model = run_of(bench, {("pass", ""): 4}, slug="other-model")
    assert queries.corrected(other_model, run_queries.summary_of(other_model), timezone.now()) == {}
    versions.save(
        project=bench.project, path="judges/right", content=RUBRIC + "Think.\n", message="", by=bench.by,
        now=timezone.now(),
    )  # fmt: skip
    evaluators.save(evaluator=judge, spec={"judge": {"prompt": "judges/right"}}, by=bench.by)
    other_rubric = run_of(bench, {("pass", ""): 4}, slug="other-rubric")
    assert queries.corrected(other_rubric, run_queries.summary_of(other_rubric), timezone.now()) == {}


def test_an_answer_that_is_no_verdict_counts_against_the_judge(bench: Bench, judge: Evaluator) -> None:
    found = measure(bench, judge, run_of(bench, {("pass", "yes"): 3, ("?", "yes"): 2, ("fail", "no"): 4}))
    assert (found.table, found.no_verdict, found.n) == ([[3, 0], [0, 4]], [2, 0], 9)
    assert found.figures["tpr"]["value"] == pytest.approx(3 / 5)
    assert not found.is_usable
    assert found.reasons[0] == "only 9 labels; a certificate needs 50"


@pytest.mark.parametrize(
    ("more", "field"),
    [({"column": "nothing"}, "column"), ({"column": ""}, "column"), ({"source": "x" * 201}, "source")],
)
def test_a_measurement_that_cannot_be_made_names_the_field(
    bench: Bench, judge: Evaluator, more: dict[str, Any], field: str
) -> None:
    run = run_of(bench, {("pass", "yes"): 1, ("fail", "no"): 1})
    with pytest.raises(Invalid) as refused:
        measure(bench, judge, run, **more)
    assert field in refused.value.fields
    assert not JudgeCertificate.objects.exists()


def test_labels_that_are_no_pass_or_fail_need_to_be_told_which_one_passes(bench: Bench, judge: Evaluator) -> None:
    run = run_of(bench, {("pass", "helpful"): 3, ("fail", "harmful"): 3})
    with pytest.raises(Invalid, match="name the label that passes"):
        measure(bench, judge, run)
    assert measure(bench, judge, run, positive=" Helpful").table == [[3, 0], [0, 3]]


def test_a_metric_an_unfinished_run_and_a_foreign_run_measure_nothing(bench: Bench, judge: Evaluator) -> None:
    metric = evaluators.create(project=bench.project, slug="exact", spec={"metric": "exact_match"}, by=bench.by)
    rows = [ExampleRow(inputs={"text": "a"}, expected="a", metadata={"human": "yes", "out": "a"})]
    run = bench.start(bench.dataset(rows), recorded="out", evaluators=["exact"])
    assert metric.evaluator is not None
    with pytest.raises(Invalid) as unfinished:
        measure(bench, metric.evaluator, run)
    bench.work()
    run.refresh_from_db()
    with pytest.raises(Invalid) as needless:
        measure(bench, metric.evaluator, run)
    with pytest.raises(Invalid) as foreign:
        measure(bench, judge, run)
    assert [set(one.value.fields) for one in (unfinished, needless, foreign)] == [{"run"}, {"evaluator"}, {"run"}]
