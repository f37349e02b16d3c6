"""Themes: what complaints have in common, how they were found, and what a model drafted about them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from evals.models import Dataset, Run
from llmops.common.leased import Leased
from llmops.common.models import WithUid
from llmops.projects.models import Project
from prompts.models import Artifact, Version


class Theme(WithUid):
    """A group of complaints. Its members are the inbox items that point at it; its size is counted, never kept.

    `slug` is made once and stays, so that tags of dataset rows stay right when the name changes. A name that a person
    gave or accepted is never replaced by code. A theme that was merged into another keeps its members as a core of
    their own and is shown under that one, one step deep: so what would have joined it still does. `pulls` is true
    after a split, until the next sorting has moved what is nearer to this theme than to the one it was split from.
    """

    class NamedBy(models.TextChoices):
        TERMS = "terms", "Top terms"
        MODEL = "model", "Proposed by a model, accepted by a person"
        HAND = "hand", "A person"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    slug = models.CharField(max_length=60)
    name = models.CharField(max_length=120)
    named_by = models.CharField(max_length=5, choices=NamedBy, default=NamedBy.TERMS)
    terms = models.JSONField(default=list)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    split_from = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    pulls = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "slug"], name="feedback_theme_slug"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tag(self) -> str:
        """The tag of dataset rows that belong to this theme."""
        return f"theme:{self.slug}"


class Clustering(WithUid, Leased):
    """One turn of sorting complaints into themes. `done` of `total` counts complaints that were looked at.

    `until_us` is the newest change of an inbox item that this turn saw: the next one begins there. A worker that dies
    is followed by one that begins anew; what was assigned already stays.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    phase = models.CharField(max_length=20, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    assigned = models.PositiveIntegerField(default=0)
    born = models.PositiveIntegerField(default=0)
    vectoriser = models.CharField(max_length=120, blank=True)
    since_us = models.BigIntegerField(default=0)
    until_us = models.BigIntegerField(default=0)
    by = models.CharField(max_length=255, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="feedback_clustering_recent")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="feedback_clustering_one_active",
            ),
        ]

    def __str__(self) -> str:
        return f"sorting of complaints, {self.state}"

    @property
    def percent(self) -> int:
        return min(100, 100 * self.done // self.total) if self.total else 0


class ThemeDraft(WithUid):
    """What a model drafted about a theme: a name, or a change to a prompt. It is nothing until a person says so.

    `content` is the drafted name, or the whole drafted prompt file; `base` is the version that the draft changes.
    An accepted prompt became `version`, and `baseline` and `candidate` are the runs that compare it with the live one.
    """

    class Kind(models.TextChoices):
        NAME = "name"
        PROMPT = "prompt"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Decision(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REFUSED = "refused"

    ACTIVE = (State.WAITING, State.RUNNING)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    theme = models.ForeignKey(Theme, on_delete=models.CASCADE, related_name="drafts")
    kind = models.CharField(max_length=6, choices=Kind)
    artifact = models.ForeignKey(Artifact, null=True, on_delete=models.CASCADE, related_name="+")
    base = models.ForeignKey(Version, null=True, on_delete=models.CASCADE, related_name="+")
    connection_name = models.CharField(max_length=120)
    model = models.CharField(max_length=200)
    messages = models.JSONField(default=list)
    schema = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    answer = models.TextField(blank=True)
    error = models.TextField(blank=True)
    content = models.TextField(blank=True)
    why = models.TextField(blank=True)
    model_answered = models.CharField(max_length=200, blank=True)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost_usd = models.DecimalField(null=True, max_digits=14, decimal_places=8)
    latency_ms = models.PositiveIntegerField(null=True)
    decision = models.CharField(max_length=8, choices=Decision, default=Decision.OPEN)
    decided_by = models.CharField(max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)
    version = models.ForeignKey(Version, null=True, on_delete=models.SET_NULL, related_name="+")
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="+")
    baseline = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    candidate = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    by = models.CharField(max_length=255, blank=True)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "theme", "kind", "-id"], name="feedback_draft_of_theme"),
        ]

    def __str__(self) -> str:
        return f"drafted {self.kind} for {self.theme}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    @property
    def is_open(self) -> bool:
        return self.state == self.State.DONE and self.decision == self.Decision.OPEN
