"""The engine's to-do list: one row per call that a run still has to make, and the slices that work on them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from evals.models.dataset import Example
from evals.models.run import Run
from llmops.projects.models import Project

TARGET = 0  # `evaluator` of the item that calls the model under test


class WorkItem(models.Model):
    """One call to make: the target's, or one judge's verdict on the target's stored result.

    The row is the job; messages only say "look". Whoever holds the newest `fence` may finish a leased item, until
    `lease_until`. `attempts` rises when the item is taken up and falls when it is handed back in good order, so what
    remains counts crashes. Items go when their run is finished.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        LEASED = "leased"
        DONE = "done"
        FAILED = "failed"
        QUARANTINED = "quarantined"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="items")
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="+", db_index=False)
    repeat = models.PositiveIntegerField(default=0)
    evaluator = models.BigIntegerField(default=TARGET)  # an EvaluatorVersion's key, or TARGET
    part = models.PositiveSmallIntegerField(default=0)  # of a judge that is asked more than once
    state = models.CharField(max_length=11, choices=State, default=State.PENDING)
    next_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    claims = models.PositiveIntegerField(default=0)  # every taking-up, for counting calls that were lost
    deferrals = models.PositiveSmallIntegerField(default=0)  # how often the provider was not ready
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    slice_uid = models.UUIDField(null=True)
    error = models.TextField(blank=True)
    is_fresh = models.BooleanField(default=False)  # a kept answer is no answer: it gave no verdict before

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "example", "repeat", "evaluator", "part"], name="evals_work_item_part_unique"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["run", "attempts", "next_at", "id"],
                condition=models.Q(state="pending"),
                name="evals_work_item_due",
            ),
            models.Index(
                fields=["run", "slice_uid", "lease_until"],
                condition=models.Q(state="leased"),
                name="evals_work_item_leased",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.example_id}/{self.repeat}/{self.evaluator}"


class WorkerSlice(models.Model):
    """A stretch of work by one process: its database thread beats every two seconds while it lives.

    `host` names machine and process namespace, so that a reconciler in the same one can see that a process is gone.
    """

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    parent_pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.uid} on {self.host}"
