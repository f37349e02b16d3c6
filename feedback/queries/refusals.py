"""What was sent and not taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum

from feedback.models import Refusal
from llmops.projects.models import Project

MOST = 200


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """Items of one way in, refused for one reason; `sample` is the newest message that a sender got."""

    entry: str
    reason: str
    field: str
    count: int
    sample: str
    last_at: datetime


def refused_since(project: Project, *, days: int, now: datetime) -> list[RefusedRow]:
    """The reasons of the last days, the newest first: two queries."""
    first = int((now - timedelta(days=days)).timestamp() // 3600)
    recent = Refusal.objects.filter(project=project, hour__gte=first)
    groups = (
        recent.order_by()
        .values("entry", "reason", "field")
        .annotate(total=Sum("count"), newest=Max("last_at"), newest_row=Max("id"))
        .order_by("-newest", "entry", "reason", "field")[:MOST]
    )
    rows = list(groups)
    samples = dict(Refusal.objects.filter(pk__in=[row["newest_row"] for row in rows]).values_list("id", "sample"))
    return [
        RefusedRow(
            row["entry"], row["reason"], row["field"], row["total"], samples.get(row["newest_row"], ""), row["newest"]
        )
        for row in rows
    ]
