"""Tell people: a line in their list at once, and a mail soon after."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core import mail
from django.db import transaction

from llmops.accounts.models import User
from llmops.common import jobs
from llmops.projects.models import Membership, Notification, Project
from llmops.projects.permissions import ROLES, Permission

MAIL_TASK = "projects.mail_notifications"
MAILS_AT_ONCE = 50
WORTH_MAILING = timedelta(days=1)


@transaction.atomic
def notify(*, project: Project, users: Iterable[int], kind: str, text: str, url: str, now: datetime) -> int:
    """Put one line into the list of each person who is a member of the project; returns their number.

    `kind` is a word such as `run_finished`; `url` a path on this site. The mail follows after commit.
    """
    members = Membership.objects.filter(project=project, user_id__in=set(users), user__is_active=True)
    lines = [
        Notification(
            project=project, user_id=user_id, kind=kind, text=text[:300], url=url[:500] if _is_local(url) else "/",
            created_at=now,
        )
        for user_id in members.order_by("user_id").values_list("user_id", flat=True)
    ]  # fmt: skip
    if lines:
        Notification.objects.bulk_create(lines)
        jobs.enqueue(MAIL_TASK)
    return len(lines)


def people_who_may(project: Project, permission: Permission) -> list[int]:
    """The ids of members whose role has the permission: whom to tell that something waits."""
    roles = [role for role, permissions in ROLES.items() if permission in permissions]
    return list(
        Membership.objects.filter(project=project, role__in=roles).order_by("user_id").values_list("user_id", flat=True)
    )


def mark_read(*, project: Project, user: User, now: datetime, ids: Iterable[int] | None = None) -> int:
    """Mark the person's lines as read (all of them without `ids`); returns how many were unread."""
    unread = Notification.objects.filter(project=project, user=user, read_at=None)
    if ids is not None:
        unread = unread.filter(pk__in=list(ids))
    return unread.update(read_at=now)


def mail_waiting(*, now: datetime) -> int:
    """Send the mails that were not sent yet; safe to run twice, and a mail server that is away costs nothing.

    A line is marked only after its mail was handed over, so a crash between the two repeats one mail rather than
    losing it. What is older than a day stays in the list alone.
    """
    waiting = Notification.objects.filter(mailed_at=None, created_at__gte=now - WORTH_MAILING)
    sent = 0
    for line in waiting.select_related("project", "user").order_by("id")[:MAILS_AT_ONCE]:
        try:
            mail.send_mail(
                subject=f"[{line.project.name}] {line.text}".replace("\n", " ").replace("\r", " ")[:200],
                message=f"{line.text}\n\n{settings.LLMOPS_BASE_URL}{line.url}\n",
                from_email=None,
                recipient_list=[line.user.email],
            )
        except (SMTPException, OSError):
            break
        Notification.objects.filter(pk=line.pk).update(mailed_at=now)
        sent += 1
    return sent


def _is_local(url: str) -> bool:
    return url.startswith("/") and not url.startswith("//")
