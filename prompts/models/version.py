"""Content (the parsed bytes), version (an artifact at a commit) and number (its place on `main`) are three rows."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.common.models import Immutable, WithUid
from llmops.projects.models import Project
from prompts.models.artifact import Artifact
from prompts.models.git import Commit
from prompts.prompty import PromptSpec


class Content(Immutable):
    """What a blob says, parsed once. `blob_sha` is the real git hash of the file's bytes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    blob_sha = models.BinaryField(max_length=20)
    text = models.TextField()
    spec = models.JSONField()
    inputs = models.JSONField(default=list)
    includes = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "kind", "blob_sha"], name="prompts_content_unique"),
        ]

    def __str__(self) -> str:
        return self.blob

    @property
    def blob(self) -> str:
        """The git hash as people copy it."""
        return bytes(self.blob_sha).hex()

    @property
    def prompt(self) -> PromptSpec:
        return PromptSpec.from_json(self.spec)


class Version(Immutable, WithUid):
    """An artifact as it is at a commit; never changes."""

    class Source(models.TextChoices):
        UI = "ui"
        API = "api"
        PUSH = "push"
        IMPORT = "import"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="versions")
    commit = models.ForeignKey(Commit, on_delete=models.CASCADE, related_name="versions")
    content = models.ForeignKey(Content, on_delete=models.CASCADE, related_name="versions")
    source = models.CharField(max_length=10, choices=Source)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    by_text = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["artifact", "commit"], name="prompts_version_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["artifact", "-id"], name="prompts_version_recent")]

    def __str__(self) -> str:
        return f"{self.artifact_id}@{self.pk}"


class VersionNumber(Immutable):
    """The number that people say: 1, 2, 3 along `main`, without gaps, written once."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    version = models.OneToOneField(Version, on_delete=models.CASCADE, related_name="numbered")
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["artifact", "number"], name="prompts_version_number_unique"),
        ]

    def __str__(self) -> str:
        return str(self.number)


class VersionPin(Immutable):
    """Which version an include meant, resolved in the tree of the same commit."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="pins")
    path = models.CharField(max_length=255)
    pinned = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="pinned_by")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "path"], name="prompts_version_pin_unique"),
        ]

    def __str__(self) -> str:
        return self.path
