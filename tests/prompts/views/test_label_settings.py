"""A prompt's settings page protects labels and takes them away."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts import queries
from prompts.models import Deployment, Label
from prompts.services import labels, versions
from tests.fleet import NOW, PROMPTY

SETTINGS = "/p/garden/prompts/mail/sort/-/settings/"


def released(project: Project, by: Actor, name: str) -> Label:
    saved = versions.save(project=project, path="mail/sort", content=PROMPTY, message="Try", by=by, now=NOW)
    version = saved.version
    labels.move(artifact=version.artifact, name=name, to=version, by=by, now=NOW, may_release=True)
    return queries.label_in(version.artifact, name)


def test_an_admin_protects_a_label_and_lets_others_move_it_again(page: Client, project: Project, by: Actor) -> None:
    label = released(project, by, "beta")
    assert "Protect beta" in page.get(SETTINGS).content.decode()
    for value, is_protected in [("1", True), ("0", False)]:
        answer = page.post("/p/garden/prompts/mail/sort/-/label/beta/protect/", {"protected": value}, follow=True)
        assert answer.redirect_chain == [(SETTINGS, 302)]
        label.refresh_from_db()
        assert label.protected is is_protected


def test_an_editor_removes_a_plain_label_but_no_protected_one(
    project: Project, by: Actor, member: Callable[[str], User], client_of: Callable[[User], Client]
) -> None:
    browser = client_of(member("editor"))
    released(project, by, "beta")
    released(project, by, "production")
    text = browser.get(SETTINGS).content.decode()
    assert "Remove beta" in text
    assert "Remove production" not in text
    assert "Protect" not in text
    refused = browser.post("/p/garden/prompts/mail/sort/-/label/production/remove/", follow=True)
    assert "“production” is protected." in refused.content.decode()
    browser.post("/p/garden/prompts/mail/sort/-/label/beta/remove/")
    assert list(Label.objects.values_list("name", flat=True)) == ["production"]
    assert Deployment.objects.filter(label_name="beta").exists()


def test_a_prompt_without_labels_says_how_to_get_one(page: Client, project: Project, by: Actor) -> None:
    versions.save(project=project, path="mail/sort", content=PROMPTY, message="Try", by=by, now=NOW)
    assert "No label yet." in page.get(SETTINGS).content.decode()
