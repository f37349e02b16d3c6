"""Whole items with what everybody said about them and what stands, for files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.db.models import F

from feedback.labelfiles import Decision, Given, LabeledItem
from feedback.models import Annotation, Queue, QueueItem, Settled
from llmops.common import ids

BATCH = 200


def items(queue: Queue) -> Iterator[LabeledItem]:
    """Every item in the order in which it came, in two queries for each BATCH of them. People are their addresses,
    or the names that they had in an imported file; a reservation is no answer."""
    last = 0
    rows = QueueItem.objects.filter(queue=queue).select_related("settled").order_by("pk")
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        said = _said(batch)
        for row in batch:
            yield _item(row, said[row.pk])
        last = batch[-1].pk


def candidate_names(queue: Queue) -> list[str]:
    """The names that the items' candidates have, in the order in which they appear first."""
    found: dict[str, None] = {}
    rows = QueueItem.objects.filter(queue=queue).order_by("pk").values_list("snapshot__candidates", flat=True)
    for listed in rows.iterator(chunk_size=BATCH):
        found |= dict.fromkeys(str(one["name"]) for one in listed or [])
    return list(found)


def _said(batch: list[QueueItem]) -> dict[int, list[Given]]:
    rows = Annotation.objects.filter(seat__item__in=[row.pk for row in batch]).select_related("seat__user")
    found: dict[int, list[Given]] = defaultdict(list)
    for row in rows.order_by("seat__item_id", F("seat__slot").asc(nulls_last=True), "pk"):
        seat = row.seat
        who = seat.user.email if seat.user is not None else seat.outsider
        found[seat.item_id].append(Given(who, row.answers, row.skipped_reason, row.seconds))
    return found


def _item(row: QueueItem, said: list[Given]) -> LabeledItem:
    settled: Settled | None = getattr(row, "settled", None)
    decision = Decision(settled.answers, settled.by, settled.method, settled.reason) if settled else None
    return LabeledItem(ids.public("qi", row.uid), row.snapshot, said, decision, row.gold, row.title)
