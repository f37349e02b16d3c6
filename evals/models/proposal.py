"""Rows that a model proposes for a dataset, and what people decided about each."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from evals.models.dataset import Dataset, ReadableJSON
from evals.models.run import MONEY, Run
from llmops.common.models import WithUid
from llmops.projects.models import Project


class ProposalRequest(WithUid):
    """One question to a model for new rows: what it was asked (`messages`), what it said (`answer`), what it cost.

    `problems` names the proposed rows that were no acceptable examples.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Source(models.TextChoices):
        DESCRIPTION = "description", "A description"
        HARD_ROWS = "hard_rows", "Rows that failed in a run"
        TAGS = "tags", "Topics with few rows"

    ACTIVE = (State.WAITING, State.RUNNING)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="proposal_requests")
    source = models.CharField(max_length=12, choices=Source)
    description = models.TextField(blank=True)
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="+")
    tags = models.JSONField(default=list, encoder=ReadableJSON)
    wanted = models.PositiveSmallIntegerField()
    split = models.CharField(max_length=40, blank=True)
    connection_name = models.CharField(max_length=120)
    model = models.CharField(max_length=200)
    messages = models.JSONField(default=list, encoder=ReadableJSON)
    schema = models.JSONField(default=dict, encoder=ReadableJSON)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    answer = models.TextField(blank=True)
    error = models.TextField(blank=True)
    problems = models.JSONField(default=list, encoder=ReadableJSON)
    model_answered = models.CharField(max_length=200, blank=True)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost_usd = models.DecimalField(null=True, **MONEY)
    latency_ms = models.PositiveIntegerField(null=True)
    by = models.CharField(max_length=255, blank=True)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"], name="evals_proposal_request_recent"),
            models.Index(fields=["dataset", "-id"], name="evals_proposal_request_of"),
        ]

    def __str__(self) -> str:
        return f"proposals for {self.dataset}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE


class Proposal(WithUid):
    """One proposed row. `content` has the parts of an example; `like` is the existing row that it repeats, if any."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        ACCEPTED = "accepted"
        REFUSED = "refused"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    request = models.ForeignKey(ProposalRequest, on_delete=models.CASCADE, related_name="proposals")
    position = models.PositiveSmallIntegerField()
    content = models.JSONField(encoder=ReadableJSON)
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    is_edited = models.BooleanField(default=False)
    like_key = models.UUIDField(null=True)
    like_position = models.PositiveSmallIntegerField(null=True)  # of an earlier proposal of the same request
    likeness = models.FloatField(null=True)
    example_key = models.UUIDField(null=True)
    decided_by = models.CharField(max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "position"], name="evals_proposal_position"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.content.get('inputs')}"
