"""What the dataset doctor was asked to look at, how far it is, and what it found."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from evals.doctor import Kind
from evals.models.dataset import Dataset, ReadableJSON
from llmops.common.leased import Leased
from llmops.common.models import WithUid
from llmops.projects.models import Project


class Checkup(WithUid, Leased):
    """One look over a dataset version. `done` of `total` counts steps: a row read, a row compared, a result read.

    `counts` says how many findings of each kind there are; the first of them are kept as rows. A worker that dies is
    followed by one that begins anew: findings are written at the end, in one transaction.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="checkups")
    version_number = models.PositiveIntegerField()
    threshold = models.FloatField()
    last_runs = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    phase = models.CharField(max_length=20, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    runs = models.PositiveSmallIntegerField(default=0)
    prompts = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, encoder=ReadableJSON)
    is_complete = models.BooleanField(default=True)
    by = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"], name="evals_checkup_recent"),
            models.Index(fields=["dataset", "-id"], name="evals_checkup_of_dataset"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="evals_checkup_one_active",
            ),
        ]

    def __str__(self) -> str:
        return f"check of {self.dataset} v{self.version_number}"

    @property
    def progress(self) -> float:
        """Share of the steps that are done, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


class CheckupFinding(WithUid):
    """One finding; `members` are `{"key", "number", "split"}` of the first rows, `size` counts all of them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    checkup = models.ForeignKey(Checkup, on_delete=models.CASCADE, related_name="findings")
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in Kind])
    rank = models.PositiveIntegerField()
    members = models.JSONField(default=list, encoder=ReadableJSON)
    size = models.PositiveIntegerField()
    strength = models.FloatField()
    note = models.CharField(max_length=500)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["checkup", "rank"], name="evals_checkup_finding_rank"),
        ]
        indexes: ClassVar = [models.Index(fields=["checkup", "kind", "rank"], name="evals_checkup_finding_kind")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.note}"
