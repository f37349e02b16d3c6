"""How well a judge agrees with people, measured once on labelled examples."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from evals.models.dataset import ReadableJSON
from evals.models.evaluator import EvaluatorVersion
from evals.models.run import Run
from llmops.common import ids
from llmops.common.models import Immutable, WithUid
from llmops.projects.models import Project


class JudgeCertificate(Immutable, WithUid):
    """One evaluator version on one model against people's labels: counts as they are, and figures made from them.

    `table` has a row for each class of people's labels and a column for each class of verdicts; `no_verdict` counts, by
    label, the answers that could not be read. `models_answered` are the names that the provider gave: where a later run
    was answered by another one, the certificate does not speak for it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    evaluator_version = models.ForeignKey(EvaluatorVersion, on_delete=models.CASCADE, related_name="certificates")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    model_asked = models.CharField(max_length=200)
    models_answered = models.JSONField(default=list, encoder=ReadableJSON)
    label_column = models.CharField(max_length=200)
    positive_label = models.CharField(max_length=200, blank=True)
    label_source = models.CharField(max_length=200, blank=True)
    classes = models.JSONField(encoder=ReadableJSON)
    table = models.JSONField(encoder=ReadableJSON)
    no_verdict = models.JSONField(encoder=ReadableJSON)
    n = models.PositiveIntegerField()
    not_labelled = models.PositiveIntegerField(default=0)
    not_judged = models.PositiveIntegerField(default=0)
    figures = models.JSONField(encoder=ReadableJSON)
    is_usable = models.BooleanField()
    reasons = models.JSONField(default=list, encoder=ReadableJSON)
    measured_at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["evaluator_version", "model_asked", "-id"], name="evals_certificate_newest"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(n__gte=1), name="evals_certificate_has_labels"),
        ]

    def __str__(self) -> str:
        return ids.public("cert", self.uid)
