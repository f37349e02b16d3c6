"""A notification is one line in a person's list and one mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends import locmem

from llmops.accounts.models import User
from llmops.projects import queries
from llmops.projects.models import Notification, Project
from llmops.projects.permissions import Permission
from llmops.projects.services import notifications

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_only_members_are_told(project: Project, admin: User, other_project: Project) -> None:
    eve = User.objects.get(email="eve@example.com")
    told = notifications.notify(
        project=project,
        users=[admin.pk, eve.pk, admin.pk],
        kind="run_finished",
        text="A run ended",
        url="/p/x/",
        now=NOW,
    )
    assert told == 1
    assert [line.text for line in queries.notifications_of(project, admin)] == ["A run ended"]
    assert queries.unread_count(project, admin) == 1


def test_an_address_outside_this_site_is_not_kept(project: Project, admin: User) -> None:
    for url in ["https://evil.example/", "//evil.example/"]:
        notifications.notify(project=project, users=[admin.pk], kind="k", text="t", url=url, now=NOW)
    assert set(Notification.objects.values_list("url", flat=True)) == {"/"}


def test_each_line_is_mailed_once(project: Project, admin: User) -> None:
    notifications.notify(
        project=project, users=[admin.pk], kind="run_finished", text="A run\nended", url="/p/garden/", now=NOW
    )
    assert notifications.mail_waiting(now=NOW + timedelta(minutes=1)) == 1
    assert notifications.mail_waiting(now=NOW + timedelta(minutes=2)) == 0
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == (["ada@example.com"], "[Garden shop] A run ended")
    assert "/p/garden/" in sent.body


def test_a_mail_server_that_is_away_loses_no_mail(
    project: Project, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifications.notify(project=project, users=[admin.pk], kind="k", text="t", url="/", now=NOW)

    def refuse(*_: Any) -> int:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(locmem.EmailBackend, "send_messages", refuse)
        assert notifications.mail_waiting(now=NOW) == 0
    assert notifications.mail_waiting(now=NOW) == 1


def test_people_who_may_follow_their_roles(project: Project, admin: User, member: Callable[[str], User]) -> None:
    viewer, editor = member("viewer"), member("editor")
    assert notifications.people_who_may(project, Permission.FEEDBACK_TRIAGE) == [admin.pk, editor.pk]
    assert viewer.pk in notifications.people_who_may(project, Permission.RUN_READ)


def test_reading_counts_down(project: Project, admin: User) -> None:
    for text in ["one", "two", "three"]:
        notifications.notify(project=project, users=[admin.pk], kind="k", text=text, url="/", now=NOW)
    first = queries.notifications_of(project, admin)[0]
    assert notifications.mark_read(project=project, user=admin, now=NOW, ids=[first.pk]) == 1
    assert queries.unread_count(project, admin) == 2
    assert notifications.mark_read(project=project, user=admin, now=NOW) == 2
