"""What somebody asks to run, and whether it can be: every field checked, every name found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evals.models import Dataset, DatasetVersion, EvaluatorVersion, Run
from evals.queries import datasets as dataset_queries
from evals.queries import early_stops
from evals.queries import runs as run_queries
from evals.services import evaluators, plans, stopping
from llmops.common.actors import Actor
from llmops.common.errors import DomainError, Invalid
from llmops.gateway import queries as gateway_queries
from llmops.gateway.models import Connection
from llmops.projects.models import Project
from prompts.models import Version

MOST_REPEATS = 100
MOST_IN_FLIGHT = 200
DEFAULT_IN_FLIGHT = 20
PRIORITIES = {"low": -1, "normal": 0, "high": 1}
MOST_PARAMETERS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks to run: exactly one of `version`, `recorded` and `regrades` (a run whose outputs count).

    `evaluators` are slugs or inline configurations; `dataset_version` None means the newest, sealed by the run. With a
    `split` only its rows are run. `parameters` take the place of the prompt's own of the same name. `stop_early` is the
    id of an earlier run: this one ends when it is clear which of the two is better, or that this one is no worse by
    `margin`, in points of 100.
    """

    dataset: Dataset
    evaluators: Sequence[Any]
    version: Version | None = None
    recorded: str = ""
    regrades: Run | None = None
    dataset_version: int | None = None
    repeats: int = 1
    concurrency: int = DEFAULT_IN_FLIGHT
    model: str = ""
    connection: str = ""
    max_cost_usd: Decimal | None = None
    use_cache: bool = True
    priority: int = PRIORITIES["normal"]
    application_commit: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    stop_early: str = ""
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A wanted run after every part of it was found."""

    wanted: Wanted
    project: Project
    connection: Connection | None
    model: str
    parameters: Mapping[str, Any]
    evaluators: list[EvaluatorVersion]
    rule: early_stops.Rule | None


def ready(project: Project, wanted: Wanted, by: Actor) -> Ready:
    """Find every part of a wanted run; inline evaluators are made.

    :raises Invalid: naming each field that is not acceptable.
    """
    wrong: dict[str, str] = {}
    if sum([wanted.version is not None, bool(wanted.recorded), wanted.regrades is not None]) != 1:
        wrong["prompt"] = "give a prompt, or recorded: a column of the dataset, or regrades: a run"
    if wanted.regrades is not None:
        _check_regraded(wanted, wrong)
    # Imports and additions write the columns down: what the caller holds may be older.
    dataset = Dataset.objects.get(pk=wanted.dataset.pk)
    if wanted.recorded and not dataset_queries.has_column(dataset, wanted.recorded):
        wrong["recorded"] = f"{wanted.dataset.slug} has no column {wanted.recorded[:60]!r}"
    if not 1 <= wanted.repeats <= MOST_REPEATS:
        wrong["repeats"] = f"1 to {MOST_REPEATS}"
    if wanted.recorded and wanted.repeats != 1:
        wrong["repeats"] = "recorded outputs are scored once"
    if not 1 <= wanted.concurrency <= MOST_IN_FLIGHT:
        wrong["concurrency"] = f"1 to {MOST_IN_FLIGHT}"
    if wanted.max_cost_usd is not None and not 0 < wanted.max_cost_usd < 1_000_000:
        wrong["max_cost_usd"] = "more than 0 and less than 1,000,000"
    if wanted.priority not in PRIORITIES.values():
        wrong["priority"] = f"one of {', '.join(PRIORITIES)}"
    if problem := _parameters_problem(wanted):
        wrong["parameters"] = problem
    connection, model, parameters = None, "", {}
    if wanted.version is not None:
        connection = _connection(project, wanted.connection, wrong)
        spec = wanted.version.content.prompt
        parameters = {**spec.parameters, **wanted.parameters}
        model = wanted.model or spec.model or (connection.model if connection else "")
        if not model:
            wrong["model"] = "the prompt names no model and the connection has none: give one"
        elif len(model) > 200:
            wrong["model"] = "at most 200 characters"
    versions: list[EvaluatorVersion] = []
    try:
        versions = evaluators.resolve(project=project, wanted=wanted.evaluators, by=by)
        for place, version in enumerate(versions):
            if version.asks_model:
                _check_asking(version, place, wrong)
    except Invalid as error:
        wrong |= error.fields or {"evaluators": error.message}
    rule = stopping.rule(
        project=project,
        baseline=wanted.stop_early,
        margin=wanted.margin,
        dataset=dataset,
        evaluators=versions,
        wrong=wrong,
    )
    if wrong:
        raise Invalid("The run is not acceptable.", fields=wrong)
    return Ready(wanted, project, connection, model, parameters, versions, rule)


def examples_of(wanted: Wanted, pinned: DatasetVersion) -> int:
    """How many rows the run is over.

    :raises Invalid: when the split has none.
    """
    count = pinned.examples if not wanted.split else run_queries.rows_of(pinned, wanted.split).count()
    if not count:
        splits = [name for name in dataset_queries.splits_of(wanted.dataset, pinned.number) if name]
        there = f"; it has {', '.join(splits[:10])}" if splits else "; no row has a split"
        reason = f"v{pinned.number} has no rows of the split “{wanted.split[:40]}”{there}"
        raise Invalid("The run is not acceptable.", fields={"split": reason})
    return count


def _check_regraded(wanted: Wanted, wrong: dict[str, str]) -> None:
    earlier = wanted.regrades
    assert earlier is not None
    if not earlier.is_finished:
        wrong["regrades"] = "the run is still at work"
    if earlier.dataset_version.dataset_id != wanted.dataset.pk:
        wrong["dataset"] = f"the run was over {earlier.dataset_version.dataset.slug}"
    if wanted.dataset_version not in (None, earlier.dataset_version.number):
        wrong["dataset_version"] = f"the run was over version {earlier.dataset_version.number}"
    if wanted.repeats != earlier.repeats:
        wrong["repeats"] = f"the run has {earlier.repeats}"


def _parameters_problem(wanted: Wanted) -> str:
    if wanted.recorded and wanted.parameters:
        return "recorded outputs call no model"
    if len(wanted.parameters) > MOST_PARAMETERS:
        return f"at most {MOST_PARAMETERS}"
    if any(not isinstance(name, str) or not 0 < len(name) <= 100 for name in wanted.parameters):
        return "names of 1 to 100 characters"
    return ""


def _connection(project: Project, name: str, wrong: dict[str, str]) -> Connection | None:
    try:
        return gateway_queries.connection_in(project, name)
    except DomainError as error:
        wrong["connection"] = error.message
        return None


def _check_asking(version: EvaluatorVersion, place: int, wrong: dict[str, str]) -> None:
    try:
        plans.asking(version)
    except DomainError as error:
        wrong[f"evaluators[{place}]"] = error.message
