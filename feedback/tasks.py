"""Tasks of feedback."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from feedback.services import clusterings, daily, describing, erasures, hours, theme_drafts, traces, upkeep


@shared_task(name="feedback.upkeep")
def run_upkeep(**_: object) -> None:
    """Apply every project's retention and say once a day what waits in its inbox."""
    upkeep.run(now=timezone.now())


@shared_task(name="feedback.label_daily")
def label_daily(**_: object) -> None:
    """Draw each queue's sample of yesterday once, and bring the human figures up to date."""
    daily.run(now=timezone.now())


@shared_task(name="feedback.gather_traces")
def gather_traces(**_: object) -> None:
    """Make calls of traces whose head has not come in time."""
    traces.gather_abandoned(now=timezone.now())


@shared_task(name="feedback.compute_hours")
def compute_hours(**_: object) -> None:
    """Bring the rollups of marked hours up to date."""
    hours.compute_dirty(now=timezone.now())


@shared_task(name="feedback.sort_complaints")
def sort_complaints(*, clustering_id: int, **_: object) -> None:
    """Sort complaints into themes."""
    from feedback.services import sorting  # noqa: PLC0415 - numpy and scikit-learn stay out of web processes

    sorting.work(clustering_id=clustering_id)


@shared_task(name="feedback.continue_sorting")
def continue_sorting(**_: object) -> None:
    """Wake sortings that nobody works on."""
    clusterings.continue_stalled(now=timezone.now())


@shared_task(name="feedback.sort_new")
def sort_new(**_: object) -> None:
    """Start a sorting in every project with new complaints."""
    clusterings.start_due(now=timezone.now())


@shared_task(name="feedback.erase_end_user")
def erase_end_user(*, erasure_id: int, **_: object) -> None:
    """Go on with the deletion of an end user's data."""
    erasures.work(erasure_id=erasure_id)


@shared_task(name="feedback.continue_erasures")
def continue_erasures(**_: object) -> None:
    """Wake deletions that nobody works on."""
    erasures.continue_stalled(now=timezone.now())


@shared_task(name="feedback.draft_for_theme")
def draft_for_theme(*, draft_id: int, **_: object) -> None:
    """Ask a model for a theme's name or for a change to a prompt."""
    from feedback.services import theme_drafting  # noqa: PLC0415 - the providers' SDKs stay out of web processes

    theme_drafting.work(draft_id=draft_id)


@shared_task(name="feedback.sweep_drafts")
def sweep_drafts(**_: object) -> None:
    """Fail the drafts that nobody will finish, and forget what old ones quoted."""
    now = timezone.now()
    theme_drafts.give_up_on_lost(older_than=now - timedelta(minutes=5), now=now)
    theme_drafts.forget_old(now=now)


@shared_task(name="feedback.describe_items")
def describe_items(**_: object) -> None:
    """Copy what the inbox filters by onto items with new feedback."""
    describing.run(now=timezone.now())
