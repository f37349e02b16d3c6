"""A project always keeps an admin, and nobody gives more than they have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.audit.models import Event
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Conflict, Forbidden, Invalid
from llmops.projects import keys
from llmops.projects.models import Membership, Project
from llmops.projects.services import api_keys, memberships

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def actor(user: User) -> Actor:
    return Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)


def membership_of(project: Project, user: User) -> Membership:
    return Membership.objects.get(project=project, user=user)


def test_a_role_changes_and_the_trail_knows_both(project: Project, by: Actor, member: Callable[[str], User]) -> None:
    viewer = member("viewer")
    memberships.change_role(membership=membership_of(project, viewer), role="releaser", by=by)
    assert membership_of(project, viewer).role == "releaser"
    event = Event.objects.get(name="member.role_changed")
    assert (event.data, event.target_text, event.project_id) == (
        {"before": "viewer", "after": "releaser"},
        "viewer@example.com",
        project.pk,
    )


def test_nobody_changes_their_own_role(project: Project, admin: User, by: Actor, member: Callable[[str], User]) -> None:
    editor = member("editor")
    for person in [admin, editor]:
        with pytest.raises(Forbidden):
            memberships.change_role(membership=membership_of(project, person), role="admin", by=actor(person))
    assert membership_of(project, editor).role == "editor"


@pytest.mark.parametrize("role", ["releaser", "admin"])
def test_nobody_gives_a_role_above_their_own(project: Project, member: Callable[[str], User], role: str) -> None:
    editor, viewer = member("editor"), member("viewer")
    with pytest.raises(Forbidden):
        memberships.change_role(membership=membership_of(project, viewer), role=role, by=actor(editor))


def test_nobody_lowers_or_removes_somebody_above_them(
    project: Project, admin: User, member: Callable[[str], User]
) -> None:
    editor = member("editor")
    with pytest.raises(Forbidden):
        memberships.change_role(membership=membership_of(project, admin), role="viewer", by=actor(editor))
    with pytest.raises(Forbidden):
        memberships.remove(membership=membership_of(project, admin), by=actor(editor), now=NOW)


def test_an_unknown_role_is_refused(project: Project, by: Actor, member: Callable[[str], User]) -> None:
    with pytest.raises(Invalid):
        memberships.change_role(membership=membership_of(project, member("viewer")), role="owner", by=by)


def test_a_member_of_another_project_grants_nothing_here(
    project: Project, other_project: Project, member: Callable[[str], User]
) -> None:
    eve = User.objects.get(email="eve@example.com")
    with pytest.raises(Forbidden):
        memberships.change_role(membership=membership_of(project, member("viewer")), role="viewer", by=actor(eve))


def test_the_last_admin_can_neither_leave_nor_be_lowered(project: Project, admin: User, by: Actor) -> None:
    with pytest.raises(memberships.LastAdmin):
        memberships.remove(membership=membership_of(project, admin), by=by, now=NOW)
    with pytest.raises(memberships.LastAdmin):
        memberships.change_role(membership=membership_of(project, admin), role="viewer", by=SYSTEM)


def test_an_admin_who_was_shut_out_does_not_count(
    project: Project, admin: User, by: Actor, member: Callable[[str], User]
) -> None:
    second = member("admin")
    people.set_active(user=second, active=False, by=SYSTEM)
    with pytest.raises(memberships.LastAdmin):
        memberships.remove(membership=membership_of(project, admin), by=by, now=NOW)


def test_whoever_leaves_takes_their_personal_keys_along(
    project: Project, member: Callable[[str], User], by: Actor
) -> None:
    editor = member("editor")
    issued = api_keys.issue(project=project, kind="personal", user=editor, name="git", by=by)
    assert keys.grant_for(issued.text).kind == "personal"
    memberships.remove(membership=membership_of(project, editor), by=actor(editor), now=NOW)
    keys.forget()
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)
    issued.key.refresh_from_db()
    assert issued.key.revoked_at == NOW
    Membership.objects.create(project=project, user=editor, role="editor")
    with pytest.raises(keys.KeyRefused):
        keys.grant_for(issued.text)


def test_removing_twice_says_so(project: Project, member: Callable[[str], User], by: Actor) -> None:
    membership = membership_of(project, member("viewer"))
    memberships.remove(membership=membership, by=by, now=NOW)
    membership.pk = 10**9
    with pytest.raises(Conflict):
        memberships.remove(membership=membership, by=by, now=NOW)
