"""Delete what a project no longer keeps, in batches that never hold the database for long."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models, transaction

from feedback.models import Call, FeedbackEvent, InboxItem, ItemTag, LooseSpan, Refusal, Seen, TriageAction, Vote
from feedback.services import hours
from llmops.projects.models import Project

BATCH = 1000
# By what the rows of a table belong to hours, whose rollups are computed again.
HOURS = {Call: "hour", Vote: "hour", FeedbackEvent: "received_at"}


def purge(*, project: Project, now: datetime, most: int = 100_000) -> int:
    """Delete rows older than the project's `retention_days`; returns their number, at most `most` per table.

    An item of the inbox goes when its last feedback does. What is left over waits for the next turn.
    """
    oldest = now - timedelta(days=project.retention_days)
    return sum(
        _delete(project, rows.order_by("id"), most, now)
        for rows in (
            Call.objects.filter(project=project, received_at__lt=oldest),
            FeedbackEvent.objects.filter(project=project, received_at__lt=oldest),
            Vote.objects.filter(project=project, voted_at__lt=oldest),
            ItemTag.objects.filter(project=project, item__feedback_at__lt=oldest),
            InboxItem.objects.filter(project=project, feedback_at__lt=oldest),
            TriageAction.objects.filter(project=project, done_at__lt=oldest),
            LooseSpan.objects.filter(project=project, received_at__lt=oldest),
            Refusal.objects.filter(project=project, last_at__lt=oldest),
            Seen.objects.filter(project=project, received_on__lt=oldest.date()),
        )
    )


def _delete(project: Project, rows: models.QuerySet, most: int, now: datetime) -> int:
    deleted = 0
    when = HOURS.get(rows.model)
    while deleted < most:
        with transaction.atomic():
            found = list(rows.values_list("pk", *([when] if when else []))[:BATCH])
            batch = [pk for pk, *_ in found]
            if when:
                hours.mark(project_id=project.pk, hours={_hour(moment) for _, moment in found}, now=now)
            # Nothing points at these tables, so no row has to be loaded to be deleted.
            models.QuerySet(rows.model).filter(pk__in=batch)._raw_delete(rows.db)
        deleted += len(batch)
        if len(batch) < BATCH:
            break
    return deleted


def _hour(moment: int | datetime) -> int:
    return moment if isinstance(moment, int) else hours.hour_of(moment)
