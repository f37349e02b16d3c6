"""Runs that start by themselves: when, what, what started so far, and who signs off what came out."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from evals.models.dataset import ReadableJSON
from evals.models.run import Run
from llmops.common import ids
from llmops.common.models import WithUid
from llmops.projects.models import Project


class Schedule(WithUid):
    """What to run, by names, and when: at the times of a cron line, on change of what it names, or both.

    `seen` is what the things of `on_change` were when a run last started; `next_due_at` is null without a cron line.
    """

    class Change(models.TextChoices):
        DATASET = "dataset"
        LABEL = "label"
        JUDGE = "judge"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="schedules")
    name = models.CharField(max_length=120)
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    wanted = models.JSONField(default=dict, encoder=ReadableJSON)
    on_change = models.JSONField(default=list, encoder=ReadableJSON)
    seen = models.JSONField(default=dict, encoder=ReadableJSON)
    changes = models.PositiveIntegerField(default=0)
    sign_off_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    enabled = models.BooleanField(default=True)
    next_due_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=255, blank=True)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"], name="evals_schedule_recent"),
            models.Index(fields=["next_due_at"], condition=models.Q(enabled=True), name="evals_schedule_due"),
        ]

    def __str__(self) -> str:
        return ids.public("sch", self.uid)


class ScheduleStart(models.Model):
    """A time at which a schedule was due, or a change that it saw: one row, and so one run, for each `slot`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="starts")
    slot = models.CharField(max_length=60)
    cause = models.CharField(max_length=60)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    problem = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            # However many schedulers tick at once, a due time starts one run.
            models.UniqueConstraint(fields=["schedule", "slot"], name="evals_schedule_start_once"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.slot}"


class SignOff(models.Model):
    """One named person's word on a finished run."""

    class State(models.TextChoices):
        WAITING = "waiting"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="sign_off")
    schedule = models.ForeignKey(Schedule, null=True, on_delete=models.SET_NULL, related_name="sign_offs")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    note = models.CharField(max_length=2_000, blank=True)
    by = models.CharField(max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.state} {self.run_id}"
