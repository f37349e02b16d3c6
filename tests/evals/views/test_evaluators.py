"""Pages of evaluators."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from evals import metrics
from evals.models import Evaluator
from evals.services import evaluators
from llmops.common.actors import Actor
from llmops.projects.models import Project

HTMX = {"HX-Request": "true"}


@pytest.fixture
def evaluator(project: Project, by: Actor) -> Evaluator:
    version = evaluators.create(
        project=project, slug="right", name="Right answer", spec={"metric": "exact_match", "params": {}}, by=by
    )
    assert version.evaluator is not None
    return version.evaluator


def test_the_empty_list_says_what_an_evaluator_is(page: Client) -> None:
    body = page.get("/p/garden/evaluators/").content.decode()
    assert "An evaluator grades each output" in body


@pytest.mark.parametrize("items", [1, 3])
def test_the_list_costs_the_same_for_one_and_for_three(
    page: Client, project: Project, by: Actor, items: int, django_assert_num_queries: Any
) -> None:
    for number in range(items):
        spec = {"metric": "contains", "params": {"value": f"word {number}"}}
        evaluators.create(project=project, slug=f"word-{number}", spec=spec, by=by)
    page.get("/p/garden/evaluators/")
    with django_assert_num_queries(6):
        answer = page.get("/p/garden/evaluators/")
    assert answer.content.decode().count("row-link") == items


@pytest.mark.parametrize("metric", [*metrics.METRICS, "judge", "unknown"])
def test_every_metric_has_a_form(page: Client, project: Project, metric: str) -> None:
    answer = page.get("/p/garden/evaluators/-/new/", {"metric": metric}, headers=HTMX)
    assert answer.status_code == 200
    assert 'id="how"' in answer.content.decode()


def test_a_metric_is_made_with_its_parameters(page: Client, project: Project) -> None:
    sent = {
        "name": "Final number", "slug": "", "metric": "exact_match",
        "params.extract": r"A:\s*(.*)", "params.normalizer": "number",
    }  # fmt: skip
    answer = page.post("/p/garden/evaluators/-/new/", sent)
    assert answer.url == "/p/garden/evaluators/final-number/"  # type: ignore[attr-defined]
    body = page.get("/p/garden/evaluators/final-number/").content.decode()
    assert r"A:\s*(.*)" in body


def test_a_broken_pattern_comes_back_beside_its_field_as_typed(page: Client, project: Project) -> None:
    sent = {"name": "Broken", "slug": "broken", "metric": "regex", "params.pattern": "(unclosed"}
    answer = page.post("/p/garden/evaluators/-/new/", sent)
    assert list(answer.context["how"].errors) == ["pattern"]
    body = answer.content.decode()
    assert "(unclosed" in body
    assert 'value="Broken"' in body


def test_a_change_makes_a_version(page: Client, evaluator: Evaluator) -> None:
    page.post("/p/garden/evaluators/right/change/", {"metric": "exact_match", "params.normalizer": "casefold"})
    body = page.get("/p/garden/evaluators/right/").content.decode()
    assert "v2" in body
    assert "casefold" in page.get("/p/garden/evaluators/right/change/").content.decode()


def test_a_metric_is_tried_on_pasted_text(page: Client, evaluator: Evaluator) -> None:
    right = page.post("/p/garden/evaluators/right/try/", {"output": "42", "expected": "42"}, headers=HTMX)
    wrong = page.post("/p/garden/evaluators/right/try/", {"output": "41", "expected": "42"})
    assert "Right" in right.content.decode()
    assert "Wrong" in wrong.content.decode()
    assert "41" in wrong.content.decode()


def test_settings_are_tried_before_they_are_saved(page: Client, project: Project) -> None:
    sent = {"metric": "numeric", "output": "3.0", "expected": "3"}
    assert "Right" in page.post("/p/garden/evaluators/-/try/", sent, headers=HTMX).content.decode()
    broken = {"metric": "regex", "params.pattern": "(", "output": "", "expected": ""}
    assert "cannot be used" in page.post("/p/garden/evaluators/-/try/", broken, headers=HTMX).content.decode()


def test_a_judge_without_a_rubric_says_so_beside_the_field(page: Client, project: Project) -> None:
    sent = {"name": "Polite", "slug": "polite", "metric": "judge", "prompt": "", "kind": "pass_fail"}
    answer = page.post("/p/garden/evaluators/-/new/", sent)
    assert list(answer.context["how"].errors) == ["prompt"]


def test_a_threshold_and_a_negation_are_saved_shown_and_kept(page: Client, project: Project) -> None:
    sent = {"name": "Unlike", "slug": "unlike", "metric": "rouge_l", "threshold": "0.4", "negate": "on"}
    page.post("/p/garden/evaluators/-/new/", sent)
    version = Evaluator.objects.get(slug="unlike").versions.get()
    assert (version.spec["threshold"], version.spec["negate"]) == (0.4, True)
    assert "negate true" in page.get("/p/garden/evaluators/").content.decode()
    form = page.get("/p/garden/evaluators/unlike/change/").context["how"]
    assert (form["threshold"].value(), form["negate"].value()) == (0.4, True)


def test_a_threshold_outside_of_the_range_is_refused_beside_its_field(page: Client, project: Project) -> None:
    sent = {"name": "High", "slug": "high", "metric": "rouge_l", "threshold": "40"}
    answer = page.post("/p/garden/evaluators/-/new/", sent)
    assert list(answer.context["how"].errors) == ["threshold"]
