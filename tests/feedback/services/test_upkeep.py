"""People hear once a day that feedback waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from feedback.services import upkeep
from llmops.accounts.models import User
from llmops.projects import queries
from llmops.projects.models import Project


def test_those_who_may_triage_are_told_once_a_day(
    send: Callable[..., Any], project: Project, admin: User, member: Callable[[str], User]
) -> None:
    viewer = member("viewer")
    send("/feedback", {"call": "a", "thumbs": "down"}, {"call": "b", "comment": "hm"}, {"call": "c", "thumbs": "up"})
    now = timezone.now()
    assert upkeep.tell_what_waits(project=project, now=now) == 1
    assert upkeep.tell_what_waits(project=project, now=now + timedelta(hours=23)) == 0
    (line,) = queries.notifications_of(project, admin)
    assert (line.text, line.url) == ("2 calls have new feedback", "/p/garden/feedback/")
    assert queries.unread_count(project, viewer) == 0


def test_nobody_is_told_of_nothing(project: Project) -> None:
    upkeep.run(now=timezone.now())
    assert upkeep.tell_what_waits(project=project, now=timezone.now()) == 0
