"""The idempotency wall: one row for each client id that was ever accepted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from llmops.common.models import Immutable


class Seen(Immutable):
    """Apart from calls and feedback, so that those tables can be partitioned by time one day.

    `client_id_hash` and `body_hash` are 16-byte BLAKE2b digests; `uid` is that of the stored row.
    """

    class Kind(models.IntegerChoices):
        CALL = 1
        FEEDBACK = 2

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.SmallIntegerField(choices=Kind)
    client_id_hash = models.BinaryField(max_length=16)
    body_hash = models.BinaryField(max_length=16)
    uid = models.UUIDField()
    received_on = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "kind", "client_id_hash"], name="feedback_seen_once"),
        ]
