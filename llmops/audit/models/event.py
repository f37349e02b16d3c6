"""The append-only trail of who changed what."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from llmops.common.models import Immutable


class Event(Immutable):
    """One change, written in the same transaction as the change itself.

    No foreign keys: the trail never blocks a deletion and never vanishes with what it speaks of.
    """

    project_id = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_text = models.CharField(max_length=255)
    name = models.CharField(max_length=80)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=80)
    target_text = models.CharField(max_length=255)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=40, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project_id", "-id"], name="audit_by_project"),
            models.Index(fields=["project_id", "target_kind", "target_id", "-id"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.name} by {self.actor_text}"
