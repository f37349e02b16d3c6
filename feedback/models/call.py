"""One logged production request."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from llmops.common.models import Immutable, WithUid

SEPARATOR = "|"


class Call(WithUid, Immutable):
    """Appended as it comes in; nothing holds a foreign key to it, so retention deletes it in plain batches.

    `client_id` is the sender's own id (or the public uid, when none was sent). `hour` is `started_at` in whole hours
    since 1970 and `latency_bucket` the latency on a logarithmic scale, so that pages count and find percentiles with
    one GROUP BY on both databases. `end_user` and `session` are kept as the sender's keyed hash and text. `tags` are
    kept as `|one|two|`, which both databases can search.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    client_id = models.CharField(max_length=200)
    received_at = models.DateTimeField()
    started_at = models.DateTimeField()
    hour = models.IntegerField()
    # No constraint in the database: a log line never stands in the way of anything, and inserts stay quick.
    version = models.ForeignKey(
        "prompts.Version", null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False
    )
    artifact_path = models.CharField(max_length=300, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=100, blank=True)
    session = models.CharField(max_length=200, blank=True)
    end_user = models.CharField(max_length=32, blank=True)
    environment = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=200, blank=True)
    inputs = models.JSONField(null=True)
    output = models.JSONField(null=True)
    contexts = models.JSONField(null=True)
    trace = models.JSONField(null=True)
    metadata = models.JSONField(null=True)
    tags = models.TextField(blank=True)
    latency_ms = models.IntegerField(null=True)
    latency_bucket = models.SmallIntegerField(null=True)
    tokens_in = models.IntegerField(null=True)
    tokens_out = models.IntegerField(null=True)
    cost_usd = models.FloatField(null=True)
    error = models.TextField(blank=True)
    repaired = models.BooleanField(default=False)  # text that cannot be stored was replaced by U+FFFD
    masked = models.IntegerField(default=0)  # how many pieces of personal data were masked before storage
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-received_at", "-id"], name="feedback_call_recent"),
            models.Index(fields=["project", "hour", "version"], name="feedback_call_hour"),
            models.Index(fields=["project", "client_id"], name="feedback_call_client_id"),
            models.Index(
                fields=["project", "session", "id"],
                condition=~models.Q(session=""),
                name="feedback_call_session",
            ),
            # One person's calls are deleted when the person asks, however many calls there are.
            models.Index(
                fields=["project", "end_user"], condition=~models.Q(end_user=""), name="feedback_call_end_user"
            ),
        ]

    @property
    def tag_list(self) -> list[str]:
        return [tag for tag in self.tags.split(SEPARATOR) if tag]
