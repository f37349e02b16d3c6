"""Fit the items of a queue to its changed settings, inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Exists, OuterRef, QuerySet

from feedback.models import Queue, QueueItem, Seat
from feedback.services import filling, settling

BATCH = 500
State = QueueItem.State


def places(*, queue: Queue, now: datetime) -> dict[str, int]:
    """Give every item that is not settled, gold aside, the queue's number of places; returns what became of them.

    With more places, items that were done are open again. With fewer, those with enough answers are done, and settled
    by the queue's rule; reservations beyond the places are given up, the newest first.
    """
    plain = QueueItem.objects.filter(queue=queue, gold__isnull=True).exclude(state=State.SETTLED).order_by("id")
    # Held in their order, so that an answer that comes in this moment sees the old places or the new ones.
    states = dict(plain.select_for_update(no_key=True).values_list("pk", "state"))
    given = dict(_answers(queue).values_list("item").annotate(n=Count("id")))
    wanted = queue.annotators_per_item
    plain.update(seats=wanted)
    too_few = [pk for pk, state in states.items() if state == State.DONE and given.get(pk, 0) < wanted]
    enough = [pk for pk, state in states.items() if state == State.OPEN and given.get(pk, 0) >= wanted]
    for part in _parts(too_few):
        QueueItem.objects.filter(pk__in=part).update(state=State.OPEN)
    for pk in _crowded(queue):
        _close_up(pk, wanted)
    return {"reopened": len(too_few), "finished": len(enough), "settled": _finish(queue, enough, now)}


def masks(*, queue: Queue) -> dict[str, int]:
    """Mask and hide in the open items that nobody has answered; what was answered stays as people saw it."""
    answered = Seat.objects.filter(item=OuterRef("pk"), done_at__isnull=False)
    open_items = QueueItem.objects.filter(queue=queue, state=State.OPEN).exclude(Exists(answered)).order_by("id")
    last, count = 0, 0
    while batch := list(open_items.filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        count += len(batch)
        for item in batch:
            item.snapshot, item.title = filling.as_shown(queue, item.snapshot, item.title)
        QueueItem.objects.bulk_update(batch, ["snapshot", "title"])
    return {"masked": count}


def _answers(queue: Queue) -> QuerySet[Seat]:
    return Seat.objects.filter(item__queue=queue, slot__isnull=False, done_at__isnull=False).order_by()


def _crowded(queue: Queue) -> list[int]:
    """The items with somebody beyond their last place."""
    beyond = Seat.objects.filter(
        item__queue=queue, item__gold__isnull=True, slot__gt=queue.annotators_per_item
    ).exclude(item__state=State.SETTLED)
    return list(beyond.order_by("item").values_list("item", flat=True).distinct())


def _close_up(item_pk: int, places: int) -> None:
    """Answers stay, reservations as far as there is room; slots are counted from 1 again, so that none is skipped."""
    taken = list(Seat.objects.filter(item=item_pk, slot__isnull=False).order_by("slot"))
    room = max(places - sum(seat.done_at is not None for seat in taken), 0)
    waiting = sorted((seat for seat in taken if seat.done_at is None), key=lambda seat: (seat.reserved_at, seat.pk))
    leaving = {seat.pk for seat in waiting[room:]}
    Seat.objects.filter(pk__in=leaving).delete()
    staying = [seat for seat in taken if seat.pk not in leaving]
    for slot, seat in enumerate(staying, start=1):  # ascending: a slot only moves to one that is free by then
        if seat.slot != slot:
            Seat.objects.filter(pk=seat.pk).update(slot=slot)


def _finish(queue: Queue, pks: list[int], now: datetime) -> int:
    settled = 0
    for part in _parts(pks):
        Seat.objects.filter(item__in=part, done_at=None).delete()
        QueueItem.objects.filter(pk__in=part).update(state=State.DONE)
        for item in QueueItem.objects.filter(pk__in=part).defer("snapshot").order_by("id"):
            item.queue = queue
            settled += settling.when_done(item=item, now=now) is not None
    return settled


def _parts(pks: list[int]) -> list[list[int]]:
    return [pks[start : start + BATCH] for start in range(0, len(pks), BATCH)]
