"""A project's git repository as rows: objects, refs, finished packs, and an index of the commits on `main`."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from llmops.common.models import Immutable
from llmops.projects.models import Project


class Repository(models.Model):
    """One for each project; locking its row puts saves and pushes in order."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="repository")
    objects_count = models.PositiveBigIntegerField(default=0)
    bytes_count = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[models.Manager[Repository]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.project.slug}.git"


class GitObject(Immutable):
    """A blob, tree, commit or tag. `type` is git's own number for it, `data` the zlib-compressed bytes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="git_objects")
    sha = models.BinaryField(max_length=20)
    type = models.PositiveSmallIntegerField()
    size = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["repository", "sha"], name="prompts_git_object_unique"),
        ]

    def __str__(self) -> str:
        return bytes(self.sha).hex()


class GitRef(models.Model):
    """A ref points at an object (`sha`) or at another ref (`target`, for HEAD)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="refs")
    name = models.CharField(max_length=255)
    sha = models.BinaryField(max_length=20, null=True)
    target = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["repository", "name"], name="prompts_git_ref_unique")]

    def __str__(self) -> str:
        return self.name


class GitPack(models.Model):
    """The finished pack of everything that a commit reaches: what a fresh clone downloads. May be deleted any time."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="packs")
    tip = models.BinaryField(max_length=20)
    data = models.BinaryField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["repository", "tip"], name="prompts_git_pack_unique")]

    def __str__(self) -> str:
        return bytes(self.tip).hex()


class Commit(Immutable):
    """A commit that the platform knows. `main_seq` counts the first-parent history of `main` from 1."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="commits")
    sha = models.BinaryField(max_length=20)
    main_seq = models.PositiveIntegerField(null=True)
    author_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    author_text = models.CharField(max_length=255)
    committed_at = models.DateTimeField()
    message = models.TextField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["repository", "sha"], name="prompts_commit_unique"),
            models.UniqueConstraint(fields=["repository", "main_seq"], name="prompts_commit_order_unique"),
        ]

    def __str__(self) -> str:
        return self.hex

    @property
    def hex(self) -> str:
        return bytes(self.sha).hex()

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]
