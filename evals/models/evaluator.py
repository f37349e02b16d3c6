"""Evaluators: a metric or a judge with its configuration, versioned."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from evals import metrics
from evals.models.dataset import ReadableJSON
from llmops.common.models import Immutable, WithUid
from llmops.projects.models import Project
from llmops.projects.models.project import SLUG


class Evaluator(WithUid):
    """A named evaluator; what it does stands in its versions."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evaluators")
    slug = models.CharField(max_length=60, validators=[SLUG])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=255, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("project", Lower("slug"), name="evals_evaluator_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.slug


class EvaluatorVersion(Immutable, WithUid):
    """One configuration; `spec_hash` makes the same configuration one row, so that its scores compare over runs.

    Inline evaluators are versions without an evaluator until somebody names them. `judge` is the rubric's version, null
    for metrics.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    evaluator = models.ForeignKey(Evaluator, null=True, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(null=True)
    spec = models.JSONField(encoder=ReadableJSON)
    spec_hash = models.CharField(max_length=64)
    judge = models.ForeignKey("prompts.Version", null=True, on_delete=models.CASCADE, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "spec_hash"], name="evals_evaluator_spec_unique"),
            models.UniqueConstraint(fields=["evaluator", "number"], name="evals_evaluator_version_number"),
            models.CheckConstraint(
                condition=models.Q(evaluator=None, number=None) | models.Q(evaluator__isnull=False, number__gte=1),
                name="evals_evaluator_version_numbered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.evaluator} v{self.number}" if self.evaluator else self.title

    @property
    def asks_model(self) -> bool:
        """Whether its scores need calls of their own: a judge's, or a metric's for embeddings."""
        return self.judge_id is not None or metrics.asks_model(self.spec)

    @property
    def title(self) -> str:
        """How people know an inline evaluator: by its metric or judge."""
        return str(self.spec.get("metric") or self.spec.get("judge", {}).get("prompt", "judge"))
