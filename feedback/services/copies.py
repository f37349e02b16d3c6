"""Forget what was copied of calls: examples and what runs made of them, labeled items, drafts, proposals, try-outs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from evals.models import Example, Result
from evals.services import example_erasure
from feedback.models import Annotation, Call, InboxItem, QueueItem, Settled, Theme, ThemeDraft
from feedback.queries import sources
from feedback.services import arrivals
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.services import tryouts

AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many examples were blanked, and how many labeled items went with their answers."""

    examples: int = 0
    queue_items: int = 0


def forget(*, project: Project, calls: Sequence[tuple[UUID, str]], by: Actor, now: datetime) -> Forgotten:
    """What was made of these calls (uid, client id), and of what was made of them, inside the caller's transaction."""
    names = [name for _, name in calls]
    examples = example_erasure.refuse_proposals(project=project, calls=names, by=by, now=now)
    items = 0
    made_of = [uid for uid, _ in calls]
    labeled = list(_labels(project, "call", made_of).values_list("pk", "uid"))
    while made_of or labeled:
        blanked, results = _forget_examples(project, [*made_of, *(uid for _, uid in labeled)], by, now)
        examples += blanked
        items += _forget_labels([pk for pk, _ in labeled])
        # A run's results may be labeled as well, and what was settled about them be an example again.
        made_of, labeled = [], list(_labels(project, "result", results).values_list("pk", "uid"))
    return Forgotten(examples, items)


def forget_drafts(*, project: Project, names: Collection[str], by: Actor, now: datetime) -> None:
    """Blank what models were shown about the themes of these calls, and what they drafted; an undecided draft goes.

    A draft does not say which complaints it quotes, so all of the theme's go. An accepted one is a version by now.
    """
    items = InboxItem.objects.filter(project=project, call_client_id__in=list(names)).exclude(theme=None)
    themes = Theme.objects.filter(pk__in=items.values("theme"))
    touched = {pk for pair in themes.values_list("pk", "merged_into") for pk in pair if pk is not None}
    drafts = ThemeDraft.objects.filter(project=project, theme__in=touched)
    drafts.filter(state__in=ThemeDraft.ACTIVE).update(state=ThemeDraft.State.CANCELLED, finished_at=now)
    drafts.filter(state=ThemeDraft.State.DONE, decision=ThemeDraft.Decision.OPEN).update(
        decision=ThemeDraft.Decision.REFUSED, decided_by=by.text, decided_at=now
    )
    drafts.update(messages=[], answer="", why="")
    drafts.exclude(decision=ThemeDraft.Decision.ACCEPTED).update(content="")
    tags = [theme.tag for theme in Theme.objects.filter(pk__in=touched)]
    example_erasure.forget_questions(project=project, tags=tags)


def forget_tryouts(*, project: Project, calls: QuerySet[Call]) -> int:
    """Blank the try-outs with the inputs of one of these calls or of an example made of one: they name no source."""
    meant: set[bytes] = set()
    for part in _parts(calls.order_by("id").values_list("uid", "inputs").iterator(chunk_size=AT_ONCE)):
        meant.update(_digest(inputs) for _, inputs in part)
        examples = Example.objects.filter(project=project, source_uid__in=[uid for uid, _ in part], erased_at=None)
        meant.update(_digest(inputs) for inputs in examples.values_list("inputs", flat=True))
    meant.discard(_digest({}))
    return tryouts.forget(project=project, is_meant=lambda inputs: _digest(inputs) in meant) if meant else 0


def _digest(inputs: Any) -> bytes:
    return arrivals.digest(arrivals.json_bytes(inputs if isinstance(inputs, dict) else {"input": inputs}))


def _labels(project: Project, kind: str, uids: Collection[UUID]) -> QuerySet[QueueItem]:
    return QueueItem.objects.filter(project=project, source_kind=kind, source_uid__in=list(uids))


def _forget_examples(project: Project, made_of: Sequence[UUID], by: Actor, now: datetime) -> tuple[int, list[UUID]]:
    """Blank the examples of these sources; returns how many, and the results of runs that they had."""
    found = Example.objects.filter(project=project, source_uid__in=made_of, erased_at=None)
    pks = list(found.values_list("pk", flat=True))
    results = list(Result.objects.filter(example__in=pks).values_list("uid", flat=True))
    for uid in found.order_by("source_uid").values_list("source_uid", flat=True).distinct():
        if uid is not None:
            example_erasure.erase_from(project=project, source_uid=uid, by=by, now=now)
    return len(pks), results


def _forget_labels(pks: Sequence[int]) -> int:
    Settled.objects.filter(item__in=pks).purge()
    Annotation.objects.filter(seat__item__in=pks).purge()
    QueueItem.objects.filter(pk__in=pks).delete()
    return len(pks)


def _parts(rows: Iterable[Any]) -> Iterable[list[Any]]:
    return sources.batches(rows, AT_ONCE)
