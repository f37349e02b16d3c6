"""Make queues, and say who labels in them; `queue_settings` changes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from evals.services.datasets import check_slug
from feedback.models import Queue, QueuePerson, RubricVersion
from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Membership, Project
from llmops.projects.permissions import ROLES, Permission

SETTINGS = frozenset({
    "name", "annotators_per_item", "settle_by", "order", "mask", "hidden", "hold_minutes", "gold_every", "daily",
    "daily_prompt", "fills_from",
})  # fmt: skip
RANGES = {"annotators_per_item": (1, 20), "hold_minutes": (1, 480), "gold_every": (0, 1_000), "daily": (0, 1_000)}
CHOICES = {"state": Queue.State.values, "settle_by": Queue.SettleBy.values, "order": Queue.Order.values}
STANDING = {
    "needs_label": "Feedback that needs a label",
    "complaints": "Open complaints: calls with a thumbs-down",
    "disagreement": "Results whose judge contradicts the user",
}  # the ways of `filling.by_way` that need nothing but the queue
MOST_HIDDEN = 50
MOST_PEOPLE = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new queue as asked for; `labelers` are the people who label in it."""

    slug: str
    name: str = ""
    annotators_per_item: int = 2
    settle_by: str = Queue.SettleBy.UNANIMOUS
    order: str = Queue.Order.PRIORITY
    mask: bool = False
    hidden: Sequence[str] = ()
    hold_minutes: int = 20
    gold_every: int = 0
    daily: int = 0
    daily_prompt: str = ""
    fills_from: Sequence[str] = ()
    labelers: Sequence[str] = field(default=())


@transaction.atomic
def create(*, project: Project, rubric_version: RubricVersion, wanted: Wanted, by: Actor) -> Queue:
    """A queue without items under this version of a rubric.

    :raises Invalid: naming the field that is not acceptable.
    :raises Conflict: when the project has a queue of that slug.
    """
    check_slug(wanted.slug)
    values = {name: getattr(wanted, name) for name in SETTINGS} | {"name": wanted.name or wanted.slug}
    check(values)
    people = members(project, wanted.labelers)
    try:
        with transaction.atomic():
            queue = Queue.objects.create(
                project=project, slug=wanted.slug, rubric_version=rubric_version, created_by=by.text,
                **values | {"hidden": list(wanted.hidden), "fills_from": list(wanted.fills_from)},
            )  # fmt: skip
    except IntegrityError:
        raise Conflict(f"There is a queue “{wanted.slug}” already.", fields={"slug": "taken"}) from None
    QueuePerson.objects.bulk_create([QueuePerson(project=project, queue=queue, user=user) for user in people])
    audit.record("queue.created", by=by, target=queue, rubric=str(rubric_version), labelers=len(people))
    return queue


@transaction.atomic
def name_people(*, queue: Queue, emails: Sequence[str], by: Actor) -> bool:
    """Say who labels in the queue; who is no longer named keeps what they answered. False when nothing changed.

    :raises Invalid: for an address that is no member who may label.
    """
    people = members(queue.project, emails)
    kept = {user.pk for user in people}
    gone = QueuePerson.objects.filter(queue=queue).exclude(user_id__in=kept)
    left = list(gone.values_list("user__email", flat=True))
    gone.delete()
    known = set(QueuePerson.objects.filter(queue=queue).values_list("user_id", flat=True))
    new = [user for user in people if user.pk not in known]
    QueuePerson.objects.bulk_create(
        [QueuePerson(project_id=queue.project_id, queue=queue, user=user) for user in new], ignore_conflicts=True
    )
    if new or left:
        audit.record("queue.labelers_named", by=by, target=queue, added=[user.email for user in new], removed=left)
    return bool(new or left)


def members(project: Project, emails: Sequence[str]) -> list[User]:
    """The members of these addresses who may label, in the order given.

    :raises Invalid: naming the address that is no such member.
    """
    wanted = list(dict.fromkeys(email.strip().lower() for email in emails if email.strip()))
    if len(wanted) > MOST_PEOPLE:
        raise Invalid(f"At most {MOST_PEOPLE} labelers.", fields={"labelers": f"at most {MOST_PEOPLE}"})
    roles = [role for role, held in ROLES.items() if Permission.ANNOTATION_WRITE in held]
    rows = Membership.objects.filter(project=project, role__in=roles, user__is_active=True).select_related("user")
    found = {row.user.email.lower(): row.user for row in rows}
    for email in wanted:
        if email not in found:
            raise Invalid(
                f"{text.shown(email)} is no member who may label.",
                fields={"labelers": f"{text.shown(email)} is no member who may label"},
            )
    return [found[email] for email in wanted]


def check(values: dict[str, Any]) -> None:
    """:raises Invalid: naming the setting that is not acceptable."""
    for name, (low, high) in RANGES.items():
        value = values.get(name, low)
        if type(value) is not int or not low <= value <= high:
            raise _wrong(name, f"must be a whole number from {low} to {high}")
    for name, known in CHOICES.items():
        if name in values and values[name] not in known:
            raise _wrong(name, f"must be one of {', '.join(known)}")
    for name, longest in {"name": 120, "daily_prompt": 300}.items():
        value = values.get(name, "")
        if not isinstance(value, str) or len(value) > longest or text.problem(value) is not None:
            raise _wrong(name, f"must be a text of at most {longest} characters")
    if unknown := [one for one in values.get("fills_from", ()) if one not in STANDING]:
        raise _wrong("fills_from", f"must be of {', '.join(STANDING)}, not {text.shown(str(unknown[0]))}")
    hidden = values.get("hidden", ())
    if len(hidden) > MOST_HIDDEN or not all(isinstance(one, str) and len(one) <= 120 for one in hidden):
        raise _wrong("hidden", f"must be at most {MOST_HIDDEN} names")
    if any(text.problem(one) for one in hidden):
        raise _wrong("hidden", "must be storable text")


def _wrong(name: str, reason: str) -> Invalid:
    return Invalid(f"{name} {reason}.", fields={name: reason})
