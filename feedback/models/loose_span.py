"""Spans of traces whose head has not come."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from llmops.common.models import Immutable


class LooseSpan(Immutable):
    """A span as `feedback.otlp.steps.step_json` writes it, masked, until its trace becomes a call.

    `end_user` and `session` are kept as calls keep them. `tried_at` is when its trace could not be made a call.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    trace_id = models.CharField(max_length=64)
    span_id = models.CharField(max_length=64)
    step = models.JSONField()
    end_user = models.CharField(max_length=32, blank=True)
    session = models.CharField(max_length=200, blank=True)
    masked = models.IntegerField(default=0)
    received_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "trace_id", "span_id"], name="feedback_loose_span_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["received_at"], name="feedback_loose_span_waiting")]

    def __str__(self) -> str:
        return f"{self.trace_id}/{self.span_id}"
