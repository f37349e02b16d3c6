"""A reaction to a call, to one of its spans, or to a session."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from feedback.models.call import SEPARATOR
from llmops.common.models import Immutable, WithUid


class FeedbackEvent(WithUid, Immutable):
    """Appended as it comes in, also before its call. `value` is 1 or -1 for thumbs, any finite number for a score.

    `name` is that of a score definition, empty for feedback of no definition; `category` is the value of a category.
    `span` is set for feedback on one step of the call, `session` for feedback on a whole session: its `call_client_id`
    is then the session's latest call, or empty when none had come. `voter` tells people apart: `u:` and the keyed hash
    of the end user, else `s:` and that of the session, else empty.
    """

    class Kind(models.TextChoices):
        THUMBS = "thumbs"
        SCORE = "score"
        COMMENT = "comment"
        CORRECTION = "correction"
        TAGS = "tags"
        CATEGORY = "category"
        # What people did instead of saying something.
        EDITED = "edited"
        COPIED = "copied"
        RETRIED = "retried"
        ABANDONED = "abandoned"

    class Source(models.TextChoices):
        PERSON = "person"
        JUDGE = "judge"
        CODE = "code"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    client_id = models.CharField(max_length=200)
    call_client_id = models.CharField(max_length=200)
    session = models.CharField(max_length=200, blank=True)
    span = models.CharField(max_length=64, blank=True)
    voter = models.CharField(max_length=34, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.PERSON)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=100, blank=True)
    value = models.FloatField(null=True)
    category = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True)
    correction = models.JSONField(null=True)
    tags = models.TextField(blank=True)
    metadata = models.JSONField(null=True)
    key_id = models.BigIntegerField(null=True)
    received_at = models.DateTimeField()
    repaired = models.BooleanField(default=False)
    masked = models.IntegerField(default=0)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "call_client_id", "id"], name="feedback_event_of_call"),
            models.Index(fields=["project", "-received_at", "-id"], name="feedback_event_recent"),
            models.Index(
                fields=["project", "name", "-received_at"],
                condition=~models.Q(name=""),
                name="feedback_event_by_name",
            ),
            models.Index(fields=["project", "voter"], condition=~models.Q(voter=""), name="feedback_event_voter"),
        ]

    @property
    def tag_list(self) -> list[str]:
        return [tag for tag in self.tags.split(SEPARATOR) if tag]
