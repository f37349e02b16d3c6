"""Background work of evals: each task makes one call, and may run twice."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from evals.services import checkups, imports, measuring, proposals, schedules, shutdown, work
from llmops.common import jobs


@shared_task(name="evals.import_rows")
def import_rows(*, import_id: int, **_: object) -> None:
    """Read on in an import for a few seconds."""
    imports.work(import_id=import_id)


@shared_task(name="evals.continue_imports")
def continue_imports(**_: object) -> None:
    """Wake imports that nobody works on."""
    imports.continue_stalled(now=timezone.now())


@shared_task(name="evals.discard_uploads")
def discard_uploads(**_: object) -> None:
    """Throw away files that were uploaded and never imported."""
    imports.discard_uploads(now=timezone.now())


@shared_task(name="evals.work", expires=60)
def work_on_runs(**_: object) -> None:
    """Keep calls of all active runs in flight; a slice whose time is up starts its successor."""
    if work.run_slice(stop=shutdown.is_asked):
        jobs.enqueue(work.TASK)


@shared_task(name=measuring.TASK)
def measure_run(*, run_id: int, **_: object) -> None:
    """Make the figures of a whole run."""
    measuring.work(run_id=run_id)


@shared_task(name="evals.continue_measuring")
def continue_measuring(**_: object) -> None:
    """Wake finished runs that nobody has measured."""
    measuring.ask_again(now=timezone.now())


@shared_task(name="evals.reconcile")
def reconcile_runs(**_: object) -> None:
    """Repair what dead workers left, and wake workers when there is something to do."""
    work.reconcile()


@shared_task(name="evals.check_dataset")
def check_dataset(*, checkup_id: int, **_: object) -> None:
    """Let the doctor look at a dataset."""
    from evals.services import examining  # noqa: PLC0415 - numpy stays out of web processes

    examining.work(checkup_id=checkup_id)


@shared_task(name="evals.continue_checkups")
def continue_checkups(**_: object) -> None:
    """Wake looks at datasets that nobody works on."""
    checkups.continue_stalled(now=timezone.now())


@shared_task(name="evals.propose_rows")
def propose_rows(*, request_id: int, **_: object) -> None:
    """Ask a model for new rows."""
    from evals.services import proposing  # noqa: PLC0415 - numpy stays out of web processes

    proposing.work(request_id=request_id)


@shared_task(name="evals.sweep_proposals")
def sweep_proposals(**_: object) -> None:
    """Fail the requests that nobody will finish."""
    now = timezone.now()
    proposals.give_up_on_lost(older_than=now - timedelta(minutes=5), now=now)


@shared_task(name="evals.start_scheduled")
def start_scheduled(**_: object) -> None:
    """Start the runs of schedules that are due or saw a change."""
    schedules.start_due(now=timezone.now())
