"""Start runs, and cancel or resume them. The calls themselves are made by workers from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from evals.models import EvaluatorVersion, Run, RunEvaluator, RunGroup, WorkItem
from evals.queries import datasets as dataset_queries
from evals.queries import evaluators as evaluator_queries
from evals.queries import looks
from evals.services import datasets, run_estimates, run_provenance, run_requests
from evals.services.run_requests import Wanted
from llmops.audit import services as audit
from llmops.common import jobs
from llmops.common.actors import Actor
from llmops.common.errors import Conflict
from llmops.projects.models import Project

TASK = "evals.work"


@transaction.atomic
def start(
    *, project: Project, wanted: Wanted, by: Actor, now: datetime | None = None, group: RunGroup | None = None
) -> Run:
    """Pin everything that the run depends on, and hand it to the workers.

    :raises Invalid: naming each field that is not acceptable.
    :raises NotFound: when the dataset has no such version.
    """
    now = now or timezone.now()
    ready = run_requests.ready(project, wanted, by)
    number = wanted.regrades.dataset_version.number if wanted.regrades else wanted.dataset_version
    pinned = datasets.pin(dataset=wanted.dataset, by=by, now=now, number=number)
    examples = run_requests.examples_of(wanted, pinned)
    estimated = run_estimates.estimate_of(ready, pinned, examples)
    run = Run.objects.create(
        project=project,
        group=group,
        target=wanted.version,
        recorded_column=wanted.recorded,
        regrades=wanted.regrades,
        dataset_version=pinned,
        connection=ready.connection,
        model=ready.model,
        parameters=ready.parameters,
        repeats=wanted.repeats,
        in_flight=wanted.concurrency,
        priority=wanted.priority,
        use_cache=wanted.use_cache,
        total=examples * wanted.repeats,
        split=wanted.split,
        test_rows=looks.rows_seen(pinned, wanted.split),
        cap_usd=wanted.max_cost_usd,
        call_usd=estimated.call_usd,
        early_stop=None if ready.rule is None else ready.rule.as_json(),
        provenance=run_provenance.provenance_of(ready, pinned, estimated),
        by=by.text,
        by_user_id=by.user_id,
        created_at=now,
    )
    _add_evaluators(run, ready.evaluators)
    audit.record("run.started", by=by, target=run, dataset=wanted.dataset.slug, examples=examples)
    jobs.enqueue(TASK)
    return run


def next_look(wanted: Wanted) -> looks.Look | None:
    """Which look at the dataset's test split the run would be; None when it would see no test rows."""
    version = (
        dataset_queries.newest_version(wanted.dataset)
        if wanted.dataset_version is None
        else dataset_queries.version_of(wanted.dataset, wanted.dataset_version)
    )
    if version is None or wanted.version is None:
        return None
    return looks.next_look(wanted.version.artifact, version, wanted.split)


@transaction.atomic
def cancel(*, run: Run, by: Actor, now: datetime | None = None) -> Run:
    """Start nothing more; what is in flight is stored when it comes. A finished run stays as it is."""
    now = now or timezone.now()
    changed = Run.objects.filter(pk=run.pk, state__in=[*Run.ACTIVE, Run.State.PAUSED]).update(
        state=Run.State.CANCELLED, reason="cancelled", cancel_at=now, finished_at=now
    )
    if changed:
        audit.record("run.cancelled", by=by, target=run)
        WorkItem.objects.filter(run=run, state=WorkItem.State.PENDING).delete()
    run.refresh_from_db()
    return run


@transaction.atomic
def resume(*, run: Run, by: Actor, max_cost_usd: Decimal | None = None) -> Run:
    """Go on with a paused run, with a new cap if one is given.

    :raises Conflict: when it is not paused.
    """
    changes: dict[str, Any] = {"state": Run.State.RUNNING, "reason": "", "problem": ""}
    if max_cost_usd is not None:
        changes["cap_usd"] = max_cost_usd
    if not Run.objects.filter(pk=run.pk, state=Run.State.PAUSED).update(**changes):
        raise Conflict("Only a paused run can be resumed.", code="not_paused")
    WorkItem.objects.filter(run=run, state=WorkItem.State.PENDING).update(next_at=timezone.now())
    audit.record("run.resumed", by=by, target=run)
    jobs.enqueue(TASK)
    run.refresh_from_db()
    return run


def _add_evaluators(run: Run, versions: Sequence[EvaluatorVersion]) -> None:
    """Two configurations of one metric get a number, so that a name means one evaluator of the run."""
    names: dict[str, int] = {}
    rows = []
    for version in versions:
        name = evaluator_queries.name_of(version)[:180]
        names[name] = names.get(name, 0) + 1
        shown = name if names[name] == 1 else f"{name}-{names[name]}"
        rows.append(RunEvaluator(project_id=run.project_id, run=run, evaluator_version=version, name=shown))
    RunEvaluator.objects.bulk_create(rows)
