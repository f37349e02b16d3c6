"""Tasks of projects."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from llmops.projects.services import notifications, removal


@shared_task(name="projects.mail_notifications")
def mail_notifications(**_: object) -> None:
    """Hand waiting notifications to the mail server; the schedule picks up what a lost message left."""
    notifications.mail_waiting(now=timezone.now())


@shared_task(name="projects.remove_deleted")
def remove_deleted(**_: object) -> None:
    """Remove a bounded number of rows of deleted projects; the next tick goes on."""
    removal.remove_deleted(now=timezone.now())
