"""What is older than a project keeps goes, in batches, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feedback.models import Call, FeedbackEvent, InboxItem, Seen, Vote
from feedback.services import retention
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys

TABLES = [Call, FeedbackEvent, Vote, InboxItem, Seen]


def counts(project: Project) -> list[int]:
    return [model.objects.filter(project=project).count() for model in TABLES]


def test_everything_goes_after_its_time(
    send: Callable[..., Any], project: Project, other_project: Project, api_with: Any, by: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(retention, "BATCH", 2)
    send("/calls", *[{"id": f"c{index}"} for index in range(5)])
    send("/feedback", *[{"call": f"c{index}", "thumbs": "down"} for index in range(5)])
    other = api_with(api_keys.issue(project=other_project, kind="secret", name="x", by=by).text)
    other.send("POST", "/calls", {"id": "c1"})
    now = timezone.now()
    retention.purge(project=project, now=now + timedelta(days=364))
    assert counts(project) == [5, 5, 5, 5, 10]
    retention.purge(project=project, now=now + timedelta(days=367))
    assert counts(project) == [0, 0, 0, 0, 0]
    assert counts(other_project) == [1, 0, 0, 0, 1]


def test_a_turn_is_bounded(send: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    send("/calls", *[{"id": f"c{index}"} for index in range(9)])
    retention.purge(project=project, now=timezone.now() + timedelta(days=400), most=4)
    assert Call.objects.count() == 5
