"""What workers do to a run: pause it, fail it, finish it, and tell people."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError, transaction
from django.urls import reverse
from django.utils import timezone

from evals.models import Run, RunGroup, WorkItem
from evals.queries import runs as run_queries
from evals.services import measuring, sign_offs
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import SYSTEM
from llmops.projects.services import notifications

logger = logging.getLogger(__name__)


def pause(*, run_id: int, reason: str, problem: str) -> None:
    """Stop taking up items, for a reason that somebody has to see to."""
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state not in Run.ACTIVE:
            return
        Run.objects.filter(pk=run_id).update(state=Run.State.PAUSED, reason=reason[:40], problem=problem)
        audit.record("run.paused", by=SYSTEM, target=run, reason=reason)
        _tell(run, "run_paused", f"The run over {run.dataset_version.dataset.slug} is paused: {problem}")


def fail(*, run_id: int, reason: str, problem: str) -> None:
    """The run cannot be worked on at all."""
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state not in Run.ACTIVE:
            return
        Run.objects.filter(pk=run_id).update(
            state=Run.State.FAILED, reason=reason[:40], problem=problem, finished_at=timezone.now()
        )
        WorkItem.objects.filter(run=run).delete()
        audit.record("run.failed", by=SYSTEM, target=run, reason=reason)
        _tell(run, "run_failed", f"The run over {run.dataset_version.dataset.slug} failed: {problem}")


def give_up(*, run_id: int, error: Exception) -> None:
    """Fail a run on which the platform itself fails, so that all others go on; the log has the trace.

    :raises OperationalError, InterfaceError: when the database is away.
    """
    logger.error("runs.given_up", exc_info=error, extra={"run": run_id})
    problem = f"The platform failed while working on this run ({type(error).__name__}); its log says where."
    try:
        fail(run_id=run_id, reason="internal", problem=problem)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # even what fail does besides must not keep a broken run at work
        logger.exception("runs.not_failed_properly", extra={"run": run_id})
        Run.objects.filter(pk=run_id, state__in=Run.ACTIVE).update(
            state=Run.State.FAILED, reason="internal", problem=problem, finished_at=timezone.now()
        )


def finish_if_complete(*, run_id: int) -> bool:
    """Close a run whose items are all done: figures kept, items gone, people told. Safe to call at any time."""
    open_items = WorkItem.objects.filter(run_id=run_id, state__in=[WorkItem.State.PENDING, WorkItem.State.LEASED])
    is_complete = Run.objects.filter(pk=run_id, state__in=Run.ACTIVE, is_planned=True)
    if open_items.exists() or not is_complete.exists():
        return False
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("dataset_version__dataset").get(pk=run_id)
        if run.state not in Run.ACTIVE or open_items.exists():
            return False
        run.state, run.finished_at = Run.State.DONE, timezone.now()
        run.summary = run_queries.computed_summary(run).as_json()
        run.save(update_fields=["state", "finished_at", "summary"])
        WorkItem.objects.filter(run=run).delete()
        measuring.ask(run)
        audit.record("run.finished", by=SYSTEM, target=run)
        asked = sign_offs.ask(run=run, now=run.finished_at)
        if asked is None or asked != run.by_user_id:
            _tell(run, "run_finished", f"The run over {run.dataset_version.dataset.slug} is done.")
    return True


def clear_cancelled() -> None:
    """Remove what is left of cancelled runs once nothing of theirs is in flight, and keep their figures."""
    for run in Run.objects.filter(state=Run.State.CANCELLED, summary__isnull=True).order_by("id")[:50]:
        if WorkItem.objects.filter(run=run, state=WorkItem.State.LEASED).exists():
            continue
        try:
            _clear(run)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # one broken run must not keep the others from being cleared
            logger.exception("runs.not_cleared", extra={"run": run.pk})


@transaction.atomic
def _clear(run: Run) -> None:
    summary = run_queries.computed_summary(run).as_json()
    Run.objects.filter(pk=run.pk, state=Run.State.CANCELLED).update(summary=summary)
    WorkItem.objects.filter(run=run).delete()


def _tell(run: Run, kind: str, text: str) -> None:
    if run.by_user_id is None:
        return
    if run.group_id is not None:
        _tell_of_group(run, kind)
        return
    url = reverse("evals:run-detail", args=[run.project.slug, ids.public("run", run.uid)])
    notifications.notify(project=run.project, users=[run.by_user_id], kind=kind, text=text, url=url, now=timezone.now())


def _tell_of_group(run: Run, kind: str) -> None:
    """One line for a matrix: when nothing of it is at work any more."""
    group = RunGroup.objects.select_for_update().get(pk=run.group_id or 0)
    states = set(Run.objects.filter(group=group).values_list("state", flat=True))
    if states & set(Run.ACTIVE):
        return
    stopped = bool(states & {Run.State.PAUSED, Run.State.FAILED})
    text = f"The matrix {group.name} {'stopped: some of its runs need you.' if stopped else 'is done.'}"
    url = reverse("evals:run-group", args=[run.project.slug, ids.public("grp", group.uid)])
    kind = "run_paused" if stopped else kind
    notifications.notify(
        project=run.project, users=[run.by_user_id or 0], kind=kind, text=text, url=url, now=timezone.now()
    )
