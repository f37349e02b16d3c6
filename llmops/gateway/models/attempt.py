"""Every attempt of every call, good or not: what was paid, and how providers behave."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from llmops.common.models import Immutable
from llmops.projects.models import Project


class Attempt(Immutable):
    """`owner_uid` is the run or try-out that it was made for; kept for the project's retention."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey("gateway.Connection", null=True, on_delete=models.SET_NULL, related_name="+")
    purpose = models.CharField(max_length=10)
    owner_uid = models.UUIDField()
    number = models.PositiveSmallIntegerField()
    model_asked = models.CharField(max_length=200)
    model_answered = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=30)
    http_status = models.PositiveSmallIntegerField(null=True)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    latency_ms = models.PositiveIntegerField()
    started_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "started_at"], name="gateway_attempt_by_time"),
            models.Index(fields=["owner_uid"], name="gateway_attempt_by_owner"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"
