"""The examples of datasets that were made of a call, or of an item that people labeled."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from evals.models import Example
from feedback.models import QueueItem
from llmops.projects.models import Project

LABEL = "label"  # the source of an example that was made of a settled item


@dataclass(frozen=True, slots=True)
class InDataset:
    """An example that is in the newest version of its dataset."""

    uid: str
    number: int
    dataset: str
    dataset_slug: str


def of_call(project: Project, call_uid: UUID) -> list[InDataset]:
    """The examples that were made of the call, or of what people settled about it."""
    items = QueueItem.objects.filter(project=project, source_kind="call", source_uid=call_uid)
    return _shown(
        _current(project).filter(
            Q(source_kind="call", source_uid=call_uid)
            | Q(source_kind=LABEL, source_uid__in=items.order_by().values("uid"))
        )
    )


def of_item(item: QueueItem) -> list[InDataset]:
    """The examples that were made of the item, or of the call that it shows."""
    found = Q(source_kind=LABEL, source_uid=item.uid)
    if item.source_kind == "call":
        found |= Q(source_kind="call", source_uid=item.source_uid)
    return _shown(_current(item.queue.project).filter(found))


def _current(project: Project) -> QuerySet[Example]:
    return Example.objects.filter(project=project, removed_in=None, dataset__archived_at=None)


def _shown(rows: QuerySet[Example]) -> list[InDataset]:
    found = rows.select_related("dataset").order_by("id")
    return [InDataset(row.uid, row.position, row.dataset.name, row.dataset.slug) for row in found]
