"""What people do before they save: drafts and try-outs."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.common.models import WithUid
from llmops.projects.models import Project
from prompts.models.artifact import Artifact
from prompts.models.version import Version


class Draft(models.Model):
    """What a person has typed and not saved; one for each artifact, and one for a new one."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, null=True, on_delete=models.CASCADE, related_name="drafts")
    path = models.CharField(max_length=255, blank=True)
    content = models.TextField()
    base_version = models.ForeignKey(Version, null=True, on_delete=models.SET_NULL, related_name="+")
    updated_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "artifact"], name="prompts_one_draft_per_artifact"),
            models.UniqueConstraint(
                fields=["project", "user"], condition=models.Q(artifact=None), name="prompts_one_draft_of_a_new_prompt"
            ),
        ]

    def __str__(self) -> str:
        return f"draft of {self.path}"


class TryOut(WithUid):
    """One call from the editor: made by a task, polled by the page, and kept, so that it can become an example."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, null=True, on_delete=models.SET_NULL, related_name="tryouts")
    version = models.ForeignKey(Version, null=True, on_delete=models.SET_NULL, related_name="+")
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.TextField()
    inputs = models.JSONField(default=dict)
    connection_name = models.CharField(max_length=120, blank=True)
    model = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    output = models.TextField(blank=True)
    trace = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="prompts_tryout_recent")]

    def __str__(self) -> str:
        return f"try-out {self.uid}"
