"""Runs that were started together: one dataset and evaluators over versions, models and parameters."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from llmops.common import ids
from llmops.common.models import WithUid
from llmops.projects.models import Project


class RunGroup(WithUid):
    """A matrix of runs. It owns them, and `cap_usd` holds over all of them together."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="run_groups")
    name = models.CharField(max_length=200)
    cap_usd = models.DecimalField(null=True, max_digits=14, decimal_places=8)
    by = models.CharField(max_length=255, blank=True)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="evals_run_group_recent")]

    def __str__(self) -> str:
        return ids.public("grp", self.uid)
