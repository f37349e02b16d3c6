"""What a project masks before anything is stored."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class MaskRule(models.Model):
    """One rule: a built-in that is switched (its `pattern` is empty), or a pattern of the project's own.

    A built-in without a row is as `feedback.redaction` has it.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    pattern = models.CharField(max_length=500, blank=True)
    placeholder = models.CharField(max_length=40, blank=True)
    is_on = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="feedback_mask_rule_name"),
        ]

    def __str__(self) -> str:
        return self.name
