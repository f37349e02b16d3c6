"""Answers that were paid for once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from llmops.projects.models import Project


class CacheEntry(models.Model):
    """`key` is the hash of everything that shapes an answer; see llmops.gateway.services.cache."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    key = models.BinaryField(max_length=32)
    answer = models.JSONField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "key"], name="gateway_cache_unique")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="gateway_cache_by_age")]

    def __str__(self) -> str:
        return bytes(self.key).hex()
