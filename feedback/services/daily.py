"""What happens by itself: what fills each queue, and the human figures made from what was settled."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.urls import reverse

from evals.statistics import means
from feedback import rubrics
from feedback.models import HumanFigure, Queue, QueueItem, QueuePerson, Settled
from feedback.services import filling
from feedback.services.queues import STANDING
from llmops.common.actors import SYSTEM
from llmops.projects.services import notifications

MEASURED = frozenset({"pass_fail", "scale"})
MOST_AT_ONCE = 100  # of each way that fills a queue by itself; the rest comes with the next turns


def run(*, now: datetime) -> None:
    """One turn over all open queues; safe to run twice, and a missed turn is made up by the next."""
    queues = Queue.objects.filter(state=Queue.State.OPEN, project__deleted_at=None).select_related(
        "project", "rubric_version"
    )
    for queue in queues.order_by("id"):
        if queue.daily:
            sample(queue=queue, now=now)
        fill(queue=queue)
        measure(queue=queue, now=now)


def sample(*, queue: Queue, now: datetime) -> int:
    """Draw yesterday's share (days are those of the project's time zone); returns how many items were added."""
    zone = ZoneInfo(queue.project.timezone)
    today = datetime.combine(now.astimezone(zone).date(), time(), zone)
    since = today - timedelta(days=1)
    if queue.sampled_until is not None and queue.sampled_until >= today:
        return 0
    with transaction.atomic():
        mine = Queue.objects.filter(pk=queue.pk, sampled_until=queue.sampled_until).update(sampled_until=today)
        if not mine:  # somebody else draws it in this moment
            return 0
        new = filling.by_lot(queue=queue, since=since, until=today, count=queue.daily, by=SYSTEM, now=now)
        if new:
            people = list(QueuePerson.objects.filter(queue=queue).values_list("user_id", flat=True))
            notifications.notify(
                project=queue.project, users=people, kind="labels_waiting",
                text=f"{new:,} new item{'' if new == 1 else 's'} to label in {queue.name}",
                url=reverse("feedback:queue-work", args=[queue.project.slug, queue.slug]), now=now,
            )  # fmt: skip
    return new


def fill(*, queue: Queue) -> int:
    """Put in what came in the ways that the queue fills by itself; what it holds already is left alone."""
    return sum(
        filling.by_way(queue=queue, way=way, most=MOST_AT_ONCE, by=SYSTEM)
        for way in queue.fills_from
        if way in STANDING
    )


@transaction.atomic
def measure(*, queue: Queue, now: datetime) -> int:
    """Make the queue's human figures anew from items that were drawn by lot; returns how many there are.

    A rate over versions needs a lot: items that somebody picked enter no figure. Items of lots with different chances
    count with the inverse of their probability.
    """
    questions = [one for one in rubrics.parse(queue.rubric_version.questions) if one.kind in MEASURED]
    settled = Settled.objects.filter(
        item__queue=queue, item__probability__isnull=False, item__gold__isnull=True, item__state=QueueItem.State.SETTLED
    )
    values: dict[tuple[str, int | None], list[tuple[float, float]]] = defaultdict(list)
    for answers, version, probability in settled.order_by("id").values_list(
        "answers", "item__version", "item__probability"
    ):
        for question in questions:
            if question.key in answers:
                values[question.key, version].append((_number(answers[question.key]), 1 / (probability or 1.0)))
    HumanFigure.objects.filter(queue=queue).delete()
    by_key = {question.key: question for question in questions}
    figures = [_figure(queue, by_key[key], version, pairs, now) for (key, version), pairs in values.items()]
    HumanFigure.objects.bulk_create(figures)
    return len(figures)


def _figure(
    queue: Queue, question: rubrics.Question, version: int | None, pairs: list[tuple[float, float]], now: datetime
) -> HumanFigure:
    numbers, weights = [number for number, _ in pairs], [weight for _, weight in pairs]
    low, high = (0.0, 1.0) if question.kind == "pass_fail" else (float(question.low), float(question.high))
    even = max(weights) - min(weights) < 1e-9
    found = means.bounded_mean(numbers, weights=None if even else weights, low=low, high=high)
    interval = found.interval
    return HumanFigure(
        project_id=queue.project_id, queue=queue, question=question.key, version_id=version, n=found.n,
        value=found.value or 0.0, low=interval.low if interval else None, high=interval.high if interval else None,
        method=found.method[:100], updated_at=now,
    )  # fmt: skip


def _number(answer: Any) -> float:
    return float(answer == "pass") if isinstance(answer, str) else float(answer)
