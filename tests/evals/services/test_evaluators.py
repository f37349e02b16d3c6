from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from evals.models import EvaluatorVersion
from evals.queries import evaluators as queries
from evals.services import evaluators
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid, NotFound
from llmops.projects.models import Project
from prompts.models import Version
from prompts.services import labels, versions

pytestmark = pytest.mark.django_db

NUMBER = {"metric": "exact_match", "params": {"normalizer": "number"}}


@pytest.fixture
def rubric(project: Project, by: Actor) -> Any:
    def save(text: str, path: str = "judges/helpful") -> Version:
        content = f"---\nname: judge\n---\nuser:\n{text}\n"
        return versions.save(
            project=project, path=path, content=content, message="", by=by, now=timezone.now(), source="ui"
        ).version

    return save


def judge(**parts: Any) -> dict[str, Any]:
    return {"judge": {"prompt": "judges/helpful", **parts}}


def test_the_same_configuration_is_the_same_row(project: Project, other_project: Project, by: Actor) -> None:
    first = evaluators.ensure(project=project, spec=NUMBER, by=by)
    again = evaluators.ensure(
        project=project, spec={"v": 1, **NUMBER, "params": {**NUMBER["params"], "extract": None}}, by=by
    )
    assert first == again
    assert evaluators.ensure(project=other_project, spec=NUMBER, by=by) != first
    assert evaluators.ensure(project=project, spec={"metric": "exact_match"}, by=by) != first
    assert queries.name_of(first) == "exact_match"


def test_an_inline_evaluator_keeps_its_row_when_it_gets_a_name(project: Project, by: Actor) -> None:
    inline = evaluators.ensure(project=project, spec=NUMBER, by=by)
    named = evaluators.create(project=project, slug="right-number", spec=NUMBER, by=by)
    assert named.pk == inline.pk
    assert (named.number, queries.name_of(named)) == (1, "right-number")
    assert evaluators.ensure(project=project, spec=NUMBER, by=by) == named
    with pytest.raises(Conflict):
        evaluators.create(project=project, slug="other", spec=NUMBER, by=by)


def test_versions_of_an_evaluator_are_numbered(project: Project, by: Actor) -> None:
    evaluators.create(project=project, slug="close", spec={"metric": "levenshtein"}, by=by)
    evaluator = queries.evaluator_in(project, "close")
    same = evaluators.save(evaluator=evaluator, spec={"metric": "levenshtein"}, by=by)
    assert same.number == 1
    second = evaluators.save(evaluator=evaluator, spec={"metric": "levenshtein", "params": {"pass_at": 0.8}}, by=by)
    assert second.number == 2
    with pytest.raises(Conflict):
        evaluators.save(evaluator=evaluator, spec={"metric": "levenshtein"}, by=by)
    assert queries.newest_version(project, "close") == second
    evaluators.archive(evaluator=evaluator, by=by, now=timezone.now())
    with pytest.raises(NotFound):
        queries.newest_version(project, "close")
    assert not queries.evaluators_in(project)


def test_a_run_names_evaluators_by_slug_or_configuration(project: Project, by: Actor) -> None:
    named = evaluators.create(project=project, slug="right-number", spec=NUMBER, by=by)
    found = evaluators.resolve(project=project, wanted=["right-number", NUMBER, {"metric": "token_f1"}], by=by)
    assert found[0] == named
    assert len(found) == 2
    with pytest.raises(Invalid) as refused:
        evaluators.resolve(project=project, wanted=["none", {"metric": "regex"}, NUMBER, 3], by=by)
    assert set(refused.value.fields) == {"evaluators[0]", "evaluators[1].params.pattern", "evaluators[3].metric"}
    for wanted in ([], "right-number", [NUMBER] * 21):
        with pytest.raises(Invalid):
            evaluators.resolve(project=project, wanted=wanted, by=by)


def test_a_judge_is_pinned_to_the_rubric_it_was_made_with(project: Project, by: Actor, rubric: Any) -> None:
    first = rubric("Is {{ output }} helpful?")
    labels.move(
        artifact=first.artifact, name="staging", to=first, by=by, now=timezone.now(), may_release=True, reason=""
    )
    by_label = evaluators.ensure(project=project, spec=judge(label="staging"), by=by)
    assert by_label.judge == first
    assert by_label.spec["judge"] == {"prompt": "judges/helpful", "version": 1, "blob": first.content.blob}
    second = rubric("Is {{ output }} really helpful, given {{ expected }} and {{ input.question }}?")
    assert evaluators.ensure(project=project, spec=judge(), by=by).judge == second
    assert evaluators.ensure(project=project, spec=judge(version=1), by=by) == by_label
    assert evaluators.ensure(project=project, spec=judge(version=1) | {"model": "large"}, by=by) != by_label
    assert EvaluatorVersion.objects.filter(project=project).count() == 3
    assert queries.name_of(by_label) == "judges/helpful"


def test_a_rubric_must_show_the_output_and_use_what_judges_know(project: Project, by: Actor, rubric: Any) -> None:
    rubric("Is it good?")
    with pytest.raises(Invalid) as refused:
        evaluators.ensure(project=project, spec=judge(), by=by)
    assert "output" in refused.value.fields["judge.prompt"]
    rubric("Is {{ output }} as good as {{ competitor }}?")
    with pytest.raises(Invalid) as refused:
        evaluators.ensure(project=project, spec=judge(), by=by)
    assert "competitor" in refused.value.message
    for spec in (judge(version=9), judge(label="none"), {"judge": {"prompt": "nowhere"}}):
        with pytest.raises(Invalid):
            evaluators.ensure(project=project, spec=spec, by=by)


def test_the_catalogue_lists_every_metric_with_its_parameters() -> None:
    listed = {shown.metric.name: [field.name for field in shown.params] for shown in queries.catalogue()}
    assert listed["numeric_diff"] == []
    assert listed["starts_with"] == ["value", "ignore_case", "ignore_space"]
    assert listed["numeric"] == ["tolerance", "relative", "find", "extract"]
