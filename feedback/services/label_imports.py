"""Bring in labels that people gave elsewhere: items, who answered what, and what stood in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid5

from django.db import transaction
from django.db.models import Q

from feedback import labelfiles, rubrics
from feedback.labelfiles import Decision, Given, LabeledItem
from feedback.models import Annotation, Queue, QueueItem, Seat, Settled
from feedback.models.queue import MOST_SEATS
from feedback.queries import queues as queries
from feedback.queries import sources
from feedback.queries.sources import Source
from feedback.rubrics.answers import output_text
from feedback.services.filling import BATCH, item_of, masked
from llmops.audit import services as audit
from llmops.common import ids, text
from llmops.common.actors import Actor
from llmops.common.errors import Invalid

MOST = 20_000
LONGEST_NAME = 200
LONGEST_REASON = 5_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in; items that the queue held already are left as they are."""

    items: int
    answers: int
    settled: int
    left_alone: int
    skips: int = 0


def from_rows(*, queue: Queue, rows: Sequence[Any], mapping: Any, by: Actor, now: datetime) -> Imported:
    """Put a table of labels into the queue, all of it or nothing. `mapping` says which column is what.

    :raises Invalid: naming the part of the mapping, the line or the answer that is not acceptable.
    """
    chosen = labelfiles.Mapping.parse(mapping)
    asked = {question.key for question in rubrics.parse(queue.rubric_version.questions)}
    if chosen.question not in asked:
        raise Invalid("The rubric has no such question.", fields={"mapping.question": "no such question"})
    labelfiles.check_columns(rows, chosen)
    return labels(queue=queue, found=labelfiles.read(rows, chosen), by=by, now=now)


@transaction.atomic
def labels(*, queue: Queue, found: Sequence[LabeledItem], by: Actor, now: datetime) -> Imported:
    """Put items with their answers into the queue, all of them or none. People stay the names they have in the file.

    An item with as many answers as the queue asks is done, and settled by its decision or the queue's rule.

    :raises Invalid: naming the item and question that is not acceptable.
    """
    if not found or len(found) > MOST:
        raise Invalid(f"Send 1 to {MOST:,} items at once.", fields={"items": f"1 to {MOST:,}"})
    sent = {one.key: _source(queue, one) for one in found}
    there = {uid for _, uid in sources.known(queue.pk, sent.values())}
    own = queries.uids_in(queue, [one.key for one in found])  # our own export come back
    fresh = [checked(queue, one) for one in found if sent[one.key].uid not in there and one.key not in own]
    items = [_item(queue, one, sent[one.key]) for one in fresh]
    QueueItem.objects.bulk_create(items, batch_size=BATCH)
    placed = [(item, slot, given) for item, one in zip(items, fresh, strict=True) for slot, given in _placed(one)]
    write(placed, now)
    settled = settle(queue, items, fresh, by, now)
    answers = sum(slot is not None for _, slot, _ in placed)
    made = Imported(len(items), answers, len(settled), len(found) - len(fresh), len(placed) - answers)
    audit.record("queue.labels_imported", by=by, target=queue, items=made.items, answers=made.answers)
    return made


def write(placed: Sequence[tuple[QueueItem, int | None, Given]], now: datetime) -> None:
    """Keep answers at their places; who skipped has none."""
    seats = [
        Seat(
            project_id=item.project_id, item=item, outsider=given.who, slot=slot, of=item.seats, reserved_at=now,
            expires_at=now, done_at=now,
        )
        for item, slot, given in placed
    ]  # fmt: skip
    Seat.objects.bulk_create(seats, batch_size=BATCH)
    Annotation.objects.bulk_create(
        [
            Annotation(
                project_id=item.project_id, seat=seat, answers=given.answers, skipped_reason=given.skipped[:500],
                seconds=given.seconds, created_at=now,
            )
            for seat, (item, _, given) in zip(seats, placed, strict=True)
        ],
        batch_size=BATCH,
    )  # fmt: skip


def items_of(queue: Queue, found: Sequence[LabeledItem]) -> dict[str, QueueItem]:
    """The items that the queue has already, by their key in the file; locked against others who bring answers."""
    own = queries.uids_in(queue, [one.key for one in found])
    uids = {ids.parse("qi", one.key): one.key for one in found if one.key in own}
    sent = {uuid5(queue.uid, one.key): one.key for one in found if one.key not in own}
    rows = QueueItem.objects.filter(queue=queue).filter(Q(uid__in=uids) | Q(source_kind="import", source_uid__in=sent))
    locked = rows.select_for_update(no_key=True).order_by("pk")
    return {uids.get(row.uid) or sent[row.source_uid]: row for row in locked}


def checked(queue: Queue, one: LabeledItem) -> LabeledItem:
    """The item with its answers in one spelling."""
    questions = rubrics.parse(queue.rubric_version.questions)
    try:
        _check_spans(queue, questions, one)
        given = [replace(each, who=_who(each, one), answers=_answers(questions, each, one)) for each in one.given]
        decision = one.decision and replace(
            one.decision, answers=rubrics.checked(questions, one.decision.answers, one.snapshot)
        )
        gold = rubrics.checked(questions, one.gold, one.snapshot) if one.gold else None
    except Invalid as error:
        fields = {one.place: error.message} if one.place else error.fields
        raise Invalid(f"{_named(one)}: {error.message}", fields=fields) from None
    if len(given) > MOST_SEATS:
        raise Invalid(
            f"{_named(one)} has more than {MOST_SEATS} answers.", fields={one.place or "items": "too many answers"}
        )
    return replace(one, given=given, decision=decision, gold=gold)


def _who(given: Given, one: LabeledItem) -> str:
    """A name that a seat can hold, and nobody else has at this item."""
    who = given.who[:LONGEST_NAME]
    if not who.strip():
        raise Invalid("Somebody who answered has no name.", fields={"annotator": "has no name"})
    if sum(each.who[:LONGEST_NAME] == who for each in one.given) > 1:
        raise Invalid(f"{text.shown(who)} answered twice.", fields={"annotator": "answered twice"})
    return who


def _check_spans(queue: Queue, questions: Sequence[rubrics.Question], one: LabeledItem) -> None:
    """Spans lie in the text that labelers see: masking it would move them."""
    marked = {question.key for question in questions if question.kind == "spans"}
    said = [*(given.answers for given in one.given), one.decision.answers if one.decision else {}, one.gold or {}]
    if queue.mask and any(marked & answers.keys() for answers in said):
        seen = masked(queue, one.snapshot)
        if output_text(seen) != output_text(one.snapshot):
            raise Invalid("The queue masks the text in which the spans lie.", fields={"mask": "moves the spans"})


def _answers(questions: Sequence[rubrics.Question], given: Given, one: LabeledItem) -> dict[str, Any]:
    return {} if given.skipped else rubrics.checked(questions, given.answers, one.snapshot)


def _named(one: LabeledItem) -> str:
    return one.place.capitalize() or f"Item {one.key[:60]!r}"


def _placed(one: LabeledItem) -> list[tuple[int | None, Given]]:
    """What each person said, with the place that it takes; who skipped takes none."""
    slots = count(start=1)
    return [(None if given.skipped else next(slots), given) for given in one.given]


def _said(one: LabeledItem) -> list[dict[str, Any]]:
    return [given.answers for given in one.given if not given.skipped]


def _source(queue: Queue, one: LabeledItem) -> Source:
    return Source("import", uuid5(queue.uid, one.key), one.title or one.key, one.snapshot)


def _item(queue: Queue, one: LabeledItem, source: Source) -> QueueItem:
    item = item_of(queue, source)
    item.seats = MOST_SEATS if one.gold is not None else max(queue.annotators_per_item, len(_said(one)))
    item.gold = one.gold
    if one.gold is None and len(_said(one)) >= queue.annotators_per_item:
        item.state = QueueItem.State.DONE
    return item


def settle(
    queue: Queue, items: Sequence[QueueItem], found: Sequence[LabeledItem], by: Actor, now: datetime
) -> list[QueueItem]:
    """Decisions of the file stand; without one the queue's rule decides, for items that are done.

    Returns the items that were settled.
    """
    questions = rubrics.parse(queue.rubric_version.questions)
    unanimous = queue.settle_by == Queue.SettleBy.UNANIMOUS
    rows = []
    for item, one in zip(items, found, strict=True):
        answers = one.decision.answers if one.decision else None
        method, who = _method(one.decision), one.decision.by if one.decision else ""
        known = one.decision.reason if one.decision else None
        reason = f"imported by {by.text}" if known is None else known
        if answers is None and item.state == QueueItem.State.DONE and queue.settle_by != Queue.SettleBy.PERSON:
            answers = rubrics.combined(questions, _said(one), unanimous=unanimous)
            method = Settled.Method.UNANIMOUS if unanimous else Settled.Method.MAJORITY
        if answers is not None:
            rows.append(
                Settled(
                    project_id=queue.project_id, item=item, answers=answers, method=method,
                    by=(who or "the platform")[:255], reason=reason[:LONGEST_REASON], settled_at=now,
                )
            )  # fmt: skip
    Settled.objects.bulk_create(rows, batch_size=BATCH)
    for start in range(0, len(rows), BATCH):
        pks = [row.item_id for row in rows[start : start + BATCH]]
        QueueItem.objects.filter(pk__in=pks).update(state=QueueItem.State.SETTLED)
    return [row.item for row in rows]


def _method(decision: Decision | None) -> str:
    known = decision is not None and decision.method in Settled.Method.values
    return decision.method if decision and known else Settled.Method.ADJUDICATED
