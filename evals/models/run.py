"""Runs: what was asked, what came back, and what each evaluator said about it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from evals.models.dataset import DatasetVersion, Example, ReadableJSON
from evals.models.evaluator import EvaluatorVersion
from evals.models.run_group import RunGroup
from llmops.common import ids
from llmops.common.models import Immutable, WithUid
from llmops.projects.models import Project

MONEY: dict[str, Any] = {"max_digits": 14, "decimal_places": 8}


class Run(WithUid):
    """One version (or recorded outputs, or another run's) over one sealed dataset version, with evaluators and repeats.

    `reason` is a code that says why a run is paused, failed or cancelled; `problem` the same for people. Examples up to
    (`planned_position`, `planned_id`) have their work items; the rest get theirs as the work goes on. `priority` orders
    the runs of one project.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        CANCELLED = "cancelled"
        FAILED = "failed"

    ACTIVE = (State.PENDING, State.RUNNING)
    FINISHED = (State.DONE, State.CANCELLED, State.FAILED)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    group = models.ForeignKey(RunGroup, null=True, on_delete=models.CASCADE, related_name="runs")
    target = models.ForeignKey("prompts.Version", null=True, on_delete=models.CASCADE, related_name="+")
    recorded_column = models.CharField(max_length=200, blank=True)
    regrades = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="+"
    )  # whose outputs it takes
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="runs")
    split = models.CharField(max_length=40, blank=True)  # the run is over the rows of this split alone
    test_rows = models.PositiveIntegerField(default=0)  # how many rows of the test split it looks at
    connection = models.ForeignKey("gateway.Connection", null=True, on_delete=models.SET_NULL, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict, encoder=ReadableJSON)
    repeats = models.PositiveIntegerField(default=1)
    in_flight = models.PositiveIntegerField(default=20)
    priority = models.SmallIntegerField(default=0)
    use_cache = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=40, blank=True)
    problem = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0)
    planned_position = models.BigIntegerField(default=-1)
    planned_id = models.BigIntegerField(default=0)
    is_planned = models.BooleanField(default=False)
    cap_usd = models.DecimalField(null=True, **MONEY)
    call_usd = models.DecimalField(default=0, **MONEY)  # what one call may cost at most, reserved before it
    spent_usd = models.DecimalField(default=0, **MONEY)
    cancel_at = models.DateTimeField(null=True)
    provenance = models.JSONField(default=dict, encoder=ReadableJSON)
    summary = models.JSONField(
        null=True, encoder=ReadableJSON
    )  # figures of a finished run, kept so that pages are quick
    early_stop = models.JSONField(null=True, encoder=ReadableJSON)  # early_stops.Rule, and what came of it
    refused_writes = models.PositiveIntegerField(default=0)  # late results of work that somebody else had taken over
    by = models.CharField(max_length=255, blank=True)
    by_user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"], name="evals_run_recent"),
            models.Index(fields=["target", "-id"], name="evals_run_of_target"),
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["pending", "running", "paused"]),
                name="evals_run_active",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(target__isnull=False, recorded_column="", regrades=None)
                | (models.Q(target=None, regrades=None) & ~models.Q(recorded_column=""))
                | models.Q(target=None, recorded_column="", regrades__isnull=False),
                name="evals_run_target_or_recorded",
            ),
        ]

    def __str__(self) -> str:
        return ids.public("run", self.uid)

    @property
    def is_finished(self) -> bool:
        return self.state in self.FINISHED


class RunEvaluator(models.Model):
    """An evaluator of a run; `name` is what pages and the API call it, unique in its run."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="evaluators")
    evaluator_version = models.ForeignKey(EvaluatorVersion, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "evaluator_version"], name="evals_run_evaluator_unique"),
            models.UniqueConstraint(fields=["run", "name"], name="evals_run_evaluator_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Result(Immutable, WithUid):
    """One output of a run; `error_code` is empty when the model answered.

    `claims` counts how often the work was taken up, so that calls lost with a killed worker can be told.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="results")
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="+")
    example_key = models.UUIDField()
    repeat = models.PositiveIntegerField(default=0)
    output = models.TextField(blank=True)
    parts = models.JSONField(default=list, encoder=ReadableJSON)
    trace = models.JSONField(default=dict, encoder=ReadableJSON)
    latency_ms = models.PositiveIntegerField(null=True)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    cost_usd = models.DecimalField(null=True, **MONEY)
    model_answered = models.CharField(max_length=200, blank=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    from_cache = models.BooleanField(default=False)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    claims = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            # The last wall: whatever workers do, an example has one result per repeat.
            models.UniqueConstraint(fields=["run", "example", "repeat"], name="evals_result_unique"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "example_key"], name="evals_result_of_example"),
            models.Index(fields=["run"], condition=~models.Q(error_code=""), name="evals_result_failed"),
        ]

    def __str__(self) -> str:
        return ids.public("res", self.uid)


class Score(Immutable):
    """One evaluator's verdict on one result. Only `scored` rows have a value; the others say why in `reason`."""

    class State(models.TextChoices):
        SCORED = "scored"
        UNSCORED = "unscored"
        ERROR = "error"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="scores")
    evaluator_version = models.ForeignKey(EvaluatorVersion, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=State)
    value = models.FloatField(null=True)
    passed = models.BooleanField(null=True)
    category = models.CharField(max_length=100, blank=True)
    reason = models.TextField(blank=True)
    cost_usd = models.DecimalField(null=True, **MONEY)
    model_asked = models.CharField(max_length=200, blank=True)  # of a judge
    model_answered = models.CharField(max_length=200, blank=True)
    from_cache = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "evaluator_version"], name="evals_score_unique"),
            models.CheckConstraint(
                condition=models.Q(state="scored", value__isnull=False) | ~models.Q(state="scored"),
                name="evals_scored_has_value",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "evaluator_version", "value", "id"], name="evals_score_worst_first"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.value}"


class JudgeVote(Immutable):
    """One answer of a judge that is asked more than once about a result: in both orders, or as one of a panel.

    `part` counts the answers from 0; all parts of a result together become its score. `category` is the verdict about
    the output itself, whichever place it stood at.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="votes")
    evaluator_version = models.ForeignKey(EvaluatorVersion, on_delete=models.CASCADE, related_name="+")
    part = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=Score.State)
    value = models.FloatField(null=True)
    passed = models.BooleanField(null=True)
    category = models.CharField(max_length=100, blank=True)
    reason = models.TextField(blank=True)
    cost_usd = models.DecimalField(null=True, **MONEY)
    model_asked = models.CharField(max_length=200, blank=True)
    model_answered = models.CharField(max_length=200, blank=True)
    from_cache = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["result", "evaluator_version", "part"], name="evals_vote_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "evaluator_version"], name="evals_vote_of_run")]

    def __str__(self) -> str:
        return f"{self.part}: {self.state} {self.category}"
