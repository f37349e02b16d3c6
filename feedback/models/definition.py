"""What a project asks its users and its evaluators: a named score with its kind, range or categories."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now

from llmops.common.models import WithUid


class ScoreDefinition(WithUid):
    """Feedback that names it is checked against it. `low` and `high` bound a number; None is no bound.

    `categories` are the values that a category may have; an empty list takes any. One that came with the first score
    of its name, from a library that declares none, has `is_declared` false and checks the kind alone.
    """

    class Kind(models.TextChoices):
        NUMBER = "number"
        BOOLEAN = "boolean"
        CATEGORY = "category"
        TEXT = "text"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=8, choices=Kind)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    categories = models.JSONField(default=list, blank=True)
    is_declared = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                "project",
                Lower("name"),
                condition=models.Q(archived_at__isnull=True),
                name="feedback_one_definition_per_name",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["number", "boolean", "category", "text"]),
                name="feedback_definition_kind_known",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "name"], name="feedback_definition_by_name")]

    def __str__(self) -> str:
        return self.name
