"""Things under version control. Identity is the row: a path may change, labels, runs and feedback stay."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from llmops.common.models import Immutable, WithUid
from llmops.projects.models import Project


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def live(self) -> ArtifactQuerySet:
        return self.filter(archived_at=None)


class Artifact(WithUid):
    """A prompt, known by its path without ending: `support/triage` is `prompts/support/triage.prompty` in git."""

    class Kind(models.TextChoices):
        PROMPT = "prompt"
        CHAIN = "chain"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="artifacts")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PROMPT)
    path = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "kind", "path"],
                condition=models.Q(archived_at=None),
                name="prompts_artifact_path_unique",
            ),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class ArtifactPath(Immutable):
    """Where an artifact was from a commit on: its history of moves."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="paths")
    path = models.CharField(max_length=255)
    from_commit = models.ForeignKey("prompts.Commit", on_delete=models.CASCADE, related_name="+")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "path"], name="prompts_path_history")]

    def __str__(self) -> str:
        return self.path
