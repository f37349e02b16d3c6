"""What the inbox filters by reaches its items, whichever comes first, call or feedback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feedback.models import InboxItem, ItemTag
from feedback.services import describing, retention, upkeep
from llmops.projects.models import Project

CALL = {"id": "c1", "prompt": "geo/answer", "model": "small", "tags": ["geo", "eu"]}
DOWN = {"call": "c1", "thumbs": "down", "tags": ["slow"], "end_user": "u1"}


def described() -> tuple[str, str, set[str]]:
    item = InboxItem.objects.get()
    return item.artifact_path, item.model, set(ItemTag.objects.values_list("tag", flat=True))


def test_an_item_takes_over_its_call_and_its_tags(send: Callable[..., Any]) -> None:
    send("/calls", CALL)
    send("/feedback", DOWN)
    assert describing.run(now=timezone.now()) == 1
    assert described() == ("geo/answer", "small", {"geo", "eu", "slow"})
    assert describing.run(now=timezone.now()) == 0  # running twice does nothing twice


def test_new_feedback_brings_its_tags(send: Callable[..., Any]) -> None:
    send("/calls", CALL)
    send("/feedback", DOWN)
    describing.run(now=timezone.now())
    send("/feedback", DOWN | {"tags": ["wrong"]})
    describing.run(now=timezone.now())
    assert described()[2] == {"geo", "eu", "slow", "wrong"}


@pytest.mark.usefixtures("project")
def test_a_call_that_comes_late_is_found_soon_and_a_very_late_one_by_upkeep(send: Callable[..., Any]) -> None:
    send("/feedback", DOWN)
    describing.run(now=timezone.now())
    send("/calls", CALL)
    later = timezone.now() + timedelta(days=2)
    assert describing.run(now=later) == 0
    upkeep.run(now=later)
    assert described() == ("geo/answer", "small", {"geo", "eu", "slow"})
    InboxItem.objects.update(call_uid=None, model="")
    assert describing.run(now=timezone.now()) == 1
    assert described()[1] == "small"


def test_the_call_of_another_project_is_not_ours(send: Callable[..., Any], other_project: Project) -> None:
    send("/calls", CALL)
    send("/feedback", DOWN)
    InboxItem.objects.update(project=other_project)
    describing.run(now=timezone.now())
    assert described() == ("", "", set())


def test_retention_takes_the_tags_along(send: Callable[..., Any], project: Project) -> None:
    send("/calls", CALL)
    send("/feedback", DOWN)
    describing.run(now=timezone.now())
    retention.purge(project=project, now=timezone.now() + timedelta(days=400))
    assert not ItemTag.objects.exists()
