"""An account at a model provider."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now

from llmops.common.models import WithUid
from llmops.projects.models import Project


class Connection(WithUid):
    """The key is sealed; `key_hint` are its last four characters. `model` is used when a prompt names none."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="connections")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=30)
    base_url = models.CharField(max_length=500, blank=True)
    model = models.CharField(max_length=200, blank=True)
    sealed_key = models.TextField(blank=True)
    key_hint = models.CharField(max_length=8, blank=True)
    rpm = models.PositiveIntegerField(null=True, blank=True)
    tpm = models.PositiveIntegerField(null=True, blank=True)
    max_in_flight = models.PositiveIntegerField(default=50)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_outcome = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                "project", Lower("name"), condition=models.Q(archived_at=None), name="gateway_connection_name_unique"
            ),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(is_default=True), name="gateway_one_default_connection"
            ),
        ]

    def __str__(self) -> str:
        return self.name
