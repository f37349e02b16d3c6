"""Which version a logged call came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from feedback.models import Call
from feedback.queries import resolving
from feedback.services import describing
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.models import Version
from prompts.services import labels, versions

CONTENT = "---\nname: support/reply\n---\nsystem:\nAnswer {}.\nuser:\n{{{{question}}}}\n"


@pytest.fixture
def saved(project: Project, by: Actor) -> list[Version]:
    """Versions 1 to 3 of support/reply; production is on 2."""
    made = [
        versions.save(
            project=project, path="support/reply", content=CONTENT.format(how), message=how, by=by, now=timezone.now()
        ).version
        for how in ("kindly", "shortly", "at length")
    ]
    labels.move(artifact=made[1].artifact, name="production", to=made[1], by=by, now=timezone.now(), may_release=True)
    return made


@pytest.mark.parametrize(
    ("named", "number"),
    [
        ({"version": 1}, 1),
        ({"version": 3, "label": "production"}, 3),
        ({"label": "production"}, 2),
        ({"label": "latest"}, 3),
        ({"version": 9}, None),
        ({"label": "staging"}, None),
        ({"commit": "00" * 20}, None),
        ({"commit": "no hash"}, None),
        ({}, None),
    ],
)
def test_a_call_is_linked_to_its_version(
    send: Callable[..., Any], saved: list[Version], named: dict[str, Any], number: int | None
) -> None:
    send("/calls", {"prompt": "support/reply", **named})
    call = Call.objects.get()
    assert call.version == (saved[number - 1] if number else None)
    if number:
        assert call.commit == saved[number - 1].commit.hex


def test_a_commit_names_its_version(send: Callable[..., Any], saved: list[Version]) -> None:
    send("/calls", {"prompt": "support/reply", "commit": saved[0].commit.hex})
    assert Call.objects.get().version == saved[0]


def test_a_path_of_another_project_is_not_known(other_project: Project, saved: list[Version]) -> None:
    assert resolving.version_of(other_project.pk, "support/reply", 1, "", "") is None


def test_a_version_is_looked_up_once_a_second(
    project: Project, saved: list[Version], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        for _ in range(5):
            resolving.version_of(project.pk, "support/reply", 1, "", "")
    with django_assert_num_queries(1):
        for _ in range(5):
            assert resolving.version_of(project.pk, "nothing", 1, "", "") is None


def test_a_version_with_logged_calls_is_shown_with_its_number(
    send: Callable[..., Any], saved: list[Version], page: Any
) -> None:
    send("/calls", {"id": "c", "prompt": "support/reply", "version": 2, "output": "x"})
    send("/feedback", {"call": "c", "thumbs": "down"})
    assert "support/reply v2" in page.get("/p/garden/feedback/").content.decode()
    describing.run(now=timezone.now())
    assert len(page.get("/p/garden/feedback/?prompt=support/reply&version=2").context["page"].rows) == 1
    assert len(page.get("/p/garden/feedback/?prompt=support/reply&version=1").context["page"].rows) == 0
