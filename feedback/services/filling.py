"""Put items into a queue: by hand, by filter, by lot, where judge and user disagree, where a judge is unsure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from evals.models import EvaluatorVersion, Run, RunEvaluator
from evals.queries import runs
from feedback import redaction, rubrics
from feedback.models import Queue, QueueItem, QueuePerson, Seat
from feedback.models.queue import MOST_SEATS
from feedback.queries import sources
from feedback.queries.inbox import InboxFilter
from feedback.queries.sources import Source
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Invalid, NotFound

MOST = 10_000
BATCH = 500
ROTA = timedelta(days=7)  # how long a day's share is kept for the person whose turn it was
NOT_INPUTS = ("contexts", "expected", "origin")


def by_hand(*, queue: Queue, names: Sequence[str], by: Actor) -> int:
    """The calls of these ids; returns how many were new.

    :raises Invalid: naming the ids that are no calls.
    """
    found = sources.calls(queue.project, names)
    if not found:
        raise Invalid("None of these is a logged call.", fields={"calls": "no such call"})
    return add(queue=queue, found=found, by=by, how="hand")


def by_filter(*, queue: Queue, narrowed: InboxFilter, most: int, by: Actor) -> int:
    """Calls of the inbox under this filter; returns how many were new."""
    return add(queue=queue, found=sources.calls_of(queue.project, narrowed, _most(most)), by=by, how="filter")


def from_run(*, queue: Queue, run: Run, most: int, by: Actor, seed: str = "") -> int:
    """Results of a run; when there are more than `most`, so many by lot, each as likely as any other."""
    pks = sources.result_ids(run)
    drawn, probability = draw(pks, _most(most), seed or f"{queue.uid}{run.uid}")
    found = sources.results_of(run, drawn, probability=probability)
    return add(queue=queue, found=found, by=by, how="run")


def by_uncertainty(*, queue: Queue, run: Run, evaluator: str, most: int, by: Actor) -> int:
    """Results of a run that a judge of it was least sure of.

    :raises Invalid: when the run did not use that judge.
    """
    found = sources.uncertain(run, judge_of(run, evaluator).pk, _most(most))
    return add(queue=queue, found=found, by=by, how="uncertainty")


def by_disagreement(*, queue: Queue, most: int, by: Actor) -> int:
    """Results whose judge contradicts what users of the same call said."""
    return add(queue=queue, found=sources.disputed(queue.project, _most(most)), by=by, how="disagreement")


def by_way(*, queue: Queue, way: str, most: int, by: Actor, run: str = "", evaluator: str = "") -> int:
    """Items from where `way` says: `needs_label` and `complaints` of the inbox, `disagreement`, `run`, `uncertainty`.

    :raises Invalid: when the project has no such run, or the run no such judge.
    """
    if way == "needs_label":
        return by_filter(queue=queue, narrowed=InboxFilter(needs_label=True), most=most, by=by)
    if way == "complaints":
        return by_filter(queue=queue, narrowed=InboxFilter(state="open", verdict="down"), most=most, by=by)
    if way == "disagreement":
        return by_disagreement(queue=queue, most=most, by=by)
    try:
        found = runs.run_in(queue.project, run)
    except NotFound as error:
        raise Invalid(error.message, fields={"run": error.message}) from None
    if way == "run":
        return from_run(queue=queue, run=found, most=most, by=by)
    return by_uncertainty(queue=queue, run=found, evaluator=evaluator, most=most, by=by)


@transaction.atomic
def by_lot(*, queue: Queue, since: datetime, until: datetime, count: int, by: Actor, now: datetime) -> int:
    """A random sample of the calls received in [since, until), given to the named labelers in turn.

    The lot is seeded by queue and day, so that a second try draws the same calls and adds none.
    """
    pks = sources.call_ids(queue.project, since, until, queue.daily_prompt)
    drawn, probability = draw(pks, count, f"{queue.uid}{since.isoformat()}")
    found = sources.calls_by_pk(queue.project, drawn, probability)
    new = add(queue=queue, found=found, by=by, how="lot")
    if new:
        _deal(queue, [source.uid for source in found], now)
    return new


def judge_of(run: Run, name: str) -> EvaluatorVersion:
    """:raises Invalid: when the run used no judge of that name."""
    lines = RunEvaluator.objects.filter(run=run, evaluator_version__judge__isnull=False)
    lines = lines.filter(name=name) if name else lines
    line = lines.select_related("evaluator_version").order_by("id").first()
    if line is None:
        raise Invalid("The run did not use that judge.", fields={"evaluator": "no judge of the run"})
    return line.evaluator_version


def draw(pks: Sequence[int], count: int, seed: str) -> tuple[list[int], float]:
    """At most `count` of them without preference, and the probability that each had."""
    if len(pks) <= count:
        return list(pks), 1.0
    chosen = random.Random(seed).sample(pks, count)  # noqa: S311 (a lot, not a secret)
    return sorted(chosen), count / len(pks)


@transaction.atomic
def add(*, queue: Queue, found: Sequence[Source], by: Actor, how: str) -> int:
    """Append items, masked as the queue asks; what the queue holds already is left alone. Returns how many were new.

    :raises Invalid: for more than MOST at once.
    """
    if len(found) > MOST:
        raise Invalid(f"At most {MOST:,} items at once.")
    there = sources.known(queue.pk, found)
    fresh = {(one.kind, one.uid): one for one in found if (one.kind, one.uid) not in there}
    items = [item_of(queue, source) for source in fresh.values()]
    QueueItem.objects.bulk_create(items, batch_size=BATCH, ignore_conflicts=True)
    if items:
        audit.record("queue.filled", by=by, target=queue, items=len(items), how=how)
    return len(items)


def item_of(queue: Queue, source: Source) -> QueueItem:
    snapshot, title = as_shown(queue, source.snapshot, source.title)
    return QueueItem(
        project_id=queue.project_id, queue=queue, source_kind=source.kind, source_uid=source.uid,
        title=title, snapshot=snapshot, version_id=source.version_id,
        priority=source.priority, probability=source.probability, gold=source.gold,
        seats=MOST_SEATS if source.gold is not None else queue.annotators_per_item,
    )  # fmt: skip


def as_shown(queue: Queue, snapshot: Mapping[str, Any], title: str) -> tuple[dict[str, Any], str]:
    """What the queue shows of an item, and under which title: of one with hidden parts the title may tell too much."""
    kept = masked(queue, shown_to_labelers(queue, snapshot))
    if queue.hidden:
        return kept, ""
    return kept, (redaction.mask_text(title)[0] if queue.mask else title)[:200]


def masked(queue: Queue, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The item without personal data, where the queue asks for it."""
    return redaction.mask(dict(snapshot))[0] if queue.mask else dict(snapshot)


def shown_to_labelers(queue: Queue, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The item without the parts that the queue hides."""
    hidden = set(queue.hidden)
    kept = {name: value for name, value in snapshot.items() if name not in hidden or name not in NOT_INPUTS}
    if isinstance(kept.get("inputs"), dict):
        kept["inputs"] = {name: value for name, value in kept["inputs"].items() if name not in hidden}
    return kept


@transaction.atomic
def make_gold(*, item: QueueItem, answers: Any, by: Actor) -> QueueItem:
    """Say what the right answer is: the item is mixed in for everybody and leaves the figures of the queue.

    No answers make it an item as any other again.

    :raises Invalid: naming the question whose answer is not acceptable.
    """
    questions = rubrics.parse(item.queue.rubric_version.questions)
    item.gold = rubrics.checked(questions, answers, item.snapshot) if answers else None
    item.seats = MOST_SEATS if item.gold is not None else item.queue.annotators_per_item
    item.save(update_fields=["gold", "seats"])
    audit.record("queue.gold_set", by=by, target=item, answers=item.gold)
    return item


def _deal(queue: Queue, uids: Sequence[Any], now: datetime) -> None:
    """Reserve each item's places for the named people in turn; who lets it wait for longer than ROTA loses it."""
    people = list(QueuePerson.objects.filter(queue=queue).order_by("id").values_list("user_id", flat=True))
    if not people:
        return
    seats, turn = [], queue.turn
    each = min(queue.annotators_per_item, len(people))
    for item in QueueItem.objects.filter(queue=queue, source_kind="call", source_uid__in=uids).order_by("id"):
        for slot in range(1, each + 1):
            seats.append(
                Seat(
                    project_id=queue.project_id,
                    item=item,
                    user_id=people[turn % len(people)],
                    slot=slot,
                    of=item.seats,
                    reserved_at=now,
                    expires_at=now + ROTA,
                )
            )
            turn += 1
    Seat.objects.bulk_create(seats, batch_size=BATCH, ignore_conflicts=True)
    Queue.objects.filter(pk=queue.pk).update(turn=F("turn") + len(seats))


def _most(wanted: int) -> int:
    if not 1 <= wanted <= MOST:
        raise Invalid(f"Between 1 and {MOST:,} items.", fields={"most": f"between 1 and {MOST:,}"})
    return wanted
