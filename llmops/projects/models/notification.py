"""What a person should know: a run ended, a review waits."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.projects.models.project import Project


class Notification(models.Model):
    """One line for one person; `url` is a path on this site. `mailed_at` is set after the mail was handed over."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="notifications")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=40)
    text = models.CharField(max_length=300)
    url = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "user", "-id"], name="projects_notification_recent"),
            models.Index(
                fields=["project", "user"], condition=models.Q(read_at=None), name="projects_notification_unread"
            ),
            models.Index(fields=["id"], condition=models.Q(mailed_at=None), name="projects_notification_unsent"),
        ]

    def __str__(self) -> str:
        return self.text
