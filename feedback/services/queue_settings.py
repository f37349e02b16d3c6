"""Change a queue that people work in: its settings, who labels in it, and what that means for its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from feedback import rubrics
from feedback.models import Annotation, Queue, QueueItem, QueuePerson, RubricVersion
from feedback.services import queues, refitting
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid

EDITABLE = queues.SETTINGS | {"state", "rubric_version"}


class StaleSettings(Conflict):
    """Somebody else changed the settings meanwhile; `fields` says what they are now where yours differ."""

    code = "stale_settings"

    def __init__(self, edits: int, fields: Mapping[str, str]) -> None:
        super().__init__("Somebody changed these settings after you opened them. Nothing of yours is saved.")
        self.edits = edits
        self.fields = dict(fields)


@transaction.atomic
def edit(
    *,
    queue: Queue,
    by: Actor,
    now: datetime,
    base_edits: int | None = None,
    labelers: Sequence[str] | None = None,
    **changes: Any,
) -> Queue:
    """Change settings and, with `labelers`, who labels here; the items follow.

    More people for each item opens what was done but is not settled; fewer finish what has enough answers. What is
    settled stays. A mask and hidden parts apply to items that nobody has answered. Other settings count from now on.

    :param base_edits: the queue's `edits` that the change was based on; None to change whatever is there.
    :raises TypeError: for a field that is not editable.
    :raises Invalid: naming the field that is not acceptable.
    :raises StaleSettings: when the settings were changed since `base_edits`.
    """
    if unknown := changes.keys() - EDITABLE:
        raise TypeError(f"not editable: {sorted(unknown)}")
    held = _held(queue)
    queues.check(changes)
    _demand_fresh(held, base_edits, changes, labelers)
    changed = {name: value for name, value in changes.items() if getattr(held, name) != value}
    if "rubric_version" in changed:
        _demand_fit(held, changed["rubric_version"])
    said = {name: [_said(getattr(held, name)), _said(value)] for name, value in changed.items()}
    hides_more = _hides_more(held, changed)
    for name, value in changed.items():
        setattr(held, name, value)
    is_renamed = labelers is not None and queues.name_people(queue=held, emails=labelers, by=by)
    if changed or is_renamed:
        held.edits += 1
        held.save(update_fields=[*changed, "edits"])
    if changed:
        fitted = refitting.places(queue=held, now=now) if "annotators_per_item" in changed else {}
        fitted |= refitting.masks(queue=held) if hides_more else {}
        audit.record("queue.edited", by=by, target=held, changes=said, items=fitted)
    return held


def _held(queue: Queue) -> Queue:
    """The queue as it is now, held against another change in this moment."""
    return (
        Queue.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project", "rubric_version__rubric")
        .get(pk=queue.pk)
    )


def _demand_fresh(
    held: Queue, base_edits: int | None, changes: Mapping[str, Any], labelers: Sequence[str] | None
) -> None:
    if base_edits is None or base_edits == held.edits:
        return
    differ = {name: f"is {_shown(held, name)} now" for name, value in changes.items() if getattr(held, name) != value}
    named = set(QueuePerson.objects.filter(queue=held).values_list("user__email", flat=True))
    if labelers is not None and {one.strip().lower() for one in labelers} != {one.lower() for one in named}:
        differ["labelers"] = f"is {', '.join(sorted(named)) or 'nobody'} now"
    if differ:
        raise StaleSettings(held.edits, differ)


def _demand_fit(held: Queue, to: RubricVersion) -> None:
    """:raises Invalid: when answers of this queue would not be answers to the other version's questions."""
    if to.rubric_id != held.rubric_version.rubric_id:
        raise Invalid("A queue keeps its rubric.", fields={"rubric_version": "a version of another rubric"})
    answered = Q(gold__isnull=False) | ~Q(state=QueueItem.State.OPEN)
    if not (
        Annotation.objects.filter(seat__item__queue=held).exists()
        or QueueItem.objects.filter(answered, queue=held).exists()
    ):
        return
    lost = rubrics.lost_between(rubrics.parse(held.rubric_version.questions), rubrics.parse(to.questions))
    if lost:
        raise Invalid(
            f"Version {to.number} does not go with the answers that are there: {lost}. Make a queue of its own for it.",
            fields={"rubric_version": lost},
        )


def _hides_more(held: Queue, changed: Mapping[str, Any]) -> bool:
    return bool(changed.get("mask")) or bool(set(changed.get("hidden", ())) - set(held.hidden))


def _shown(held: Queue, name: str) -> str:
    """The present value in words."""
    words = getattr(held, f"get_{name}_display", None)
    if words is not None:
        return f"“{words()}”"
    value = _said(getattr(held, name))
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"“{', '.join(value) if isinstance(value, list) else value}”" if value != [] else "empty"


def _said(value: Any) -> Any:
    """The value as the audit trail keeps it."""
    return value.number if isinstance(value, RubricVersion) else value
