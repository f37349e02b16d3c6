"""The trail: written with the change or not at all, and readable for every event that the code records."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.test import Client

from llmops.audit import queries, wording
from llmops.audit import services as audit
from llmops.audit.models import Event
from llmops.common import logs
from llmops.common.actors import SYSTEM
from llmops.projects import tenancy
from llmops.projects.models import Project

SOURCES = ["llmops", "prompts", "evals", "feedback"]


def recorded_names() -> Iterator[tuple[str, str]]:
    """Every first argument of `audit.record(…)` in the code, with its place."""
    for path in (path for folder in SOURCES for path in (settings.BASE_DIR / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record"):
                continue
            if isinstance(node.func.value, ast.Name) and node.func.value.id == "audit":
                yield from ((name, f"{path.name}:{node.lineno}") for name in _names(node.args[0], path, node.lineno))


def _names(argument: ast.expr, path: Path, line: int) -> list[str]:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return [argument.value]
    if isinstance(argument, ast.IfExp):
        return _names(argument.body, path, line) + _names(argument.orelse, path, line)
    pytest.fail(f"{path}:{line}: name the event by a literal, so that it can be found and put into words")


def test_every_recorded_event_has_words_and_nothing_else_has() -> None:
    recorded = dict(recorded_names())
    assert {name: place for name, place in recorded.items() if name not in wording.WORDS} == {}
    assert sorted(set(wording.WORDS) - set(recorded)) == []


def test_words_name_the_target_once() -> None:
    for name, words in wording.WORDS.items():
        assert words.count("{target}") == 1, name
        assert len(name) <= 80
        assert name.count(".") == 1


def test_a_target_with_braces_is_shown_as_it_is() -> None:
    assert wording.sentence("key.issued", "{0.__class__} {x}") == "issued the key {0.__class__} {x}"
    assert wording.sentence("thing.of_the_future", "x") == "thing.of_the_future: x"


@pytest.mark.django_db(transaction=True)
def test_a_record_outside_a_transaction_is_refused(project: Project) -> None:
    with pytest.raises(RuntimeError):
        audit.record("project.edited", by=SYSTEM, target=project)


def test_a_record_knows_the_request_even_when_its_actor_does_not(project: Project) -> None:
    token = logs.current_request_id.set("request-1")
    with transaction.atomic():
        audit.record("project.edited", by=SYSTEM, target=project, project_id=project.pk)
    logs.current_request_id.reset(token)
    assert Event.objects.get(name="project.edited").request_id == "request-1"


def test_the_request_id_of_a_page_is_in_answer_and_trail(page: Client, project: Project) -> None:
    response = page.post("/projects/new/", {"name": "Herbs", "slug": "herbs"}, headers={"X-Request-Id": "abc-12345678"})
    assert response["X-Request-Id"] == "abc-12345678"
    assert Event.objects.get(name="project.created", target_text="Herbs").request_id == "abc-12345678"


def test_every_table_name_fits_into_the_trail() -> None:
    longest = Event._meta.get_field("target_kind").max_length
    models = [model for label in ("accounts", *tenancy.APPS) for model in apps.get_app_config(label).get_models()]
    assert [model._meta.label_lower for model in models if len(model._meta.label_lower) > longest] == []


def test_details_are_shown_as_before_and_after(project: Project) -> None:
    with transaction.atomic():
        audit.record(
            "project.edited",
            by=SYSTEM,
            target=project,
            project_id=project.pk,
            before={"name": "A", "retention_days": None},
            after={"name": "B", "retention_days": 3},
            scopes=["a", "b"],
        )
    line = queries.page_of(project.pk).lines[0]
    assert line.details == [("name", "A", "B"), ("retention_days", "none", "3"), ("scopes", "a, b", None)]


def test_a_project_sees_its_own_trail_alone(project: Project, other_project: Project) -> None:
    said = {line.words for line in queries.page_of(project.pk).lines}
    assert said == {"created the project Garden shop", "added the connection Demo"}
    assert queries.events_in(project.pk).count() == 2
