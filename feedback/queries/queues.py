"""Reads of labeling queues: who sees which, what is next for a person, how far a queue is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from feedback.models import Annotation, Queue, QueueItem, QueuePerson, Seat, Settled
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project

RECENT = 200  # answers from which speed is read
ORDERS = {
    Queue.Order.PRIORITY: ("-priority", "id"),
    Queue.Order.OLDEST: ("id",),
    Queue.Order.NEWEST: ("-id",),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a queue is, gold items aside. `left` counts answers still to give; `left_s` is a guess from the speed."""

    items: int
    open: int
    done: int
    settled: int
    flagged: int
    answers: int
    left: int
    left_s: float | None

    @property
    def finished(self) -> int:
        return self.done + self.settled


def queues_in(project: Project, *, only_of: int | None = None) -> QuerySet[Queue]:
    """The project's queues, newest first, with counts; with `only_of` those that name this person as a labeler."""
    found = Queue.objects.filter(project=project).select_related("rubric_version__rubric")
    if only_of is not None:
        found = found.filter(Exists(QueuePerson.objects.filter(queue=OuterRef("pk"), user_id=only_of)))
    plain = QueueItem.objects.filter(queue=OuterRef("pk"), gold__isnull=True).order_by().values("queue")
    return found.annotate(
        items_count=_count(plain),
        finished_count=_count(plain.filter(state__in=["done", "settled"])),
        disputed_count=_count(plain.filter(state="done")),
    ).order_by("-id")


def queue_in(project: Project, slug: str, *, only_of: int | None = None) -> Queue:
    """:raises NotFound: when the project has no such queue, or none that names the person."""
    found = queues_in(project, only_of=only_of).filter(slug=slug.lower()).first()
    if found is None:
        raise NotFound(f"There is no queue “{slug[:60]}” here.")
    return found


def item_in(queue: Queue, uid: str) -> QueueItem:
    """:raises NotFound: when the queue has no such item."""
    found = (
        QueueItem.objects.filter(queue=queue, uid=ids.parse("qi", uid))
        .select_related("queue__rubric_version__rubric", "settled")
        .first()
    )
    if found is None:
        raise NotFound("There is no such item in this queue.")
    return found


def items_of(queue: Queue, *, state: str = "", flagged: bool = False) -> QuerySet[QueueItem]:
    """The queue's items with `answers_count`, without an order."""
    given = Seat.objects.filter(item=OuterRef("pk"), slot__isnull=False, done_at__isnull=False)
    found = QueueItem.objects.filter(queue=queue).select_related("settled")
    if state:
        found = found.filter(state=state)
    if flagged:
        found = found.exclude(flag="")
    return found.annotate(answers_count=_count(given.order_by().values("item")))


def settled_of(queue: Queue) -> QuerySet[Settled]:
    """What stands in the queue, gold items aside, in the order in which it was settled."""
    return Settled.objects.filter(item__queue=queue, item__gold__isnull=True).select_related("item").order_by("pk")


def settled_batches(queue: Queue, size: int) -> Iterator[list[Settled]]:
    """The same in batches, so that a long queue takes no more memory than a short one."""
    last = 0
    while batch := list(settled_of(queue).filter(pk__gt=last)[:size]):
        yield batch
        last = batch[-1].pk


def newest_settled(queue: Queue, most: int) -> list[Settled]:
    """What was settled last."""
    return list(settled_of(queue).defer("item__snapshot").order_by("-settled_at", "-pk")[:most])


def find_item(project: Project, uid: str) -> QueueItem:
    """:raises NotFound: when no queue of the project has such an item."""
    found = QueueItem.objects.filter(project=project, uid=ids.parse("qi", uid)).select_related("queue").first()
    if found is None:
        raise NotFound("There is no such item here.")
    return found


def uids_in(queue: Queue, names: Collection[str]) -> set[str]:
    """Which of these public ids (`qi_…`) are items of the queue; other names are none."""
    asked = {}
    for name in names:
        if name.startswith("qi_"):
            with suppress(NotFound):
                asked[name] = ids.parse("qi", name)
    there = set(QueueItem.objects.filter(queue=queue, uid__in=asked.values()).values_list("uid", flat=True))
    return {name for name, uid in asked.items() if uid in there}


def people_of(queue: Queue) -> QuerySet[QueuePerson]:
    return QueuePerson.objects.filter(queue=queue).select_related("user").order_by("id")


def held(queue: Queue, user_id: int, now: datetime) -> QuerySet[Seat]:
    """The person's reservations that still stand, the oldest first."""
    return (
        Seat.objects.filter(item__queue=queue, user_id=user_id, done_at=None, expires_at__gt=now)
        .select_related("item")
        .order_by("reserved_at", "id")
    )


def free_items(queue: Queue, user_id: int, now: datetime, *, gold: bool = False) -> QuerySet[QueueItem]:
    """Items with a place for this person, in the queue's order: not answered, skipped or held by them."""
    taken = (
        Seat.objects.filter(item=OuterRef("pk"), slot__isnull=False)
        .filter(Q(done_at__isnull=False) | Q(expires_at__gt=now))
        .order_by()
        .values("item")
    )
    mine = Seat.objects.filter(item=OuterRef("pk"), user_id=user_id).filter(
        Q(done_at__isnull=False) | Q(expires_at__gt=now)
    )
    return (
        QueueItem.objects.filter(queue=queue, state=QueueItem.State.OPEN, gold__isnull=not gold)
        .filter(~Exists(mine))
        .annotate(taken_count=_count(taken))
        .filter(taken_count__lt=F("seats"))
        .order_by(*ORDERS[Queue.Order(queue.order)])
    )


def answered_by(queue: Queue, user_id: int) -> QuerySet[Seat]:
    """The person's own history in the queue: answers and skips, the newest first."""
    return (
        Seat.objects.filter(item__queue=queue, user_id=user_id, done_at__isnull=False)
        .select_related("item", "annotation")
        .order_by("-done_at", "-id")
    )


def mix(queue: Queue, user_id: int) -> tuple[int, int]:
    """How many plain and gold items the person has answered."""
    counts = (
        Seat.objects.filter(item__queue=queue, user_id=user_id, done_at__isnull=False, slot__isnull=False)
        .order_by()
        .aggregate(gold=Count("id", filter=Q(item__gold__isnull=False)), all=Count("id"))
    )
    return counts["all"] - counts["gold"], counts["gold"]


def progress(queue: Queue) -> Progress:
    """Three queries, whatever the queue's length."""
    plain = QueueItem.objects.filter(queue=queue, gold__isnull=True)
    counts = plain.aggregate(
        open=Count("id", filter=Q(state="open")),
        done=Count("id", filter=Q(state="done")),
        settled=Count("id", filter=Q(state="settled")),
        flagged=Count("id", filter=~Q(flag="")),
    )
    answers = _answers(queue)
    given_of_open = answers.filter(seat__item__state="open").count()
    timed = answers.exclude(seconds=None).order_by("-id").values_list("seconds", flat=True)[:RECENT]
    pace = [float(seconds or 0) for seconds in timed]
    left = counts["open"] * queue.annotators_per_item - given_of_open
    return Progress(
        items=counts["open"] + counts["done"] + counts["settled"],
        **counts,
        answers=answers.count(),
        left=max(left, 0),
        left_s=max(left, 0) * median(pace) if pace else None,
    )


def answers_of(queue: Queue, uids: Collection[int] | None = None) -> QuerySet[Annotation]:
    """All answers that are no skips, with their seats and people, in order; of the items `uids` alone when given."""
    found = Annotation.objects.filter(seat__item__queue=queue, seat__slot__isnull=False)
    if uids is not None:
        found = found.filter(seat__item_id__in=uids)
    return found.select_related("seat__user").order_by("seat__item_id", "seat__slot")


def _answers(queue: Queue) -> QuerySet[Annotation]:
    return Annotation.objects.filter(seat__item__queue=queue, seat__item__gold__isnull=True, seat__slot__isnull=False)


def _count(rows: QuerySet) -> Coalesce:
    return Coalesce(Subquery(rows.annotate(n=Count("id")).values("n")), Value(0))
