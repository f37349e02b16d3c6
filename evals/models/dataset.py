"""Datasets, their versions as ranges over examples, and imports."""

from __future__ import annotations

import json
import uuid
from typing import Any, ClassVar

from django.db import connections, models
from django.db.models.functions import Lower
from django.utils import timezone

from llmops.common import ids
from llmops.common.leased import Leased
from llmops.common.models import Immutable, ImmutableQuerySet, WithUid
from llmops.projects.models import Project
from llmops.projects.models.project import SLUG


class ReadableJSON(json.JSONEncoder):
    """Letters stay letters in the database, so that searching finds them and they take less room."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False, "allow_nan": False})


class Dataset(WithUid):
    """A list of examples. `columns` names what its examples hold: `{"inputs": [...], "metadata": [...]}` in order."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    slug = models.CharField(max_length=60, validators=[SLUG])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    columns = models.JSONField(default=dict, encoder=ReadableJSON)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=255, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("project", Lower("slug"), name="evals_dataset_slug_unique"),
        ]

    def __str__(self) -> str:
        return self.slug


class DatasetVersion(models.Model):
    """Version `number` of a dataset is the examples whose range holds the number.

    At most one version is open; it collects edits until somebody saves it or a run pins it. `content_hash` is the
    SHA-256 over the sorted hashes of its examples; `examples` is kept up to date while the version is open.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    examples = models.PositiveIntegerField(default=0)
    content_hash = models.CharField(max_length=64, blank=True)
    message = models.CharField(max_length=500, blank=True)
    by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sealed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "number"], name="evals_dataset_version_number"),
            models.UniqueConstraint(
                fields=["dataset"], condition=models.Q(sealed_at=None), name="evals_one_open_dataset_version"
            ),
            models.CheckConstraint(
                condition=models.Q(sealed_at=None) | ~models.Q(content_hash=""), name="evals_sealed_version_has_hash"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"


class ExampleQuerySet(ImmutableQuerySet["Example"]):
    def at(self, number: int) -> ExampleQuerySet:
        """The examples of version `number`."""
        return self.filter(models.Q(removed_in=None) | models.Q(removed_in__gt=number), added_in__lte=number)

    def current(self) -> ExampleQuerySet:
        """The examples of the newest version, open or sealed."""
        return self.filter(removed_in=None)

    def in_order(self) -> ExampleQuerySet:
        return self.order_by("position", "id")

    def tagged(self, tag: str) -> ExampleQuerySet:
        if connections[self.db].vendor == "postgresql":
            return self.filter(tags__has_key=tag)
        return self.filter(tags__icontains=json.dumps(tag, ensure_ascii=False))


class Example(Immutable):
    """One row of a dataset, for the versions from `added_in` up to but not including `removed_in`.

    `key` stays the same when an edit replaces the row, and is how the outside knows the example. Only `removed_in` is
    ever written later, and the content is blanked by erasure.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+")
    key = models.UUIDField(default=ids.uuid7)
    added_in = models.PositiveIntegerField()
    removed_in = models.PositiveIntegerField(null=True)
    position = models.PositiveBigIntegerField()
    inputs = models.JSONField(default=dict, encoder=ReadableJSON)
    expected = models.JSONField(null=True, encoder=ReadableJSON)
    contexts = models.JSONField(default=list, encoder=ReadableJSON)
    metadata = models.JSONField(default=dict, encoder=ReadableJSON)
    tags = models.JSONField(default=list, encoder=ReadableJSON)
    split = models.CharField(max_length=40, blank=True)
    content_hash = models.CharField(max_length=64)
    source_kind = models.CharField(max_length=20, blank=True)  # import, api, page, call, label, tryout …
    source_uid = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)

    objects = ExampleQuerySet.as_manager()  # type: ignore[misc]  # the base declares its own

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["dataset", "position", "id"], name="evals_example_order"),
            models.Index(fields=["dataset", "added_in", "removed_in"], name="evals_example_range"),
            models.Index(fields=["dataset", "content_hash"], name="evals_example_content"),
            models.Index(fields=["project", "source_uid"], name="evals_example_source"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset", "key"], condition=models.Q(removed_in=None), name="evals_example_one_current_row"
            ),
            models.CheckConstraint(
                condition=models.Q(removed_in=None) | models.Q(removed_in__gt=models.F("added_in")),
                name="evals_example_range_not_empty",
            ),
        ]

    def __str__(self) -> str:
        return self.uid

    @property
    def uid(self) -> str:
        """The outside id, such as `ex_0198…`."""
        return ids.public("ex", self.key if isinstance(self.key, uuid.UUID) else uuid.UUID(str(self.key)))


class Import(WithUid, Leased):
    """A file on its way into a dataset: what was asked, how far it got, and who works on it.

    `offset` is where the next unread row begins in the stored file; it moves in the same transaction as the rows.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="imports")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    format = models.CharField(max_length=10)
    file_name = models.CharField(max_length=255)
    stored = models.CharField(max_length=80)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict, encoder=ReadableJSON)
    skip_known = models.BooleanField(default=True)
    version_number = models.PositiveIntegerField(null=True)
    rows_ok = models.PositiveIntegerField(default=0)
    rows_bad = models.PositiveIntegerField(default=0)
    rows_known = models.PositiveIntegerField(default=0)
    offset = models.BigIntegerField(default=0)
    line = models.PositiveBigIntegerField(default=1)
    cancel_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"], name="evals_import_recent"),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="evals_import_active",
            ),
        ]
        constraints: ClassVar = [
            # The same file sent twice at once is one import.
            models.UniqueConstraint(
                fields=["dataset", "digest"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="evals_import_one_active_per_file",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} into {self.dataset}"

    @property
    def progress(self) -> float:
        """Share of the file that is done, 0 to 1."""
        return min(self.offset / self.size, 1.0) if self.size else 1.0


class ImportProblem(models.Model):
    """One row that could not be read, with its place in the file."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    of = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="problems")
    line = models.PositiveBigIntegerField()
    column = models.PositiveIntegerField(null=True)
    reason = models.CharField(max_length=500)
    excerpt = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["of", "line", "id"], name="evals_import_problem_order")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"
