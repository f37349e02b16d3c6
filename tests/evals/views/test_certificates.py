"""Pages of judges: templates, certificates, corrected rates."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.judges.catalogue import TEMPLATES
from evals.models import Evaluator, JudgeCertificate, Run
from evals.queries import evaluators as queries
from evals.services import certificates, judge_templates
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.gateway.services import connections
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from tests.evals.conftest import LABELLED, judged_run

HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_has_a_form_that_shows_its_rubric(page: Client, project: Project, name: str) -> None:
    answer = page.get("/p/garden/evaluators/-/new/", {"metric": f"template.{name}"}, headers=HTMX)
    body = answer.content.decode()
    assert answer.status_code == 200
    assert f"judges/{name}" in body
    assert ("Compared with" in body) == (name == "pairwise")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_chosen_template_becomes_a_prompt_and_a_judge_that_pins_it(
    page: Client, project: Project, by: Actor, name: str
) -> None:
    connections.ensure_demo(project=project)
    sent = {"name": "Mine", "slug": "mine", "metric": f"template.{name}", "connection": "", "model": "demo-small",
            "panel": "", "baseline": "expected"}  # fmt: skip
    answer = page.post("/p/garden/evaluators/-/new/", sent)
    assert answer.status_code == 302, answer.content.decode()
    version = queries.newest_version(project, "mine")
    artifact = prompt_queries.artifact_in(project, f"judges/{name}")
    assert version.judge == prompt_queries.version_in(artifact)
    assert version.spec["scale"]["kind"] == TEMPLATES[name].scale["kind"]
    assert version.spec["model"] == "demo-small"
    assert "Mine" in page.get("/p/garden/evaluators/mine/").content.decode()


def test_an_edited_template_prompt_is_never_overwritten(project: Project, by: Actor, tone: Evaluator) -> None:
    from prompts.services import versions

    content = TEMPLATES["tone"].content.replace("friendly", "stern")
    versions.save(project=project, path="judges/tone", content=content, message="", by=by, now=timezone.now())
    made = judge_templates.create(project=project, template="tone", slug="tone-again", by=by, now=timezone.now())
    assert made.spec["judge"]["prompt"] == "judges/tone-2"
    third = judge_templates.create(
        project=project, template="tone", slug="tone-3", settings={"model": "x"}, by=by, now=timezone.now()
    )
    assert third.spec["judge"]["prompt"] == "judges/tone-2"


def test_a_judge_without_certificate_says_how_to_get_one(page: Client, tone: Evaluator) -> None:
    body = page.get("/p/garden/evaluators/tone/").content.decode()
    assert "Not measured yet." in body
    body = page.get("/p/garden/evaluators/tone/measure/").content.decode()
    assert "No finished run of this judge" in body


def test_a_judge_is_measured_on_its_page_and_the_certificate_shows_its_figures(
    page: Client, project: Project, by: Actor, tone: Evaluator
) -> None:
    run = judged_run(project, by, LABELLED, "labelled")
    sent = {"run": ids.public("run", run.uid), "column": "human", "positive": "", "source": "two reviewers"}
    answer = page.post("/p/garden/evaluators/tone/measure/", sent)
    assert answer.status_code == 302, answer.content.decode()
    body = page.get(answer["Location"]).content.decode()
    for words in ("93 % (86 to 96)", "78 % (66 to 87)", "0.72 (", "two reviewers", "demo-1", "Usable"):
        assert words in body
    assert "93 % (86 to 96)" in page.get("/p/garden/evaluators/tone/").content.decode()
    wrong = page.post("/p/garden/evaluators/tone/measure/", sent | {"column": "nothing"})
    assert wrong.status_code == 400
    assert "no such column" in wrong.content.decode()


def test_a_runs_summary_shows_the_judged_rate_raw_and_as_people_would_give_it(
    page: Client, project: Project, by: Actor, tone: Evaluator
) -> None:
    labelled = judged_run(project, by, LABELLED, "labelled")
    certificates.measure(evaluator=tone, run=labelled, column="human", by=by, now=timezone.now())
    later = judged_run(project, by, {("pass", ""): 82, ("fail", ""): 18}, "later")
    body = page.get(f"/p/garden/runs/{ids.public('run', later.uid)}/").content.decode()
    assert "82.0 %" in body
    assert "85.0 %" in body
    assert "corrected by 150 labels" in body


@pytest.mark.parametrize("items", [1, 3])
def test_the_page_of_an_evaluator_costs_the_same_for_one_certificate_and_for_three(
    page: Client, project: Project, by: Actor, tone: Evaluator, items: int, django_assert_num_queries: Any
) -> None:
    run = judged_run(project, by, {("pass", "yes"): 2, ("fail", "no"): 2}, "labelled")
    for _ in range(items):
        certificates.measure(evaluator=tone, run=run, column="human", by=by, now=timezone.now())
    page.get("/p/garden/evaluators/tone/")
    with django_assert_num_queries(8):
        body = page.get("/p/garden/evaluators/tone/").content.decode()
    assert body.count("v1 on demo-small") == items


def test_earlier_outputs_are_chosen_for_grading_anew_from_their_run(
    page: Client, project: Project, by: Actor, tone: Evaluator
) -> None:
    run = judged_run(project, by, {("pass", "yes"): 2}, "labelled")
    uid = ids.public("run", run.uid)
    body = page.get(f"/p/garden/runs/{uid}/").content.decode()
    assert f"source=regrade&amp;regrades={uid}" in body
    form = page.get("/p/garden/runs/-/new/", {"source": "regrade", "regrades": uid}).content.decode()
    assert f'value="{uid}"' in form
    sent = {"source": "regrade", "regrades": uid, "dataset": "labelled", "evaluators": ["tone"], "repeats": 1,
            "concurrency": 5}  # fmt: skip
    answer = page.post("/p/garden/runs/-/new/", sent)
    assert answer.status_code == 302, answer.content.decode()
    assert Run.objects.latest("id").regrades == run
    refused = page.post("/p/garden/runs/-/new/", sent | {"regrades": "run_" + "0" * 32})
    assert refused.status_code == 400
    assert JudgeCertificate.objects.count() == 0
