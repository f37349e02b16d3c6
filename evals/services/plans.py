"""What a worker needs to know of a run to do its items: read once, used for every item."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evals import judges, metrics
from evals.metrics import Embedder, Grader, Outcome
from evals.models import EvaluatorVersion, Example, Run, RunEvaluator
from evals.queries import datasets
from evals.queries import runs as run_queries
from llmops.common.errors import DomainError, Invalid
from llmops.gateway import queries as gateway_queries
from llmops.gateway import registry
from llmops.gateway.client import ConnectionConfig
from llmops.gateway.models import Connection
from llmops.gateway.pricing import Rates
from llmops.gateway.services import connections
from llmops.gateway.types import CompletionRequest, EmbeddingRequest, Message
from prompts import queries as prompt_queries
from prompts.models import Version
from prompts.services import execution
from prompts.services.execution import Compiled

Json = Any


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """A metric of the run, ready to score."""

    version_id: int
    score: Grader


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A prompt on a model: the run's target, or a judge's rubric."""

    compiled: Compiled
    config: ConnectionConfig
    model: str
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model that places texts."""

    config: ConnectionConfig
    model: str


On = ModelPlan | EmbeddingModel


@dataclass(frozen=True, slots=True)
class JudgePart:
    """One of the calls that a judge makes about an output; `swapped` when the baseline's answer comes first.

    `is_check`: the reference is a false one, and the answer no vote but a test of the judge's first one.
    """

    on: ModelPlan
    swapped: bool = False
    is_check: bool = False


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """A judge of the run; its calls are work items of their own, one for each part.

    `baseline_run` is the key of the run whose outputs a pairwise judge compares with, `baseline_column` the column.
    """

    version_id: int
    parts: tuple[JudgePart, ...]
    scale: judges.Scale
    baseline_run: int | None = None
    baseline_column: str = ""

    @property
    def calls(self) -> tuple[On, ...]:
        return tuple(part.on for part in self.parts)


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """A metric of the run that compares embeddings; `is_offered` is False where the connection can have none."""

    version_id: int
    on: EmbeddingModel
    embedder: Embedder
    is_offered: bool = True

    @property
    def calls(self) -> tuple[On, ...]:
        return (self.on,)


AskingPlan = JudgePlan | EmbeddingPlan


@dataclass(frozen=True, slots=True)
class Settled:
    """A score that is clear without a call."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run, ready to be worked on. Exactly one of `target`, `recorded_column` and `regrades` is set.

    `judges` are all evaluators whose scores need calls of their own, by their key.
    """

    run_id: int
    run_uid: uuid.UUID
    project_id: int
    prices: Mapping[str, Rates]
    target: ModelPlan | None
    recorded_column: str
    regrades: int | None
    metrics: tuple[MetricPlan, ...]
    judges: Mapping[int, AskingPlan]


def of(run: Run) -> RunPlan:
    """:raises DomainError: when something that the run needs is gone or no longer readable."""
    scorers: list[MetricPlan] = []
    judging: dict[int, AskingPlan] = {}
    for line in RunEvaluator.objects.filter(run=run).select_related("evaluator_version__project").order_by("id"):
        version = line.evaluator_version
        if version.asks_model:
            judging[version.pk] = asking(version)
        else:
            scorers.append(MetricPlan(version.pk, metrics.scorer(version.spec)))
    return RunPlan(
        run_id=run.pk,
        run_uid=run.uid,
        project_id=run.project_id,
        prices=gateway_queries.price_overrides(run.project_id),
        target=None if run.target_id is None else _target(run),
        recorded_column=run.recorded_column,
        regrades=run.regrades_id,
        metrics=tuple(scorers),
        judges=judging,
    )


def _target(run: Run) -> ModelPlan:
    if run.connection is None:
        raise Invalid("The connection of this run was removed.", code="no_connection")
    version = prompt_queries.version_by_id(run.project, run.target_id or 0)
    return target_of(version, run.connection, run.model, run.parameters)


def target_of(version: Version, connection: Connection, model: str, parameters: Mapping[str, Json]) -> ModelPlan:
    """:raises DomainError: when the connection was removed, or the version cannot be read."""
    return ModelPlan(execution.compiled(version), _config(connection), model, parameters)


def _config(connection: Connection) -> ConnectionConfig:
    if connection.archived_at is not None:
        raise Invalid(f"The connection “{connection.name}” was removed.", code="no_connection")
    return connections.config_of(connection)


def asking(version: EvaluatorVersion) -> AskingPlan:
    """The plan of an evaluator that asks a model.

    :raises DomainError: when its rubric, connection or model cannot be found.
    """
    return embedding(version) if version.judge_id is None else judge(version)


def embedding(version: EvaluatorVersion) -> EmbeddingPlan:
    """:raises DomainError: when its connection or model cannot be found, or offers no embeddings and nothing else may
    compare.
    """
    embedder = metrics.embedder(version.spec)
    wanted = embedder.params
    connection = gateway_queries.connection_in(version.project, wanted.connection)
    kind = registry.KINDS.get(connection.kind)
    is_offered = kind is not None and kind.embeds
    if not is_offered and not embedder.has_fallback:
        raise Invalid(
            f"The connection “{connection.name}” offers no embeddings: name another one, or a fallback.",
            code="no_embeddings",
        )
    model = wanted.model or (kind.embedding_model if kind else "")
    if is_offered and not model:
        raise Invalid(f"“{version.title}” names no model, and the connection has no usual one.", code="no_model")
    return EmbeddingPlan(version.pk, EmbeddingModel(_config(connection), model), embedder, is_offered)


def judge(version: EvaluatorVersion) -> JudgePlan:
    """:raises DomainError: when its rubric, connection or model cannot be found."""
    rubric = prompt_queries.version_by_id(version.project, version.judge_id or 0)
    compiled = execution.compiled(rubric)
    scale = judges.scale_of(version.spec)
    own = judges.Panelist(version.spec.get("connection", ""), version.model)
    parts = []
    for one in (own, *judges.panel_of(version.spec)):
        connection = gateway_queries.connection_in(version.project, one.connection or own.connection)
        model = one.model or compiled.spec.model or connection.model
        if not model:
            raise Invalid(f"The judge “{version.title}” names no model.", code="no_model")
        on = ModelPlan(compiled, _config(connection), model, compiled.spec.parameters)
        parts += [JudgePart(on), JudgePart(on, swapped=True)] if scale.is_pairwise else [JudgePart(on)]
    if version.spec.get("counterfactual"):
        parts.append(JudgePart(parts[0].on, is_check=True))
    baseline = judges.baseline_of(version.spec)
    run = run_queries.run_in(version.project, baseline.run).pk if baseline and baseline.run else None
    return JudgePlan(version.pk, tuple(parts), scale, run, baseline.column if baseline else "")


def target_request(plan: ModelPlan, example: Example) -> CompletionRequest:
    """:raises DomainError: when the example lacks an input, or the text grows too long."""
    messages = plan.compiled.messages(example.inputs)
    spec = plan.compiled.spec
    return CompletionRequest(
        model=plan.model,
        messages=tuple(Message(message.role, message.content) for message in messages),
        parameters=plan.parameters,
        tools=spec.tools,
        response_schema=spec.outputs if isinstance(spec.outputs, dict) and spec.outputs else None,
    )


def asking_request(
    plan: AskingPlan, *, output: str, example: Example, part: int = 0, baseline: str | None = None
) -> CompletionRequest | EmbeddingRequest | Settled:
    """What an evaluator asks about an output, or its score where that is clear without asking.

    :raises DomainError: as `judge_request` does.
    """
    if isinstance(plan, JudgePlan):
        return judge_request(plan, output=output, example=example, part=part, baseline=baseline)
    compared = plan.embedder.texts(output, example.expected)
    if not isinstance(compared, tuple):
        return Settled(compared)
    if not plan.is_offered and (outcome := plan.embedder.without(compared)) is not None:
        return Settled(outcome)
    return EmbeddingRequest(plan.on.model, compared, plan.embedder.params.dimensions)


def judge_request(
    plan: JudgePlan, *, output: str, example: Example, part: int = 0, baseline: str | None = None
) -> CompletionRequest:
    """The request of one part; `baseline` is the other run's output, where a pairwise judge compares with a run.

    :raises DomainError: when the rubric cannot be filled, or there is nothing to compare with.
    """
    one = plan.parts[part]
    first, second = output, None
    if plan.scale.is_pairwise:
        other = _answer_in(example, plan.baseline_column) if plan.baseline_column else baseline
        if other is None:
            raise DomainError("There is no other answer to compare with.", code="no_baseline")
        first, second = (other, output) if one.swapped else (output, other)
    material = judges.material(
        output=first,
        second=second,
        expected=judges.false_reference(example.expected, output) if one.is_check else example.expected,
        inputs=example.inputs,
        contexts=[str(text) for text in example.contexts],
    )
    rendered = [message.as_json() for message in one.on.compiled.messages(material.values)]
    asked = judges.request(rendered, material.fence, plan.scale)
    return CompletionRequest(
        model=one.on.model,
        messages=tuple(Message(message["role"], message["content"]) for message in asked.messages),
        parameters=one.on.parameters,
        response_schema=asked.response_schema,
    )


def recorded_output(plan: RunPlan, example: Example) -> str:
    """The output that the dataset holds.

    :raises DomainError: when the example has none.
    """
    value = datasets.column(example, plan.recorded_column)
    if value is None:
        raise DomainError(f"The example has no “{plan.recorded_column}”.", code="no_output")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _answer_in(example: Example, column: str) -> str | None:
    """What a pairwise judge compares with: of several right answers the first one."""
    value = datasets.column(example, column)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        value = value[0]
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
