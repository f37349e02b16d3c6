"""Delete one end user's data: the calls, what was said about them, and what the person said elsewhere.

The record of seen ids stays: it holds digests alone, and keeps out what a client sends again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q

from evals.models import Example
from evals.services import example_erasure
from feedback.models import Annotation, Call, FeedbackEvent, InboxItem, QueueItem, Settled, Vote
from feedback.services import arrivals, hours
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project

AT_ONCE = 500


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


@transaction.atomic
def erase_end_user(*, project: Project, end_user: str, by: Actor, now: datetime) -> Erased:
    """Delete what is known of the person with this id, as the application sends it.

    All or nothing, with one row in the audit trail that names only the keyed hash. Rollups of the hours are computed
    again by upkeep.

    :raises Invalid: for an empty id.
    """
    if not end_user or len(end_user) > 200:
        raise Invalid("Name the end user.", fields={"end_user": "1 to 200 characters"})
    hashed = arrivals.keyed_hash(project.uid, end_user)
    calls = list(Call.objects.filter(project=project, end_user=hashed).values_list("pk", "uid", "client_id", "hour"))
    own = list(
        FeedbackEvent.objects.filter(project=project, voter=f"u:{hashed}").values_list(
            "pk", "call_client_id", "received_at"
        )
    )
    dirty = {hour for *_, hour in calls} | {hours.hour_of(at) for _, _, at in own}
    theirs = {client_id for _, _, client_id, _ in calls}
    elsewhere = {call for _, call, _ in own} - theirs
    dirty |= _hours_of(project, elsewhere)
    feedback, votes, items = _forget_calls(project, sorted(theirs), dirty)
    more_feedback, more_votes, more_items = _forget_voter(project, f"u:{hashed}", sorted(elsewhere), dirty)
    labeled = _labeled(project, [uid for _, uid, _, _ in calls])
    examples = 0
    for uid in [*(uid for _, uid, _, _ in calls), *labeled.values()]:
        if made := Example.objects.filter(project=project, source_uid=uid, erased_at=None).count():
            example_erasure.erase_from(project=project, source_uid=uid, by=by, now=now)
            examples += made
    _forget_labels(list(labeled))
    erased = Erased(
        calls=_delete(Call, [pk for pk, *_ in calls]),
        feedback=feedback + more_feedback,
        votes=votes + more_votes,
        inbox_items=items + more_items,
        examples=examples,
        queue_items=len(labeled),
    )
    hours.mark(project_id=project.pk, hours=dirty, now=now)
    audit.record(
        "feedback.end_user_erased", by=by, target=project, text=f"the end user {hashed[:12]}…", project_id=project.pk,
        **asdict(erased),
    )  # fmt: skip
    return erased


def _labeled(project: Project, call_uids: Sequence[UUID]) -> dict[int, UUID]:
    """The items of labeling queues that show these calls: primary key and uid."""
    found: dict[int, UUID] = {}
    for start in range(0, len(call_uids), AT_ONCE):
        part = call_uids[start : start + AT_ONCE]
        rows = QueueItem.objects.filter(project=project, source_kind="call", source_uid__in=part)
        found.update(rows.values_list("pk", "uid"))
    return found


def _forget_labels(pks: Sequence[int]) -> None:
    for start in range(0, len(pks), AT_ONCE):
        part = pks[start : start + AT_ONCE]
        Settled.objects.filter(item__in=part).purge()
        Annotation.objects.filter(seat__item__in=part).purge()
        QueueItem.objects.filter(pk__in=part).delete()


def _hours_of(project: Project, client_ids: set[str]) -> set[int]:
    found: set[int] = set()
    for part in _parts(sorted(client_ids)):
        found.update(Call.objects.filter(project=project, client_id__in=part).values_list("hour", flat=True))
    return found


def _forget_calls(project: Project, client_ids: list[str], dirty: set[int]) -> tuple[int, int, int]:
    """Everything that anybody said about these calls."""
    counts = [0, 0, 0]
    for part in _parts(client_ids):
        about = Q(project=project, call_client_id__in=part)
        dirty.update(Vote.objects.filter(about).values_list("hour", flat=True))
        times = FeedbackEvent.objects.filter(about).values_list("received_at", flat=True)
        dirty.update(hours.hour_of(received_at) for received_at in times)
        for index, model in enumerate((FeedbackEvent, Vote, InboxItem)):
            counts[index] += _delete(model, list(model._base_manager.filter(about).values_list("pk", flat=True)))
    return counts[0], counts[1], counts[2]


def _forget_voter(project: Project, voter: str, client_ids: list[str], dirty: set[int]) -> tuple[int, int, int]:
    """What the person said about other calls; an inbox item goes when nobody else said anything there."""
    counts = [0, 0, 0]
    for part in _parts(client_ids):
        about = Q(project=project, call_client_id__in=part)
        dirty.update(Vote.objects.filter(about, voter=voter).values_list("hour", flat=True))
        for index, model in enumerate((FeedbackEvent, Vote)):
            mine = model._base_manager.filter(about, voter=voter)
            counts[index] += _delete(model, list(mine.values_list("pk", flat=True)))
        counts[2] += _settle_items(project, part)
    return counts[0], counts[1], counts[2]


def _settle_items(project: Project, client_ids: list[str]) -> int:
    """Delete items without feedback, and let the others say what the feedback that is left says."""
    gone = 0
    for item in InboxItem.objects.filter(project=project, call_client_id__in=client_ids):
        left = list(FeedbackEvent.objects.filter(project=project, call_client_id=item.call_client_id).order_by("id"))
        if not left:
            gone += _delete(InboxItem, [item.pk])
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


def _parts(names: list[str]) -> list[list[str]]:
    return [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]


def _delete(model: type[models.Model], pks: list[int]) -> int:
    for start in range(0, len(pks), AT_ONCE):
        # Nothing points at these tables, so no row has to be loaded to be deleted.
        models.QuerySet(model).filter(pk__in=pks[start : start + AT_ONCE])._raw_delete("default")
    return len(pks)
