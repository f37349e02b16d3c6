"""Decide what stands for an item: by rule when everybody answered, or by a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from feedback import rubrics
from feedback.models import Annotation, Call, InboxItem, Queue, QueueItem, Settled
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Invalid

LONGEST_REASON = 5_000


@transaction.atomic
def settle(*, item: QueueItem, answers: Any, by: Actor, now: datetime, reason: str = "") -> Settled:
    """What a person decided, with why; an earlier decision is replaced, and the audit trail keeps it.

    :raises Invalid: naming the question whose answer is not acceptable.
    """
    if len(reason) > LONGEST_REASON or text.problem(reason) is not None:
        raise Invalid("The reason is not acceptable.", fields={"reason": f"at most {LONGEST_REASON:,} characters"})
    locked = _locked(item)
    given = rubrics.checked(rubrics.parse(locked.queue.rubric_version.questions), answers, locked.snapshot)
    return keep(item=locked, answers=given, method=Settled.Method.ADJUDICATED, by=by, now=now, reason=reason.strip())


def when_done(*, item: QueueItem, now: datetime) -> Settled | None:
    """Settle an item that everybody answered, as its queue says; None leaves it to a person."""
    rule = item.queue.settle_by
    if rule == Queue.SettleBy.PERSON:
        return None
    unanimous = rule == Queue.SettleBy.UNANIMOUS
    answers = rubrics.combined(rubrics.parse(item.queue.rubric_version.questions), given_to(item), unanimous=unanimous)
    if answers is None:
        return None
    method = Settled.Method.UNANIMOUS if unanimous else Settled.Method.MAJORITY
    return keep(item=item, answers=answers, method=method, by=SYSTEM, now=now)


@transaction.atomic
def settle_by_majority(*, queue: Queue, by: Actor, now: datetime) -> int:
    """Settle every item that everybody answered and that has a majority; returns how many, ties stay."""
    questions = rubrics.parse(queue.rubric_version.questions)
    done = QueueItem.objects.filter(queue=queue, state=QueueItem.State.DONE).defer("snapshot").order_by("id")
    count = 0
    for item in list(done):
        answers = rubrics.combined(questions, given_to(item), unanimous=False)
        if answers is not None:
            keep(item=item, answers=answers, method=Settled.Method.MAJORITY, by=by, now=now, quietly=True)
            count += 1
    audit.record("queue.settled_by_majority", by=by, target=queue, items=count)
    return count


def given_to(item: QueueItem) -> list[dict[str, Any]]:
    """The answers to an item, without skips, by place."""
    rows = Annotation.objects.filter(seat__item=item, seat__slot__isnull=False).order_by("seat__slot")
    return list(rows.values_list("answers", flat=True))


def keep(
    *,
    item: QueueItem,
    answers: dict[str, Any],
    method: str,
    by: Actor,
    now: datetime,
    reason: str = "",
    quietly: bool = False,
) -> Settled:
    """Write the settled answer inside the caller's transaction. `quietly` leaves the audit row to the caller."""
    before = Settled.objects.filter(item=item).first()
    Settled.objects.filter(item=item).purge()
    made = Settled.objects.create(
        project_id=item.project_id, item=item, answers=answers, method=method, by=by.text, by_user_id=by.user_id,
        reason=reason, settled_at=now,
    )  # fmt: skip
    QueueItem.objects.filter(pk=item.pk).update(state=QueueItem.State.SETTLED)
    has_its_label(item)
    if not quietly and by is not SYSTEM:
        changed = {"before": before.answers, "before_by": before.by} if before else {}
        audit.record("queue.item_settled", by=by, target=item, answers=answers, reason=reason, **changed)
    return made


def has_its_label(item: QueueItem) -> None:
    """The call's item in the inbox waits for no label any more."""
    if item.source_kind == "call":
        call = Call.objects.filter(project=item.project_id, uid=item.source_uid).order_by()
        waiting = InboxItem.objects.filter(project=item.project_id, needs_label=True)
        waiting.filter(call_client_id__in=call.values("client_id")).update(needs_label=False)


def _locked(item: QueueItem) -> QueueItem:
    return (
        QueueItem.objects.select_for_update(of=("self",), no_key=True)
        .select_related("queue__rubric_version")
        .get(pk=item.pk)
    )
