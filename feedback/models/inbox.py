"""A call that somebody said something about, its tags, and what the team does with it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from llmops.common.models import WithUid


class InboxItem(WithUid):
    """One row per call with feedback; what the inbox filters by is a column. Counts and text are of all its events.

    A thumbs-up without words asks nothing of anybody and comes in as done. New feedback opens an item again, unless
    it is ignored. `call_uid` and the four columns after it are copied from the call (and tags from call and feedback)
    by `feedback.services.describing`, seconds later: `described_us` is the `feedback_us` that the copy has seen.
    `needs_label` asks for a person's judgement; queues are filled from it.
    """

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        IGNORED = "ignored", "Dismissed"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    call_client_id = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    theme = models.ForeignKey(
        "feedback.Theme", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    # A person put it there, or took it out: sorting leaves it alone. Ingestion inserts rows without naming it.
    theme_by_hand = models.BooleanField(default=False, db_default=False)
    thumbs = models.SmallIntegerField(null=True)
    score = models.FloatField(null=True)
    excerpt = models.CharField(max_length=300, blank=True)
    has_correction = models.BooleanField(default=False)
    events = models.IntegerField(default=1)
    first_at = models.DateTimeField()
    feedback_at = models.DateTimeField()
    feedback_us = models.BigIntegerField()  # the same in microseconds since 1970: a whole number cuts pages exactly
    # Ingestion inserts without naming these, so their defaults stand in the database.
    needs_label = models.BooleanField(default=False, db_default=False)
    described_us = models.BigIntegerField(default=0, db_default=0)
    call_uid = models.UUIDField(null=True)
    artifact_path = models.CharField(max_length=300, blank=True, default="", db_default="")
    version_number = models.IntegerField(null=True)
    model = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "call_client_id"], name="feedback_one_item_per_call"),
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "done", "ignored"]), name="feedback_item_state_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "state", "-feedback_us", "-id"], name="feedback_item_by_state"),
            models.Index(fields=["project", "-feedback_us", "-id"], name="feedback_item_recent"),
            models.Index(
                fields=["project", "theme", "-feedback_us", "-id"],
                condition=models.Q(theme__isnull=False),
                name="feedback_item_of_theme",
            ),
            models.Index(fields=["project", "thumbs", "-feedback_us", "-id"], name="feedback_item_by_thumbs"),
            models.Index(fields=["project", "model", "-feedback_us", "-id"], name="feedback_item_by_model"),
            models.Index(
                fields=["project", "artifact_path", "version_number", "-feedback_us", "-id"],
                name="feedback_item_by_version",
            ),
            models.Index(
                fields=["project", "assignee", "-feedback_us", "-id"],
                condition=models.Q(assignee__isnull=False),
                name="feedback_item_by_assignee",
            ),
            models.Index(
                fields=["project", "-feedback_us", "-id"],
                condition=models.Q(needs_label=True),
                name="feedback_item_needs_label",
            ),
            models.Index(
                fields=["project", "-feedback_us", "-id"],
                condition=models.Q(has_correction=True),
                name="feedback_item_corrected",
            ),
            models.Index(
                fields=["project", "id"],
                condition=models.Q(described_us__lt=models.F("feedback_us")),
                name="feedback_item_undescribed",
            ),
            models.Index(
                fields=["project", "-feedback_us"],
                condition=models.Q(call_uid=None),
                name="feedback_item_without_call",
            ),
        ]

    def __str__(self) -> str:
        return self.excerpt or f"feedback on {self.call_client_id}"


class ItemTag(models.Model):
    """One tag of an item: of its call, of the feedback, or of the team. A tag that two gave is one row, the first's.

    No constraint in the database towards the item: retention deletes items in plain batches.
    """

    class Source(models.TextChoices):
        CALL = "call"
        USER = "user"
        TEAM = "team"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    item = models.ForeignKey(
        InboxItem, on_delete=models.CASCADE, related_name="tags", db_constraint=False, db_index=False
    )
    tag = models.CharField(max_length=60)
    source = models.CharField(max_length=4, choices=Source)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "tag"], name="feedback_item_tag_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "tag", "item"], name="feedback_items_of_tag")]

    def __str__(self) -> str:
        return self.tag
