"""Reads about projects, people and keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from llmops.accounts.models import User
from llmops.common.errors import NotFound
from llmops.projects.models import ApiKey, Invitation, Membership, Notification, Project


def projects_of(user: User) -> QuerySet[Project]:
    """The projects that a person is a member of, by name."""
    return Project.objects.live().filter(memberships__user=user).order_by("name", "id")


def is_registered(email: str) -> bool:
    """Whether somebody signs in by this address, in whatever case it is written."""
    return User.objects.filter(email__iexact=email).exists()


def email_of(user_id: int | None) -> str | None:
    """The address of a person; None for nobody."""
    return User.objects.filter(pk=user_id or 0).values_list("email", flat=True).first()


def project_by_slug(slug: str) -> Project:
    """For operator commands, which have no person to check.

    :raises NotFound: when there is none.
    """
    project = Project.objects.live().filter(slug=slug).first()
    if project is None:
        raise NotFound(f"There is no project “{slug}”.")
    return project


def members_of(project: Project) -> QuerySet[Membership]:
    return Membership.objects.filter(project=project).select_related("user").order_by("user__email", "id")


def membership_in(project: Project, user_uid: UUID) -> Membership:
    """:raises NotFound: when this person is not a member."""
    found = members_of(project).filter(user__uid=user_uid).first()
    if found is None:
        raise NotFound("There is no such member here.")
    return found


def open_invitations(project: Project) -> QuerySet[Invitation]:
    """Neither accepted nor revoked, newest first; those whose time ran out are among them."""
    return Invitation.objects.filter(project=project, accepted_at=None, revoked_at=None).order_by("-id")


def invitation_in(project: Project, uid: UUID) -> Invitation:
    """:raises NotFound: when the project has no such invitation."""
    found = open_invitations(project).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such invitation here.")
    return found


def invitation_by_digest(digest: bytes, *, now: datetime) -> Invitation | None:
    """The invitation of a link, while it can be accepted."""
    return (
        Invitation.objects.select_related("project", "invited_by")
        .filter(token_digest=digest, accepted_at=None, revoked_at=None, expires_at__gt=now, project__deleted_at=None)
        .first()
    )


def keys_of(project: Project) -> QuerySet[ApiKey]:
    """The project's keys, newest first, revoked ones included."""
    return ApiKey.objects.filter(project=project).select_related("user").order_by("-id")


def keys_shown_to(project: Project, user: User, *, all_of_them: bool) -> QuerySet[ApiKey]:
    """One's own personal keys; with `all_of_them` everybody's and the servers' too."""
    return keys_of(project) if all_of_them else keys_of(project).filter(user=user)


def key_in(project: Project, uid: UUID) -> ApiKey:
    """:raises NotFound: when the project has no such key."""
    found = keys_of(project).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such key here.")
    return found


def notifications_of(project: Project, user: User) -> QuerySet[Notification]:
    """The person's lines, newest first."""
    return Notification.objects.filter(project=project, user=user).order_by("-id")


def unread_count(project: Project, user: User) -> int:
    return Notification.objects.filter(project=project, user=user, read_at=None).count()


def publishable_origins(project_id: int | None = None) -> frozenset[str]:
    """Every origin that some good publishable key (of the project) lists.

    Without a project, for preflights: they do not say which key they are for.
    """
    of_project = {} if project_id is None else {"project_id": project_id}
    good = ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now()),
        kind=ApiKey.Kind.PUBLISHABLE,
        revoked_at=None,
        project__deleted_at=None,
        **of_project,
    )
    return frozenset(origin for origins in good.values_list("origins", flat=True) for origin in origins)
