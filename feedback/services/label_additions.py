"""Answers from elsewhere to items that a queue has already: its own items, labeled in another tool and come back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, transaction

from feedback.labelfiles import Given, LabeledItem, LeftOut
from feedback.labelfiles.types import LeftOuts
from feedback.models import Queue, QueueItem, Seat, Settled
from feedback.services import label_imports, settling
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict


@dataclass(frozen=True, slots=True)
class Added:
    """What known items gained, and what of the file they had no place for."""

    items: int
    answers: int
    skips: int
    settled: int
    left_out: tuple[LeftOut, ...]


@transaction.atomic
def add(*, queue: Queue, found: Sequence[LabeledItem], by: Actor, now: datetime) -> Added:
    """Answers of people who said nothing here yet take free places; what was said here stays as it is.

    :raises Invalid: naming the record whose answer is not acceptable.
    :raises Conflict: when a labeler took a place in this moment.
    """
    rows = label_imports.items_of(queue, found)
    turn = _Turn(queue, rows.values())
    for one in found:
        if one.key in rows:
            turn.take(rows[one.key], one)
    return turn.write(by, now)


class _Turn:
    def __init__(self, queue: Queue, items: Collection[QueueItem]) -> None:
        self.queue, self.seats = queue, _seats(items)
        self.stands = dict(Settled.objects.filter(item__in=items).values_list("item_id", "answers"))
        self.left = LeftOuts()
        self.placed: list[tuple[QueueItem, int | None, Given]] = []
        self.whole: dict[int, tuple[QueueItem, LabeledItem]] = {}

    def take(self, item: QueueItem, sent: LabeledItem) -> None:
        one = label_imports.checked(self.queue, replace(sent, snapshot=item.snapshot, gold=None))
        said = {who_of(seat): seat.annotation for seat in self.seats[item.pk] if seat.done_at is not None}
        new = []
        for given in one.given:
            known = said.get(given.who)
            if known is None:
                new.append(given)
            elif not given.skipped and known.answers != given.answers:
                self.left.add("Other answers of people who answered or skipped the item here", one.place)
        if item.state == QueueItem.State.SETTLED:
            self._settled(item, one, len(new))
        elif new or one.decision is not None:
            self._place(item, replace(one, given=new))

    def write(self, by: Actor, now: datetime) -> Added:
        try:
            with transaction.atomic():
                label_imports.write(self.placed, now)
        except IntegrityError:
            raise Conflict("Somebody took a place in this moment; send it again.") from None
        items, whole = [item for item, _ in self.whole.values()], [one for _, one in self.whole.values()]
        done = [item.pk for item in items if item.state == QueueItem.State.DONE]
        QueueItem.objects.filter(pk__in=done).update(state=QueueItem.State.DONE)
        settled = label_imports.settle(self.queue, items, whole, by, now)
        for item in settled:
            settling.has_its_label(item)
        answers = sum(slot is not None for _, slot, _ in self.placed)
        if items:
            audit.record("queue.labels_imported", by=by, target=self.queue, items=0, answers=answers)
        return Added(len(items), answers, len(self.placed) - answers, len(settled), self.left.listed())

    def _settled(self, item: QueueItem, one: LabeledItem, new: int) -> None:
        if new:
            self.left.add("Answers to items that are settled", one.place, new)
        if one.decision is not None and one.decision.answers != self.stands[item.pk]:
            self.left.add("Other decisions about items that are settled", one.place)

    def _place(self, item: QueueItem, one: LabeledItem) -> None:
        taken = {seat.slot for seat in self.seats[item.pk]}
        free = (slot for slot in range(1, item.seats + 1) if slot not in taken)
        there = [_given(seat) for seat in self.seats[item.pk] if seat.done_at is not None]
        before = len(there)
        for given in one.given:
            slot = None if given.skipped else next(free, None)
            if slot is None and not given.skipped:
                self.left.add("Answers of more people than an item asks for", one.place)
                continue
            self.placed.append((item, slot, given))
            there.append(given)
        if len(there) == before and one.decision is None:
            return
        answers = sum(not given.skipped for given in there)
        if item.gold is None and answers >= self.queue.annotators_per_item:
            item.state = QueueItem.State.DONE
        self.whole[item.pk] = (item, replace(one, given=there))


def who_of(seat: Seat) -> str:
    """The person as an export names them."""
    return seat.user.email if seat.user is not None else seat.outsider


def _given(seat: Seat) -> Given:
    said = seat.annotation
    return Given(who_of(seat), said.answers, said.skipped_reason, said.seconds)


def _seats(items: Collection[QueueItem]) -> dict[int, list[Seat]]:
    found: dict[int, list[Seat]] = defaultdict(list)
    rows = Seat.objects.filter(item__in=items).select_related("user", "annotation")
    for seat in rows.order_by("item_id", "slot", "pk"):
        found[seat.item_id].append(seat)
    return found
