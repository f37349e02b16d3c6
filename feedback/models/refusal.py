"""What was sent and not taken, counted by hour and reason."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Refusal(models.Model):
    """One row for each hour (since 1970), way in, reason and field; `sample` is the newest message of it.

    `field` is one of the names that events may have, or empty: a sender cannot make rows without end.
    """

    class Entry(models.TextChoices):
        CALLS = "calls"
        FEEDBACK = "feedback"
        TRACES = "traces"
        SCORES = "scores"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    hour = models.IntegerField()
    entry = models.CharField(max_length=8, choices=Entry)
    reason = models.CharField(max_length=40)
    field = models.CharField(max_length=40, blank=True)
    count = models.IntegerField()
    sample = models.CharField(max_length=300, blank=True)
    last_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "hour", "entry", "reason", "field"], name="feedback_one_refusal_row_per_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.reason} {self.field}".rstrip()
