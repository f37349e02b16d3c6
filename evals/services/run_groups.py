"""Start runs of many kinds at once: each version on each model with each set of parameters."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from evals.models import Run, RunGroup
from evals.services import run_estimates, runs
from evals.services.run_estimates import Estimate
from evals.services.run_requests import Wanted
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, DomainError, Invalid
from llmops.projects.models import Project
from prompts.models import Version

MOST_CELLS = 60

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class OnModel:
    """A model by its name, on the connection of that name; empty names mean the defaults."""

    model: str = ""
    connection: str = ""


@dataclass(frozen=True, slots=True)
class Axes:
    """The three sides of a matrix; an empty side has one value, the wanted run's own."""

    versions: Sequence[Version] = ()
    models: Sequence[OnModel] = ()
    parameters: Sequence[Mapping[str, Any]] = ()


def cells(wanted: Wanted, axes: Axes) -> list[Wanted]:
    """Every combination as a run of its own, what was named twice once; none has a cap of its own.

    :raises Invalid: when there are more than MOST_CELLS.
    """
    versions: list[Version | None] = list({version.pk: version for version in axes.versions}.values()) or [
        wanted.version
    ]
    models = list(dict.fromkeys(axes.models)) or [OnModel(wanted.model, wanted.connection)]
    parameters = _distinct(axes.parameters) or [wanted.parameters]
    count = len(versions) * len(models) * len(parameters)
    if count > MOST_CELLS:
        raise Invalid(f"That makes {count:,} runs.", fields={"matrix": f"at most {MOST_CELLS} combinations"})
    return [
        replace(wanted, version=version, model=on.model, connection=on.connection, parameters=chosen, max_cost_usd=None)
        for version, on, chosen in itertools.product(versions, models, parameters)
    ]


@transaction.atomic
def start(
    *, project: Project, wanted: Wanted, axes: Axes, by: Actor, name: str = "", now: datetime | None = None
) -> RunGroup:
    """Start every cell over the same version of the dataset; `wanted.max_cost_usd` caps all of them together.

    :raises Invalid: naming the field that is not acceptable, in any of the cells; then none is started.
    """
    now = now or timezone.now()
    _check_cap(wanted)
    wished = cells(wanted, axes)
    group = RunGroup.objects.create(
        project=project, name=name.strip()[:200] or _name(wanted), cap_usd=wanted.max_cost_usd, by=by.text,
        by_user_id=by.user_id, created_at=now,
    )  # fmt: skip
    number = wanted.dataset_version
    for cell in wished:
        try:
            run = runs.start(project=project, wanted=replace(cell, dataset_version=number), by=by, now=now, group=group)
        except DomainError as error:
            raise _of_cell(cell, error) from None
        number = run.dataset_version.number  # the first one sealed it; the others must not see a later one
    audit.record("run_group.started", by=by, target=group, text=group.name, runs=len(wished))
    return group


def estimate(*, project: Project, wanted: Wanted, axes: Axes, by: Actor) -> tuple[int, Estimate]:
    """How many runs, and what they would cost together; changes nothing.

    :raises Invalid: as `start` does.
    """
    _check_cap(wanted)
    found = []
    for cell in cells(wanted, axes):
        try:
            found.append(run_estimates.estimate(project=project, wanted=cell, by=by))
        except DomainError as error:
            raise _of_cell(cell, error) from None
    return len(found), together(found)


def together(found: Iterable[Estimate]) -> Estimate:
    """The sum of estimates; money is not known when that of one is not."""
    every = list(found)
    known = [one.cost_usd for one in every if one.cost_usd is not None]
    return Estimate(
        examples=max((one.examples for one in every), default=0),
        calls=sum(one.calls for one in every),
        judge_calls=sum(one.judge_calls for one in every),
        tokens_in=sum(one.tokens_in for one in every),
        tokens_out=sum(one.tokens_out for one in every),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(every) else None,
        call_usd=max((one.call_usd for one in every), default=Decimal(0)),
        note=next((one.note for one in every if one.note), ""),
    )


@transaction.atomic
def cancel(*, group: RunGroup, by: Actor) -> int:
    """Cancel every run that is not finished; returns how many."""
    going = list(group.runs.filter(state__in=[*Run.ACTIVE, Run.State.PAUSED]).order_by("pk"))
    for run in going:
        runs.cancel(run=run, by=by)
    if going:
        audit.record("run_group.cancelled", by=by, target=group, text=group.name, runs=len(going))
    return len(going)


@transaction.atomic
def resume(*, group: RunGroup, by: Actor, max_cost_usd: Decimal | None = None) -> int:
    """Go on with every paused run, under a new cap over the whole if one is given; returns how many.

    :raises Conflict: when none is paused.
    """
    paused = list(group.runs.filter(state=Run.State.PAUSED).order_by("pk"))
    if not paused:
        raise Conflict("No run of this matrix is paused.", code="not_paused")
    if max_cost_usd is not None:
        if not 0 < max_cost_usd < 1_000_000:
            raise Invalid("The limit is not acceptable.", fields={"max_cost_usd": "more than 0, less than 1,000,000"})
        RunGroup.objects.filter(pk=group.pk).update(cap_usd=max_cost_usd)
    for run in paused:
        runs.resume(run=run, by=by)
    return len(paused)


def _check_cap(wanted: Wanted) -> None:
    if wanted.max_cost_usd is not None and not 0 < wanted.max_cost_usd < 1_000_000:
        raise Invalid("The matrix is not acceptable.", fields={"max_cost_usd": "more than 0, less than 1,000,000"})


def _distinct(parameters: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({json.dumps(dict(one), sort_keys=True): one for one in parameters}.values())


def _name(wanted: Wanted) -> str:
    what = wanted.version.artifact.path if wanted.version is not None else wanted.recorded
    return f"{what} on {wanted.dataset.slug}"[:200]


def _of_cell(cell: Wanted, error: DomainError) -> DomainError:
    """The refusal, saying which combination it was about."""
    about = [cell.model and f"model {cell.model}", cell.connection and f"connection {cell.connection}"]
    words = ", ".join(word for word in about if word)
    return type(error)(f"{error.message} ({words})" if words else error.message, fields=error.fields, code=error.code)
