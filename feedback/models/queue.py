"""Queues of items that people label, who labels them, and the seats at an item."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from evals.models.dataset import ReadableJSON
from feedback.models.rubric import RubricVersion
from llmops.common.models import WithUid
from llmops.projects.models.project import SLUG

MOST_SEATS = 100


class Queue(WithUid):
    """Items under one version of a rubric, each for `annotators_per_item` people who do not see each other's answers.

    `mask` masks personal data once more in each item; `hidden` names parts that labelers must not see (an input's
    name, `contexts`, `expected` or `origin`). `gold_every` mixes in an item with a known answer after so many others.
    `daily` calls a day are drawn by lot and given to the named people in turn; `fills_from` are the ways in which
    items come by themselves besides. `edits` counts the changes of the settings, so that two people who have them open
    do not overwrite each other.
    """

    class State(models.TextChoices):
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    class SettleBy(models.TextChoices):
        UNANIMOUS = "unanimous", "When all agree; a person settles the rest"
        MAJORITY = "majority", "By majority; a person settles ties"
        PERSON = "person", "Always by a person"

    class Order(models.TextChoices):
        PRIORITY = "priority", "What teaches most first"
        OLDEST = "oldest", "In the order they came"
        NEWEST = "newest", "The newest first"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    slug = models.CharField(max_length=60, validators=[SLUG])
    name = models.CharField(max_length=120)
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="+")
    annotators_per_item = models.PositiveSmallIntegerField(default=2)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    settle_by = models.CharField(max_length=10, choices=SettleBy, default=SettleBy.UNANIMOUS)
    order = models.CharField(max_length=8, choices=Order, default=Order.PRIORITY)
    mask = models.BooleanField(default=False)
    hidden = models.JSONField(default=list, encoder=ReadableJSON)
    hold_minutes = models.PositiveSmallIntegerField(default=20)
    gold_every = models.PositiveSmallIntegerField(default=0)
    daily = models.PositiveSmallIntegerField(default=0)
    daily_prompt = models.CharField(max_length=300, blank=True)
    fills_from = models.JSONField(default=list)
    sampled_until = models.DateTimeField(null=True, blank=True)  # calls before it had their chance to be drawn
    turn = models.PositiveIntegerField(default=0)  # whose turn the rota is at
    edits = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("project", Lower("slug"), name="feedback_queue_slug_unique"),
            models.CheckConstraint(
                condition=models.Q(annotators_per_item__gte=1, annotators_per_item__lte=20),
                name="feedback_queue_annotators_in_range",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="feedback_queue_recent")]

    def __str__(self) -> str:
        return self.slug


class QueuePerson(models.Model):
    """Somebody who may label in a queue."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="people", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "user"], name="feedback_queue_person_once"),
        ]


class QueueItem(WithUid):
    """One thing to label: a copy of what labelers see, so that the answer stays readable when its source is gone.

    `seats` is how many people answer it (an item with `gold` has one for everybody). `priority` is higher where a
    label teaches more. `probability` is that of being drawn, for items drawn by lot; items that were picked have none
    and enter no rate.
    """

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"  # everybody answered; not settled
        SETTLED = "settled"

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items", db_index=False)
    source_kind = models.CharField(max_length=10)  # call, result or import
    source_uid = models.UUIDField()
    title = models.CharField(max_length=200, blank=True)
    snapshot = models.JSONField(encoder=ReadableJSON)
    gold = models.JSONField(null=True, encoder=ReadableJSON)
    version = models.ForeignKey(
        "prompts.Version", null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False
    )
    seats = models.PositiveSmallIntegerField()
    priority = models.FloatField(default=0)
    probability = models.FloatField(null=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    flag = models.CharField(max_length=500, blank=True)
    flagged_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["queue", "source_kind", "source_uid"], name="feedback_queue_item_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "done", "settled"]), name="feedback_queue_item_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(seats__gte=1, seats__lte=MOST_SEATS), name="feedback_queue_item_seats"
            ),
            models.CheckConstraint(
                condition=models.Q(probability=None) | models.Q(probability__gt=0, probability__lte=1),
                name="feedback_queue_item_probability",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["queue", "state", "-priority", "id"], name="feedback_queue_item_next"),
            models.Index(fields=["source_uid"], name="feedback_queue_item_source"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.uid)


class Seat(models.Model):
    """A person's place at an item: first a reservation, then the answer.

    `slot` counts places from 1 to `of`. The two unique constraints are what “N blind labels, nobody twice” means, on
    both databases and without a lock. A person who skipped keeps the row but frees the place: `slot` is empty.
    """

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(QueueItem, on_delete=models.CASCADE, related_name="taken", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    outsider = models.CharField(max_length=200, blank=True)  # who answered elsewhere, in imported labels
    slot = models.PositiveSmallIntegerField(null=True)
    of = models.PositiveSmallIntegerField()
    reserved_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "slot"], name="feedback_one_person_per_seat"),
            models.UniqueConstraint(fields=["item", "user"], name="feedback_one_seat_per_person"),
            models.UniqueConstraint(
                fields=["item", "outsider"], condition=~models.Q(outsider=""), name="feedback_one_seat_per_outsider"
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, outsider="") | (models.Q(user=None) & ~models.Q(outsider="")),
                name="feedback_seat_is_somebodys",
            ),
            models.CheckConstraint(
                condition=models.Q(slot=None) | models.Q(slot__gte=1, slot__lte=models.F("of")),
                name="feedback_seat_within_item",
            ),
            models.CheckConstraint(
                condition=models.Q(slot__isnull=False) | models.Q(done_at__isnull=False),
                name="feedback_only_skipped_has_no_slot",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "done_at", "expires_at"], name="feedback_seat_of_user"),
        ]

    @property
    def who(self) -> str:
        """The person's name, or that of whoever answered elsewhere."""
        return str(self.user) if self.user_id is not None else self.outsider
