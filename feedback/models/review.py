"""What people keep for their work in the inbox: views that they saved, and actions that they may take back."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from llmops.common import ids
from llmops.common.models import WithUid


class SavedView(WithUid):
    """A filter of the inbox under a name: its owner's own, or shared with the project.

    `filters` is `{"v": 1, "query": {...}}` with the fields of the filter form as text. A view without an owner was made
    by a server's key; it is always shared.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    filters = models.JSONField(default=dict)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("project", "owner", Lower("name"), name="feedback_view_name_unique"),
            models.UniqueConstraint(
                "project", Lower("name"), condition=models.Q(owner=None), name="feedback_view_of_keys_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(owner__isnull=False) | models.Q(is_shared=True),
                name="feedback_view_without_owner_is_shared",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TriageAction(WithUid):
    """One thing that somebody did to one or many items, with what is needed to take it back.

    `owner` is `user:<id>` (also through a personal key) or `key:<id>`. `changes` is `{"v": 1, "items": [{"item": id,
    "before": {...}, "after": {...}, "tagged": [...], "untagged": [...]}], "examples": {"<dataset id>": [keys]}}`.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    owner = models.CharField(max_length=40)
    kind = models.CharField(max_length=12)
    items = models.IntegerField()
    changes = models.JSONField()
    done_at = models.DateTimeField(default=timezone.now)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["project", "owner", "-id"],
                condition=models.Q(undone_at=None),
                name="feedback_action_undoable",
            ),
            models.Index(fields=["project", "done_at"], name="feedback_action_by_age"),
        ]

    def __str__(self) -> str:
        return ids.public("act", self.uid)
