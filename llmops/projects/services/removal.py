"""Remove the rows of deleted projects, a batch at a time, over every table that holds rows of projects."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError, models, transaction

from llmops.audit.models import Event
from llmops.projects import tenancy
from llmops.projects.models import Project

logger = logging.getLogger(__name__)

# Work that was under way when the project went ends, and caches forget it, long before this.
GRACE = timedelta(hours=1)
BATCH = 1000
BATCHES_AT_ONCE = 500


def remove_deleted(*, now: datetime, batches: int = BATCHES_AT_ONCE) -> int:
    """Remove rows of projects deleted more than GRACE ago; returns how many. Safe to run twice and to die half-way.

    The audit trail stays: it says who deleted what.
    """
    removed = 0
    for project in Project.objects.filter(deleted_at__lt=now - GRACE).order_by("deleted_at", "id"):
        rows, batches = _remove(project, batches)
        removed += rows
        if batches <= 0:
            break
    return removed


def _remove(project: Project, batches: int) -> tuple[int, int]:
    tables = [table for table in tenancy.tables() if table.model is not Event]
    removed = 0
    for table in tables:
        _loosen(table, project)
    for table in reversed(tables):
        while batches > 0 and (rows := _remove_batch(table, project)):
            removed += rows
            batches -= 1
    if batches > 0:
        try:
            with transaction.atomic():
                models.QuerySet(Project).filter(pk=project.pk)._raw_delete("default")
        except DatabaseError as error:  # a row was written meanwhile: the next tick takes it
            logger.warning("project.not_empty_yet", extra={"project": project.pk, "reason": type(error).__name__})
    return removed, batches


def _loosen(table: tenancy.TenantTable, project: Project) -> None:
    """Forget optional references to rows of projects, so that the order of removal has no circles."""
    ours = {other.model for other in tenancy.tables()}
    optional = [
        field.attname for field in tenancy.foreign_keys(table.model) if field.null and field.related_model in ours
    ]
    for attname in optional:
        rows: models.QuerySet = (
            models.QuerySet(table.model).filter(**{table.lookup: project.pk}).exclude(**{attname: None})
        )
        pks = list(rows.values_list("pk", flat=True)[:BATCH])
        while pks:
            models.QuerySet(table.model).filter(pk__in=pks).update(**{attname: None})
            pks = list(rows.values_list("pk", flat=True)[:BATCH])


def _remove_batch(table: tenancy.TenantTable, project: Project) -> int:
    pks = list(table.rows(project).values_list("pk", flat=True)[:BATCH])
    if not pks:
        return 0
    return models.QuerySet(table.model).filter(pk__in=pks)._raw_delete("default")
