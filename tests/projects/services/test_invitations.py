"""An invitation is for one address, works once, and ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends import locmem

from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, Invalid
from llmops.projects.models import Invitation, Membership, Project
from llmops.projects.services import invitations, projects

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def actor(user: User) -> Actor:
    return Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)


def invite(project: Project, by: Actor, email: str = "Bob@Example.com", role: str = "editor") -> str:
    issued = invitations.create(project=project, email=email, role=role, by=by, now=NOW)
    return issued.link.rstrip("/").rpartition("/")[2]


def join(token: str, **changes: Any) -> User:
    found = invitations.find(token, now=NOW)
    values = {"name": "Bob", "password": "a long enough phrase", "now": NOW} | changes
    return invitations.accept_as_newcomer(invitation=found, **values)


def test_the_link_is_mailed_and_only_its_digest_is_kept(project: Project, by: Actor) -> None:
    token = invite(project, by)
    (sent,) = mail.outbox
    assert sent.to == ["bob@example.com"]
    assert token in sent.body
    assert token.encode() not in bytes(Invitation.objects.get().token_digest)
    assert not Event.objects.filter(data__icontains=token).exists()


def test_a_newcomer_gets_an_account_and_the_role(project: Project, by: Actor) -> None:
    user = join(invite(project, by))
    assert (user.email, user.name, user.check_password("a long enough phrase")) == ("bob@example.com", "Bob", True)
    assert Membership.objects.get(user=user).role == "editor"
    since = Event.objects.exclude(name__in=["project.created", "connection.created"]).order_by("id")
    assert list(since.values_list("name", flat=True)) == [
        "member.invited",
        "person.created",
        "member.joined",
    ]


def test_a_link_works_once(project: Project, by: Actor) -> None:
    token = invite(project, by)
    found = invitations.find(token, now=NOW)
    user = join(token)
    with pytest.raises(invitations.InvitationOver):
        invitations.find(token, now=NOW)
    with pytest.raises(invitations.InvitationOver):
        invitations.accept(invitation=found, user=user, by=actor(user), now=NOW)


def test_a_link_ends_with_its_time_its_project_and_its_successor(project: Project, by: Actor) -> None:
    token = invite(project, by)
    with pytest.raises(invitations.InvitationOver):
        invitations.find(token, now=NOW + invitations.GOOD_FOR)
    newer = invite(project, by)
    with pytest.raises(invitations.InvitationOver):
        invitations.find(token, now=NOW)
    invitations.revoke(invitation=invitations.find(newer, now=NOW), by=by, now=NOW)
    with pytest.raises(invitations.InvitationOver):
        invitations.find(newer, now=NOW)
    third = invite(project, by)
    projects.delete(project=project, by=by, now=NOW)
    with pytest.raises(invitations.InvitationOver):
        invitations.find(third, now=NOW)


def test_the_address_is_the_invitations_own(project: Project, by: Actor, other_project: Project) -> None:
    eve = User.objects.get(email="eve@example.com")
    found = invitations.find(invite(project, by), now=NOW)
    with pytest.raises(Forbidden):
        invitations.accept(invitation=found, user=eve, by=actor(eve), now=NOW)
    assert invitations.find(invite(project, by), now=NOW).accepted_at is None


def test_somebody_with_an_account_is_not_given_a_new_password(
    project: Project, by: Actor, other_project: Project
) -> None:
    token = invite(project, by, email="EVE@example.com")
    with pytest.raises(Conflict):
        join(token)
    eve = User.objects.get(email="eve@example.com")
    assert eve.check_password("correct horse battery")
    assert not Membership.objects.filter(project=project, user=eve).exists()
    invitations.accept(invitation=invitations.find(token, now=NOW), user=eve, by=actor(eve), now=NOW)
    assert Membership.objects.get(project=project, user=eve).role == "editor"


def test_a_refused_password_leaves_nothing_behind(project: Project, by: Actor) -> None:
    token = invite(project, by)
    with pytest.raises(Invalid) as caught:
        join(token, password="short")
    assert set(caught.value.fields) == {"password"}
    assert not User.objects.filter(email="bob@example.com").exists()
    assert invitations.find(token, now=NOW).accepted_at is None


def test_nobody_invites_above_their_own_role(project: Project, member: Callable[[str], User]) -> None:
    with pytest.raises(Forbidden):
        invite(project, actor(member("editor")), role="admin")


def test_members_and_bad_addresses_are_not_invited(project: Project, by: Actor) -> None:
    with pytest.raises(Conflict):
        invite(project, by, email="ADA@example.com")
    for email in ["", "nobody", "a@b\nBcc: c@d.example", "x" * 250 + "@example.com", "nul\0@example.com"]:
        with pytest.raises(Invalid):
            invite(project, by, email=email)
    assert mail.outbox == []


def test_a_mail_server_that_is_away_still_gives_the_link(
    project: Project, by: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(locmem.EmailBackend, "send_messages", refuse)
    issued = invitations.create(project=project, email="bob@example.com", role="viewer", by=by, now=NOW)
    assert issued.mailed is False
    assert re.search(r"/join/iv-[A-Za-z0-9]{32}/$", issued.link)


def test_a_member_who_accepts_keeps_the_role(project: Project, by: Actor, member: Callable[[str], User]) -> None:
    token = invite(project, by, email="viewer@example.com", role="admin")
    viewer = member("viewer")
    found = invitations.find(token, now=NOW + timedelta(days=1))
    assert invitations.accept(invitation=found, user=viewer, by=actor(viewer), now=NOW).role == "viewer"
