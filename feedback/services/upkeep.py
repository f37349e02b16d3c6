"""What has to be done now and then: retention, calls that came late, a word to the people for whom feedback waits."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.urls import reverse

from feedback.models import InboxItem
from feedback.services import describing, retention
from llmops.projects.models import Notification, Project
from llmops.projects.permissions import Permission
from llmops.projects.services import notifications

WAITING = "feedback_waiting"
A_DAY = timedelta(days=1)


def run(*, now: datetime) -> None:
    """One turn over all projects; a turn that was cut short is made up by the next."""
    describing.seek_calls(since=now - describing.LATE, most=100_000)
    for project in Project.objects.live().order_by("id"):
        retention.purge(project=project, now=now)
        tell_what_waits(project=project, now=now)


def tell_what_waits(*, project: Project, now: datetime) -> int:
    """Tell those who may triage that feedback of the last day is open: at most once a day; returns how many people."""
    if Notification.objects.filter(project=project, kind=WAITING, created_at__gt=now - A_DAY).exists():
        return 0
    items = InboxItem.objects.filter(project=project, state=InboxItem.State.OPEN, feedback_at__gte=now - A_DAY)
    count = items.count()
    if not count:
        return 0
    return notifications.notify(
        project=project,
        users=notifications.people_who_may(project, Permission.FEEDBACK_TRIAGE),
        kind=WAITING,
        text=f"{count:,} {'call has' if count == 1 else 'calls have'} new feedback",
        url=reverse("feedback:inbox", args=[project.slug]),
        now=now,
    )
