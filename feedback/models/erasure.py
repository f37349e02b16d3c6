"""The deletion of one end user's data, and how far it is."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from llmops.common.leased import Leased
from llmops.common.models import WithUid


class Erasure(WithUid, Leased):
    """One deletion: of what the person with this keyed hash had sent by `created_at`. `done` of `total` counts rows.

    `counts` says what went so far. What is deleted is gone, so a worker that dies is followed by one that goes on.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    person = models.CharField(max_length=32)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    by = models.CharField(max_length=255, blank=True)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="feedback_erasure_recent")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "person"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="feedback_erasure_one_active",
            ),
        ]

    def __str__(self) -> str:
        return f"the end user {self.person[:12]}…"

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done // self.total) if self.total else 0
