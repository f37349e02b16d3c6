"""What goes when an end user's data is deleted, a batch at a time, each inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import models
from django.db.models import Q

from feedback.models import Call, Erasure, FeedbackEvent, InboxItem, ItemTag, Vote
from feedback.queries import erasures as queries
from feedback.services import copies, hours
from llmops.common.actors import Actor

AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows went, and how many dataset examples were blanked or removed. A labeled item goes with its answers,
    which may quote what it showed."""

    calls: int = 0
    feedback: int = 0
    votes: int = 0
    inbox_items: int = 0
    examples: int = 0
    queue_items: int = 0

    def __add__(self, other: Erased) -> Erased:
        return Erased(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


def calls(*, of: Erasure, by: Actor, now: datetime) -> tuple[int, Erased]:
    """The next calls with what was said and what was made of them; how many rows were looked at, 0 at last."""
    found = list(queries.calls_of(of).order_by("id").values_list("pk", "uid", "client_id", "hour")[:AT_ONCE])
    names = sorted({name for _, _, name, _ in found})
    forgotten = copies.forget(project=of.project, calls=[(uid, name) for _, uid, name, _ in found], by=by, now=now)
    copies.forget_drafts(project=of.project, names=names, by=by, now=now)
    feedback, votes, items = _forget_said(of, names, {hour for *_, hour in found}, now)
    gone = _delete(Call, [pk for pk, *_ in found])
    return gone, Erased(gone, feedback, votes, items, forgotten.examples, forgotten.queue_items)


def said(*, of: Erasure, by: Actor, now: datetime) -> tuple[int, Erased]:
    """The next of what the person said about other calls; an inbox item goes when nobody else said anything there."""
    events = list(queries.said_by(of).order_by("id").values_list("pk", "call_client_id", "received_at")[:AT_ONCE])
    votes = list(queries.votes_of(of).order_by("id").values_list("pk", "call_client_id", "hour")[:AT_ONCE])
    names = sorted({name for _, name, _ in events} | {name for _, name, _ in votes})
    copies.forget_drafts(project=of.project, names=names, by=by, now=now)
    dirty = {hours.hour_of(at) for *_, at in events} | {hour for *_, hour in votes} | _hours_of(of, names)
    hours.mark(project_id=of.project_id, hours=dirty, now=now)
    _delete(FeedbackEvent, [pk for pk, *_ in events])
    _delete(Vote, [pk for pk, *_ in votes])
    items = _settle_items(of, names)
    return len(events) + len(votes), Erased(feedback=len(events), votes=len(votes), inbox_items=items)


def spans(*, of: Erasure) -> int:
    """The spans that wait for the head of their trace."""
    return queries.loose_spans_of(of).purge()


def _hours_of(of: Erasure, names: Collection[str]) -> set[int]:
    return set(Call.objects.filter(project=of.project_id, client_id__in=names).values_list("hour", flat=True))


def _forget_said(of: Erasure, names: Sequence[str], dirty: set[int], now: datetime) -> tuple[int, int, int]:
    """Everything that anybody said about these calls."""
    about = Q(project=of.project_id, call_client_id__in=names)
    dirty = dirty | set(Vote.objects.filter(about).values_list("hour", flat=True))
    times = FeedbackEvent.objects.filter(about).values_list("received_at", flat=True)
    hours.mark(project_id=of.project_id, hours=dirty | {hours.hour_of(at) for at in times}, now=now)
    feedback, votes = (
        _delete(model, list(model._base_manager.filter(about).values_list("pk", flat=True)))
        for model in (FeedbackEvent, Vote)
    )
    return feedback, votes, _delete_items(list(InboxItem.objects.filter(about).values_list("pk", flat=True)))


def _settle_items(of: Erasure, names: Collection[str]) -> int:
    """Delete items without feedback, and let the others say what the feedback that is left says."""
    gone = 0
    for item in InboxItem.objects.filter(project=of.project_id, call_client_id__in=names):
        left = list(
            FeedbackEvent.objects.filter(project=of.project_id, call_client_id=item.call_client_id).order_by("id")
        )
        if not left:
            gone += _delete_items([item.pk])
            continue
        thumbs = [int(event.value) for event in left if event.kind == "thumbs" and event.value is not None]
        scores = [event.value for event in left if event.kind == "score"]
        item.events = len(left)
        item.thumbs = thumbs[-1] if thumbs else None
        item.score = scores[-1] if scores else None
        item.excerpt = next((event.comment[:300] for event in reversed(left) if event.comment), "")
        item.has_correction = any(event.correction is not None for event in left)
        item.save(update_fields=["events", "thumbs", "score", "excerpt", "has_correction"])
    return gone


def _delete_items(pks: list[int]) -> int:
    _delete(ItemTag, list(ItemTag.objects.filter(item__in=pks).values_list("pk", flat=True)))
    return _delete(InboxItem, pks)


def _delete(model: type[models.Model], pks: list[int]) -> int:
    # Nothing points at these tables, so no row has to be loaded to be deleted.
    models.QuerySet(model).filter(pk__in=pks)._raw_delete("default")
    return len(pks)
