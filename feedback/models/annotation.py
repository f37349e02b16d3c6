"""What one person answered about an item, and what finally stands."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from evals.models.dataset import ReadableJSON
from feedback.models.queue import Queue, QueueItem, Seat
from llmops.common.models import Immutable, WithUid


class Annotation(WithUid, Immutable):
    """Written once; taking it back removes it, and the audit trail keeps what it said.

    `answers` is empty when the item was skipped. `seconds` is the time on the item, as the work page measured it.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    seat = models.OneToOneField(Seat, on_delete=models.CASCADE, related_name="annotation")
    answers = models.JSONField(default=dict, encoder=ReadableJSON)
    seconds = models.PositiveIntegerField(null=True)
    skipped_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)


class Settled(WithUid, Immutable):
    """The answer that stands, with who decided it and why: never one of the annotations, so they stay as given."""

    class Method(models.TextChoices):
        UNANIMOUS = "unanimous", "all agreed"
        MAJORITY = "majority", "majority"
        ESTIMATED = "estimated", "estimated (Dawid–Skene)"
        ADJUDICATED = "adjudicated", "decided by a person"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    item = models.OneToOneField(QueueItem, on_delete=models.CASCADE, related_name="settled")
    answers = models.JSONField(encoder=ReadableJSON)
    method = models.CharField(max_length=12, choices=Method)
    by = models.CharField(max_length=255)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField(blank=True)
    settled_at = models.DateTimeField(default=timezone.now)


class HumanFigure(models.Model):
    """The share of passes (or the mean of a scale) that people settled for a prompt's version, from items by lot.

    Made anew by a job from the settled answers; `low` and `high` are the 95 % interval.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="figures", db_index=False)
    question = models.CharField(max_length=40)
    version = models.ForeignKey(
        "prompts.Version", null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False
    )
    n = models.PositiveIntegerField()
    value = models.FloatField()
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    method = models.CharField(max_length=100)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "question", "version"], name="feedback_human_figure_once"),
            models.UniqueConstraint(
                fields=["queue", "question"],
                condition=models.Q(version=None),
                name="feedback_human_figure_without_version",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "version"], name="feedback_human_figure_version")]
