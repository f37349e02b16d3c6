"""Change and end memberships. A project always keeps an admin, and nobody gives more than they have."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, Invalid
from llmops.projects.models import ApiKey, Membership, Project
from llmops.projects.permissions import ROLES
from llmops.projects.services import api_keys


class LastAdmin(Conflict):
    """The change would leave the project without an admin."""

    code = "last_admin"


def demand_may_grant(role: str, *, project: Project, by: Actor) -> None:
    """Whoever hands out a role must hold all of its permissions.

    :raises Invalid: when there is no such role.
    :raises Forbidden: when it is above the actor's own.
    """
    if role not in ROLES:
        raise Invalid("There is no such role.", fields={"role": f"choose from {', '.join(ROLES)}"})
    if by.kind == "system":
        return
    own = Membership.objects.filter(project=project, user=by.user_id, user__is_active=True).first()
    if own is None or not ROLES[role] <= own.permissions:
        raise Forbidden(f"Only somebody with the role {role} can give it.", fields={"role": "above your own"})


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: Actor) -> Membership:
    """Give a member another role; keys that act as the member follow within a second.

    :raises Forbidden: for one's own role, or one above one's own.
    :raises LastAdmin: when nobody would be admin any more.
    """
    membership = _locked(membership)
    if by.user_id == membership.user_id:
        raise Forbidden("Nobody changes their own role: ask another admin.", fields={"role": "your own"})
    demand_may_grant(role, project=membership.project, by=by)
    demand_may_grant(membership.role, project=membership.project, by=by)
    before = membership.role
    if before == role:
        return membership
    if before == Membership.Role.ADMIN:
        _demand_another_admin(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    audit.record("member.role_changed", by=by, target=membership, text=membership.user.email, before=before, after=role)
    return membership


@transaction.atomic
def remove(*, membership: Membership, by: Actor, now: datetime) -> None:
    """End a membership, also one's own, and revoke the personal keys that it carried.

    :raises LastAdmin: when nobody would be admin any more.
    """
    membership = _locked(membership)
    if by.user_id != membership.user_id:
        demand_may_grant(membership.role, project=membership.project, by=by)
    if membership.role == Membership.Role.ADMIN:
        _demand_another_admin(membership)
    for key in ApiKey.objects.filter(project=membership.project, user=membership.user, revoked_at=None):
        api_keys.revoke(key=key, by=by, now=now)
    audit.record("member.removed", by=by, target=membership, text=membership.user.email, role=membership.role)
    membership.delete()


def _locked(membership: Membership) -> Membership:
    """The membership as it is now, read behind the project's row: two admins cannot remove each other at once."""
    Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    current = Membership.objects.select_related("project", "user").filter(pk=membership.pk).first()
    if current is None:
        raise Conflict("This person is no longer a member.")
    return current


def _demand_another_admin(membership: Membership) -> None:
    others = Membership.objects.filter(
        project=membership.project, role=Membership.Role.ADMIN, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise LastAdmin("A project needs an admin: make somebody else admin first.")
