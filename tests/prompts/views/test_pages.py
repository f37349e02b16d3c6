"""The pages of prompts as a person walks them, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.models import Draft, Label, Version
from prompts.services import versions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BASE = "/p/garden/prompts/"


def save(
    project: Project, by: Actor, path: str, text: str = "system:\nBe brief.\n\nuser:\nGreet {{ name }}.\n"
) -> None:
    versions.save(project=project, path=path, content=text, message="Try", by=by, now=NOW)


def typed(**more: object) -> dict[str, object]:
    return {
        "path": "mail/greet", "base": "0", "rest": "{}", "role": ["system", "user"],
        "content": ["Be brief.", "Greet {{ name }}."], "message": "First", "action": "save", **more,
    }  # fmt: skip


def test_a_new_prompt_is_written_saved_and_shown(page: Client) -> None:
    assert page.get(BASE + "-/new/").status_code == 200
    saved = page.post(BASE + "-/new/", typed())
    assert (saved.status_code, saved["Location"]) == (302, BASE + "mail/greet/")
    shown = page.get(saved["Location"]).content.decode()
    assert "Greet {{ name }}." in shown
    assert "Save as v2" in shown


def test_a_form_that_cannot_be_saved_comes_back_with_everything_typed(page: Client) -> None:
    answer = page.post(BASE + "-/new/", typed(content=["Be brief.", "{{ name.__class__ }}"], temperature="warm"))
    body = answer.content.decode()
    assert answer.status_code == 400
    for text in ("{{ name.__class__ }}", "Be brief.", "warm", "mail/greet", "First"):
        assert text in body
    assert not Version.objects.exists()


def test_the_second_of_two_people_sees_the_firsts_change_and_loses_nothing(
    page: Client, project: Project, by: Actor
) -> None:
    save(project, by, "mail/greet")
    save(project, by, "mail/greet", "system:\nBe kind.\n\nuser:\nGreet {{ name }}.\n")
    answer = page.post(BASE + "mail/greet/", typed(base="1", content=["Be quick.", "Greet {{ name }}."]))
    body = answer.content.decode()
    assert answer.status_code == 409
    assert "<del> kind</del>" in body
    assert "Be quick." in body
    again = page.post(BASE + "mail/greet/", typed(base="2", content=["Be quick.", "Greet {{ name }}."]))
    assert again.status_code == 302
    assert Version.objects.count() == 3


def test_the_check_names_variables_and_places_and_keeps_the_draft(page: Client, project: Project) -> None:
    answer = page.post(BASE + "-/check/", typed(content=["Hi {{ one }}", "a\n{{ two. }}"]))
    body = answer.content.decode()
    assert ">one<" in body
    assert "Message 2, line 2, column" in body
    assert Draft.objects.get().content.count("{{ one }}") == 1
    assert "Your draft" in page.get(BASE + "-/new/").content.decode()


def test_messages_are_added_moved_and_removed_without_losing_text(page: Client) -> None:
    added = page.post(BASE + "-/new/", typed(action="add")).content.decode()
    assert added.count('name="content"') == 3
    moved = page.post(BASE + "-/new/", typed(action="up:1")).content.decode()
    assert moved.index("Greet {{ name }}.") < moved.index("Be brief.")
    assert page.post(BASE + "-/new/", typed(action="drop:0")).content.decode().count('name="content"') == 1


def test_a_label_is_moved_and_rolled_back(page: Client, project: Project, by: Actor) -> None:
    save(project, by, "greet")
    save(project, by, "greet", "user:\nHello.\n")
    for number in (1, 2):
        page.post(BASE + "greet/-/label/", {"label": "production", "version": number})
    assert Label.objects.get().version.numbered.number == 2
    page.post(BASE + "greet/-/label/production/roll-back/")
    assert Label.objects.get().version.numbered.number == 1
    assert "Rolled back" in page.get(BASE + "greet/-/versions/").content.decode()


def test_an_editor_cannot_move_production(
    project: Project, by: Actor, member: Callable[[str], User], client_of: Callable[[User], Client]
) -> None:
    save(project, by, "greet")
    client = client_of(member("editor"))
    client.post(BASE + "greet/-/label/", {"label": "production", "version": 1})
    assert not Label.objects.exists()
    client.post(BASE + "greet/-/label/", {"label": "staging", "version": 1})
    assert Label.objects.get().name == "staging"


def test_a_viewer_sees_the_editor_and_cannot_save(
    project: Project, by: Actor, member: Callable[[str], User], client_of: Callable[[User], Client]
) -> None:
    save(project, by, "greet")
    client = client_of(member("viewer"))
    assert "readonly" in client.get(BASE + "greet/").content.decode()
    assert client.post(BASE + "greet/", typed(base="1")).status_code == 403


def test_two_versions_are_compared_word_by_word(page: Client, project: Project, by: Actor) -> None:
    save(project, by, "greet", "user:\nBe very kind.\n")
    save(project, by, "greet", "user:\nBe kind and brief.\n")
    body = page.get(BASE + "greet/-/compare/").content.decode()
    assert re.search(r"<del>\s*very\s*</del>", body)
    assert "<ins> and brief</ins>" in body


def test_archiving_asks_for_the_name(page: Client, project: Project, by: Actor) -> None:
    save(project, by, "greet")
    page.post(BASE + "greet/-/archive/", {"confirm": "something"})
    assert page.get(BASE + "greet/").status_code == 200
    page.post(BASE + "greet/-/archive/", {"confirm": "greet"})
    assert page.get(BASE + "greet/").status_code == 404


@pytest.mark.parametrize("prompts", [1, 3])
def test_the_list_costs_the_same_for_many(page: Client, project: Project, by: Actor, prompts: int) -> None:
    for number in range(prompts):
        save(project, by, f"mail/p{number}")
        page.post(f"{BASE}mail/p{number}/-/label/", {"label": "production", "version": 1})
    page.get(BASE)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert page.get(BASE).status_code == 200
    assert len(queries) <= 14, [query["sql"][:120] for query in queries]
