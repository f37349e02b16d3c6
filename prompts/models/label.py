"""Labels are movable names on versions; a deployment is one move."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.common.models import Immutable
from llmops.projects.models import Project
from prompts.models.artifact import Artifact
from prompts.models.version import Version


class Label(models.Model):
    """`production` and its like; a protected label needs the permission to release."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=60)
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="labels")
    protected = models.BooleanField(default=False)
    moved_at = models.DateTimeField(default=now)
    moved_by_text = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["artifact", "name"], name="prompts_label_unique")]

    def __str__(self) -> str:
        return self.name


class Deployment(Immutable):
    """One move of a label, kept for ever."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="deployments")
    label_name = models.CharField(max_length=60)
    from_version = models.ForeignKey(Version, null=True, on_delete=models.SET_NULL, related_name="+")
    to_version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="deployments")
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    by_text = models.CharField(max_length=255)
    at = models.DateTimeField(default=now)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-at"], name="prompts_deployment_by_time"),
            models.Index(fields=["artifact", "-id"], name="prompts_deployment_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.label_name} moved"
