"""How long attempts and cached answers are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from llmops.gateway.models import Attempt, CacheEntry
from llmops.projects.models import Project

CACHE_DAYS = 90


def prune(*, now: datetime) -> None:
    """Delete cached answers after 90 days, attempts after the project's retention."""
    CacheEntry.objects.filter(created_at__lt=now - timedelta(days=CACHE_DAYS)).delete()
    for project in Project.objects.live().only("id", "retention_days"):
        old = now - timedelta(days=project.retention_days)
        Attempt.objects.filter(project=project, started_at__lt=old).purge()
