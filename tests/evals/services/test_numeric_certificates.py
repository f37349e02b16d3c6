"""Judges that give numbers: measured against people's numbers, and a run's mean corrected by them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone
from scipy import stats

from evals import reports
from evals.importers.rows import ExampleRow
from evals.models import Evaluator, Example, JudgeCertificate, Result, Run, Score
from evals.queries import certificates as queries
from evals.queries import evaluators as evaluator_queries
from evals.queries import reports as report_queries
from evals.queries import runs as run_queries
from evals.services import certificates, dataset_examples, datasets, judge_templates, run_requests, runs
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.gateway.services import connections
from llmops.projects.models import Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def grade(project: Project, by: Actor) -> Evaluator:
    connections.ensure_demo(project=project)
    made = judge_templates.create(
        project=project, template="rubric-grade", slug="grade", settings={"model": "demo-small"}, by=by,
        now=timezone.now(),
    )  # fmt: skip
    assert made.evaluator is not None
    return made.evaluator


def graded(project: Project, by: Actor, grades: list[tuple[int | None, Any]], slug: str, documents: int = 0) -> Run:
    """A finished run as a worker would have written it: the judge's grade (None: unreadable) and people's."""
    rows = [
        ExampleRow(
            inputs={"text": f"{slug} {n}"},
            metadata={"out": f"{n}", "human": human, "grade": grade}
            | ({"document": f"d{n % documents}"} if documents else {}),
        )
        for n, (grade, human) in enumerate(grades)
    ]
    dataset = datasets.create(project=project, slug=slug, by=by)
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    run = runs.start(
        project=project, wanted=run_requests.Wanted(dataset=dataset, evaluators=["grade"], recorded="out"), by=by
    )
    version = evaluator_queries.newest_version(project, "grade")
    for example in Example.objects.filter(dataset=dataset):
        given = example.metadata["grade"]
        result = Result.objects.create(project=project, run=run, example=example, example_key=example.key, output="x")
        Score.objects.create(
            project=project, run=run, result=result, evaluator_version=version,
            state="unscored" if given is None else "scored", value=None if given is None else (given - 1) / 4,
            passed=None if given is None else given >= 4, category="" if given is None else str(given), reason="So.",
            model_asked="demo-small", model_answered="demo-1",
        )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state="done", is_planned=True)
    run.refresh_from_db()
    return run


def pairs(seed: int, n: int) -> list[tuple[int | None, Any]]:
    """A judge that is on average half a grade too kind."""
    random = np.random.default_rng(seed)
    human = random.integers(1, 6, n)
    judge = np.clip(human + random.choice([0, 0, 1, 1, -1, 1], n), 1, 5)
    return [(int(one), int(other)) for one, other in zip(judge, human, strict=True)]


def measure(evaluator: Evaluator, run: Run, by: Actor, **more: Any) -> JudgeCertificate:
    return certificates.measure(evaluator=evaluator, run=run, column="human", by=by, now=timezone.now(), **more)


def test_a_judge_of_numbers_is_measured_by_correlation_bias_and_error(
    project: Project, by: Actor, grade: Evaluator
) -> None:
    given = pairs(1, 120)
    found = measure(grade, graded(project, by, [*given, (None, 3), (4, "")], "labelled"), by)
    judge, human = (np.array(side, dtype=float) for side in zip(*given, strict=True))
    figures = found.figures
    assert figures["correlation"]["value"] == pytest.approx(stats.pearsonr(judge, human).statistic)
    assert figures["bias"]["value"] == pytest.approx((judge - human).mean() / 4)
    assert figures["error"]["value"] == pytest.approx(np.abs(judge - human).mean() / 4)
    assert figures["bias"]["low"] > 0
    assert (found.n, found.not_labelled, figures["correlation"]["n"]) == (121, 1, 120)
    assert found.is_usable
    assert figures["kappa"]["value"] > 0.5


def test_later_means_are_shown_raw_and_less_what_the_judge_is_wrong_by(
    project: Project, by: Actor, grade: Evaluator
) -> None:
    given = pairs(1, 120)
    certificate = measure(grade, graded(project, by, given, "labelled"), by)
    later = graded(project, by, [(one, None) for one, _ in pairs(2, 200)], "later")
    summary = run_queries.summary_of(later)
    [rate] = queries.corrected(later, summary, timezone.now()).values()
    raw, bias = summary.evaluators[0].mean, certificate.figures["bias"]["value"]
    assert raw is not None
    assert rate.value == pytest.approx(raw - bias)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < raw - bias < rate.high < raw + 0.05
    assert (rate.method, rate.is_usable, rate.certificate) == ("PPI", True, certificate)
    [stale] = queries.corrected(later, summary, timezone.now() + timedelta(days=200)).values()
    assert (stale.is_usable, stale.reasons) == (False, ("measured 200 days ago",))


def test_in_the_measured_run_itself_labels_are_a_sample_and_the_judge_fills_in_the_rest(
    project: Project, by: Actor, grade: Evaluator
) -> None:
    given = pairs(3, 150) + [(one, None) for one, _ in pairs(4, 400)]
    run = graded(project, by, given, "labelled")
    measure(grade, run, by)
    [rate] = queries.corrected(run, run_queries.summary_of(run), timezone.now()).values()
    human = np.array([human for _, human in given if human is not None], dtype=float)
    assert (rate.method, rate.is_usable) == ("PPI++", True)
    low, high = stats.t.interval(0.95, 149, human.mean(), stats.sem(human))
    assert rate.low is not None
    assert rate.high is not None
    assert rate.high - rate.low < (high - low) / 4
    assert rate.low < (np.mean([human for _, human in pairs(4, 400)]) - 1) / 4 < rate.high


def test_the_corrected_mean_stands_in_the_page_the_api_and_the_reports(
    project: Project, by: Actor, grade: Evaluator, page: Client, api: Any
) -> None:
    made = measure(grade, graded(project, by, pairs(1, 120), "labelled"), by, source="two reviewers")
    later = graded(project, by, [(one, None) for one, _ in pairs(2, 60)], "later")
    uid = ids.public("run", later.uid)
    body = page.get(f"/p/garden/runs/{uid}/").content.decode()
    assert "corrected by 120 labels" in body
    shown = api.send("GET", f"/runs/{uid}").json()["scores"]["grade"]
    assert shown["corrected"]["method"] == "PPI"
    assert (shown["corrected"]["labels"], shown["corrected"]["usable"]) == (120, True)
    head = report_queries.head_of(later)
    kept = head.evaluators[0].corrected
    assert kept is not None
    assert kept.mean == shown["corrected"]["mean"]
    markdown = "".join(reports.FORMATS["markdown"].render(head, []))
    assert f"| as people would say, corrected by 120 labels | {100 * kept.mean:.1f} % |" in markdown
    assert json.loads("".join(reports.FORMATS["json"].render(head, [])))["evaluators"][0]["corrected"]["labels"] == 120
    whole = page.get(f"/p/garden/evaluators/grade/certificates/{ids.public('cert', made.uid)}/").content.decode()
    for words in ("Correlation", "Bias", "Error", "two reviewers"):
        assert words in whole


def test_people_may_give_numbers_between_two_grades(project: Project, by: Actor, grade: Evaluator) -> None:
    found = measure(grade, graded(project, by, [(4, 3.5), (2, "2.25"), (5, "5")] * 3, "halves"), by)
    numbers = found.figures["numbers"]
    assert numbers["human"]["mean"] == pytest.approx(((2.5 + 1.25 + 4) / 3) / 4)
    # In the table a number counts as the nearest grade.
    assert [row[1:] for row in found.table][1:] == [[3, 0, 0, 0], [0, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 3]]
    for wrong in ("6", "0.9", "good", "nan", True):
        with pytest.raises(Invalid) as refused:
            measure(grade, graded(project, by, [(4, wrong)], f"wrong-{str(wrong)[-1].lower()}"), by)
        assert "numbers from 1 to 5" in refused.value.fields["column"]


def test_labels_that_share_documents_make_wider_intervals_and_few_documents_no_certificate(
    project: Project, by: Actor, grade: Evaluator
) -> None:
    given = [pair for pair in pairs(5, 40) for _ in range(3)]
    run = graded(project, by, [given[(n % 40) * 3] for n in range(120)], "documents", documents=40)
    alone, grouped = measure(grade, run, by), measure(grade, run, by, group="document")
    assert "groups" not in alone.figures
    assert grouped.figures["groups"] == {"column": "document", "n": 40}
    for name in ("kappa", "agreement", "bias", "correlation"):
        mine, theirs = alone.figures[name], grouped.figures[name]
        assert mine["value"] == pytest.approx(theirs["value"])
        assert theirs["high"] - theirs["low"] > 1.3 * (mine["high"] - mine["low"]), name
    few = measure(grade, graded(project, by, pairs(6, 120), "few", documents=4), by, group="document")
    assert not few.is_usable
    assert few.reasons == ["the labels come from only 4 groups"]
    with pytest.raises(Invalid) as refused:
        measure(grade, run, by, group="chapter")
    assert refused.value.fields == {"group": "no such column"}
