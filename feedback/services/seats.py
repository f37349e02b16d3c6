"""Who answers which item: reserve a place, answer, skip, flag, take back.

Two constraints of the seats hold “N people, nobody twice”; this code only chooses a place and copes when somebody was
quicker. Answers are rows of their own with person and time, so the audit trail keeps only what takes an answer back.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from feedback import rubrics
from feedback.models import Annotation, Queue, QueueItem, Seat, Settled
from feedback.queries import queues as queries
from feedback.services import settling
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid

AT_ONCE = 20
MOST_TRIES = 20
LONGEST_REASON = 500
LONGEST_SECONDS = 24 * 3600


def reserve(*, queue: Queue, user_id: int, now: datetime, besides: Collection[int] = ()) -> Seat | None:
    """The item that the person works on: the one they hold, else the next with a free place; None when none is left.

    `besides` are items (primary keys) to leave aside, so that the next one can be fetched while one is worked on.

    :raises Conflict: when the queue is paused or closed.
    """
    if queue.state != Queue.State.OPEN:
        raise Conflict(f"The queue is {queue.state}.", code="queue_not_open")
    for _ in range(MOST_TRIES):
        kept = queries.held(queue, user_id, now).exclude(item_id__in=besides).first()
        if kept is not None:
            if _extend(kept, queue, now):
                return kept
            continue
        found = list(_candidates(queue, user_id, now).exclude(pk__in=besides)[:AT_ONCE])
        if not found:
            return None
        for item in found:
            seat = sit(item=item, user_id=user_id, now=now, until=now + _hold(queue))
            if seat is not None:
                return seat
    return None


def sit(*, item: QueueItem, user_id: int, now: datetime, until: datetime) -> Seat | None:
    """Reserve a place at this item; None when all are taken or the person has one already."""
    with transaction.atomic():
        Seat.objects.filter(item=item, done_at=None, expires_at__lte=now).delete()  # who went away gives the place back
        taken = set(Seat.objects.filter(item=item, slot__isnull=False).values_list("slot", flat=True))
        free = next((slot for slot in range(1, item.seats + 1) if slot not in taken), None)
        if free is None:
            return None
        try:
            with transaction.atomic():
                return Seat.objects.create(
                    project_id=item.project_id, item=item, user_id=user_id, slot=free, of=item.seats,
                    reserved_at=now, expires_at=until,
                )  # fmt: skip
        except IntegrityError:  # somebody took the place in this moment
            return None


@transaction.atomic
def submit(*, item: QueueItem, user_id: int, answers: Any, now: datetime, seconds: int | None = None) -> Annotation:
    """Keep the person's answers. A reservation that ran out still counts while the place is free; the same answers
    sent twice are kept once.

    :raises Invalid: naming the question whose answer is not acceptable.
    :raises Conflict: when the places went to others, or the person answered something else before.
    """
    locked = _locked(item)
    questions = rubrics.parse(locked.queue.rubric_version.questions)
    given = rubrics.checked(questions, answers, locked.snapshot)
    seat = Seat.objects.filter(item=locked, user_id=user_id).select_related("annotation").first()
    if seat is not None and seat.done_at is not None:
        if seat.slot is not None and seat.annotation.answers == given:
            return seat.annotation
        raise Conflict("You have answered this item already.", code="answered_already")
    seat = seat or sit(item=locked, user_id=user_id, now=now, until=now + _hold(locked.queue))
    if seat is None or locked.state == QueueItem.State.SETTLED:
        raise Conflict("Your time on this item ran out and others took it.", code="place_taken")
    seat.done_at = now
    seat.save(update_fields=["done_at"])
    made = Annotation.objects.create(
        project_id=locked.project_id, seat=seat, answers=given, seconds=_seconds(seconds), created_at=now
    )
    _complete(locked, now)
    return made


@transaction.atomic
def skip(*, item: QueueItem, user_id: int, reason: str, now: datetime) -> None:
    """Give the place to somebody else; the person does not get the item again.

    :raises Conflict: when the person does not hold the item.
    """
    _check_reason(reason)
    locked = _locked(item)
    seat = Seat.objects.filter(item=locked, user_id=user_id, done_at=None).first()
    if seat is None:
        raise Conflict("You do not hold this item.", code="not_held")
    seat.slot, seat.done_at = None, now
    seat.save(update_fields=["slot", "done_at"])
    Annotation.objects.create(
        project_id=locked.project_id, seat=seat, skipped_reason=reason.strip() or "no reason", created_at=now
    )


@transaction.atomic
def flag(*, item: QueueItem, reason: str, by: Actor) -> None:
    """Tell the lead that something is wrong with the item; an empty reason takes the flag away.

    :raises Invalid: when the reason is too long.
    """
    _check_reason(reason)
    QueueItem.objects.filter(pk=item.pk).update(flag=reason.strip(), flagged_by=by.text if reason.strip() else "")
    audit.record("queue.item_flagged", by=by, target=item, reason=reason.strip())


@transaction.atomic
def undo(*, queue: Queue, user_id: int, by: Actor, now: datetime) -> Seat:
    """Take back the person's last answer or skip in the queue; the item is theirs again.

    :raises Conflict: when there is nothing to take back, or a person settled the item meanwhile.
    """
    last = queries.answered_by(queue, user_id).first()
    if last is None:
        raise Conflict("There is nothing to take back.", code="nothing_to_undo")
    item = _locked(last.item)
    settled = Settled.objects.filter(item=item).first()
    if settled is not None and settled.method == Settled.Method.ADJUDICATED:
        raise Conflict("The item was settled meanwhile.", code="settled_already")
    audit.record("annotation.undone", by=by, target=item, answers=last.annotation.answers)
    Settled.objects.filter(item=item).purge()
    Annotation.objects.filter(seat=last).purge()
    QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.OPEN)
    if last.slot is None:
        return _sit_again(last, item, now)
    last.done_at, last.expires_at = None, now + _hold(queue)
    last.save(update_fields=["done_at", "expires_at"])
    return last


def _sit_again(last: Seat, item: QueueItem, now: datetime) -> Seat:
    Seat.objects.filter(pk=last.pk).delete()
    assert last.user_id is not None  # it was found by the person
    seat = sit(item=item, user_id=last.user_id, now=now, until=now + _hold(item.queue))
    if seat is None:
        raise Conflict("Others took the place that you skipped.", code="place_taken")
    return seat


def _candidates(queue: Queue, user_id: int, now: datetime) -> Any:
    """Gold is mixed in after every so many plain items; otherwise the queue's order holds."""
    if queue.gold_every:
        plain, gold = queries.mix(queue, user_id)
        if plain // queue.gold_every > gold:
            due = queries.free_items(queue, user_id, now, gold=True)
            if due.exists():
                return due
    return queries.free_items(queue, user_id, now)


def _complete(item: QueueItem, now: datetime) -> None:
    """The last of the answers makes the item done, and may settle it."""
    if item.gold is not None or item.state != QueueItem.State.OPEN:
        return
    given = Seat.objects.filter(item=item, slot__isnull=False, done_at__isnull=False).count()
    if given >= item.seats:
        QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.DONE)
        settling.when_done(item=item, now=now)


def _locked(item: QueueItem) -> QueueItem:
    """The item, held against others who finish it in this moment (on SQLite every write is alone anyway)."""
    return (
        QueueItem.objects.select_for_update(of=("self",), no_key=True)
        .select_related("queue__rubric_version")
        .get(pk=item.pk)
    )


def _extend(seat: Seat, queue: Queue, now: datetime) -> bool:
    """Working on an item holds it; False when it ran out and went to somebody else in this moment."""
    seat.expires_at = max(seat.expires_at, now + _hold(queue))
    return bool(Seat.objects.filter(pk=seat.pk, done_at=None).update(expires_at=seat.expires_at))


def _hold(queue: Queue) -> timedelta:
    return timedelta(minutes=queue.hold_minutes)


def _seconds(given: int | None) -> int | None:
    return None if given is None or given < 0 else min(given, LONGEST_SECONDS)


def _check_reason(reason: str) -> None:
    problem = f"at most {LONGEST_REASON} characters" if len(reason) > LONGEST_REASON else text.problem(reason)
    if problem:
        raise Invalid("The reason is not acceptable.", fields={"reason": problem})
