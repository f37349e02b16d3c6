"""Invite people by a link that works once, for one address."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core import mail
from django.db import transaction
from django.urls import reverse

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, NotFound
from llmops.projects import queries
from llmops.projects.models import Invitation, Membership, Project
from llmops.projects.services import memberships
from llmops.projects.services.api_keys import ALPHABET, digest

GOOD_FOR = timedelta(days=7)
MARK = "iv-"  # the log formatter blanks what starts like this

logger = logging.getLogger(__name__)


class InvitationOver(NotFound):
    """Unknown, used, revoked and expired links look the same."""

    code = "invitation_over"


@dataclass(frozen=True, slots=True)
class IssuedInvitation:
    """The only moment at which the link exists; `mailed` says whether the mail server took it."""

    invitation: Invitation
    link: str
    mailed: bool


def create(*, project: Project, email: str, role: str, by: Actor, now: datetime) -> IssuedInvitation:
    """Invite one address and mail the link; an older open invitation of the address ends.

    :raises Forbidden: when the role is above the inviter's own.
    :raises Invalid: when the address or the role is not acceptable.
    :raises Conflict: when the person is a member already.
    """
    token = MARK + "".join(secrets.choice(ALPHABET) for _ in range(32))
    with transaction.atomic():
        email = people.checked_email(email)
        memberships.demand_may_grant(role, project=project, by=by)
        if Membership.objects.filter(project=project, user__email__iexact=email).exists():
            raise Conflict(f"{email} is a member already.", fields={"email": "a member already"})
        Invitation.objects.filter(project=project, email=email, accepted_at=None, revoked_at=None).update(
            revoked_at=now
        )
        invitation = Invitation.objects.create(
            project=project,
            email=email,
            role=role,
            token_digest=digest(token),
            invited_by_id=by.user_id,
            created_at=now,
            expires_at=now + GOOD_FOR,
        )
        audit.record("member.invited", by=by, target=invitation, text=email, role=role)
    link = settings.LLMOPS_BASE_URL + reverse("join", args=[token])
    return IssuedInvitation(invitation=invitation, link=link, mailed=_mail(invitation, link, by))


@transaction.atomic
def revoke(*, invitation: Invitation, by: Actor, now: datetime) -> None:
    """End an invitation that was not accepted yet."""
    ended = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None).update(revoked_at=now)
    if ended:
        audit.record("invitation.revoked", by=by, target=invitation, text=invitation.email)


@transaction.atomic
def accept(*, invitation: Invitation, user: User, by: Actor, now: datetime) -> Membership:
    """Make the invited person a member; somebody who is one already keeps the role they have.

    :raises Forbidden: when the person's address is not the invited one.
    :raises InvitationOver: when somebody was quicker, or time ran out.
    """
    if user.email.lower() != invitation.email.lower():
        raise Forbidden(f"This invitation is for {invitation.email}; you are signed in as {user.email}.")
    used = Invitation.objects.filter(
        pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=now, project__deleted_at=None
    ).update(accepted_at=now)
    if not used:
        raise over()
    membership, is_new = Membership.objects.get_or_create(
        project=invitation.project, user=user, defaults={"role": invitation.role}
    )
    if is_new:
        audit.record("member.joined", by=by, target=membership, text=user.email, role=membership.role)
    return membership


@transaction.atomic
def accept_as_newcomer(*, invitation: Invitation, name: str, password: str, now: datetime) -> User:
    """Make the invited person's account and let them in.

    :raises Invalid: when the name or the password is not acceptable.
    :raises Conflict: when the address has an account: its owner must sign in.
    """
    user = people.create(email=invitation.email, name=name, password=password)
    by = Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)
    accept(invitation=invitation, user=user, by=by, now=now)
    return user


def find(token: str, *, now: datetime) -> Invitation:
    """The invitation of a link; looking at it changes nothing, so mail scanners may.

    :raises InvitationOver: when the link is not good (any more).
    """
    invitation = queries.invitation_by_digest(digest(token), now=now)
    if invitation is None:
        raise over()
    return invitation


def over() -> InvitationOver:
    return InvitationOver("This invitation was used, ended or is too old. Ask for a new one.")


def _mail(invitation: Invitation, link: str, by: Actor) -> bool:
    """After the commit, so that a mail server that is slow or away holds no lock; the page shows the link anyway."""
    project = " ".join(invitation.project.name.split())
    try:
        sent = mail.send_mail(
            subject=f"You are invited to {project}"[:200],
            message=(
                f"{by.text} invites you to work on {project} as {invitation.role}.\n\n{link}\n\n"
                f"The link works once, until {invitation.expires_at:%d %B %Y}. If you did not expect it, ignore it.\n"
            ),
            from_email=None,
            recipient_list=[invitation.email],
        )
    except (SMTPException, OSError) as error:
        logger.warning("invitation.not_mailed", extra={"reason": type(error).__name__})
        return False
    return bool(sent)
