"""What labelers are asked, in versions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from evals.models.dataset import ReadableJSON
from llmops.common.models import Immutable, WithUid
from llmops.projects.models.project import SLUG


class Rubric(WithUid):
    """A named set of questions; a change is a new version, so that old answers keep their questions."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    slug = models.CharField(max_length=60, validators=[SLUG])
    name = models.CharField(max_length=120)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("project", Lower("slug"), name="feedback_rubric_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.slug


class RubricVersion(Immutable):
    """The questions as `feedback.rubrics` reads them, in order, and what holds for all of them."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    rubric = models.ForeignKey(Rubric, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    questions = models.JSONField(encoder=ReadableJSON)
    guidelines = models.TextField(blank=True)
    by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rubric", "number"], name="feedback_rubric_version_number"),
        ]

    def __str__(self) -> str:
        return f"{self.rubric} v{self.number}"
