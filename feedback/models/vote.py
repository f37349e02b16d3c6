"""What one person thinks of one call, now."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Vote(models.Model):
    """A changed mind replaces the row. `name` is that of a score definition: each is a question of its own.

    Without an end user and a session the voter is the event itself (`e:`): such anonymous votes are counted but enter
    no rate. `k:` is the keyed hash of a sender's own id of a score. `hour` is the last change in whole hours
    since 1970.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    call_client_id = models.CharField(max_length=200)
    voter = models.CharField(max_length=34)
    kind = models.CharField(max_length=10)
    name = models.CharField(max_length=100, blank=True, default="")
    value = models.FloatField()
    event_uid = models.UUIDField()
    voted_at = models.DateTimeField()
    hour = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "call_client_id", "voter", "kind", "name"], name="feedback_one_vote_per_question"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "kind", "hour"], name="feedback_vote_hour")]
