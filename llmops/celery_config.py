"""Celery's configuration from Django's settings, and the beat schedule: task name and seconds between."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from kombu.transport import sqlalchemy as embedded_broker

globals().update(settings.CELERY)

# kombu has no option for this: the embedded broker would look only once a second.
embedded_broker.Transport.polling_interval = 0.1


def every(seconds: float, task: str) -> dict[str, dict[str, Any]]:
    """One line of the schedule. A tick that finds its predecessor unfinished must do no harm."""
    return {task: {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 5)}}}


beat_schedule: dict[str, dict[str, Any]] = {
    **every(60, "projects.mail_notifications"),
    **every(600, "projects.remove_deleted"),
    **every(60, "prompts.sweep_tryouts"),
    **every(600, "common.tidy_broker"),
    **every(3600, "gateway.upkeep"),
    **every(3600, "feedback.upkeep"),
    **every(900, "feedback.label_daily"),
    **every(30, "feedback.gather_traces"),
    **every(15, "feedback.compute_hours"),
    **every(5, "feedback.describe_items"),
    **every(5, "evals.reconcile"),
    **every(15, "evals.start_scheduled"),
    **every(60, "evals.continue_measuring"),
    **every(15, "evals.continue_imports"),
    **every(3600, "evals.discard_uploads"),
    **every(15, "evals.continue_checkups"),
    **every(60, "evals.sweep_proposals"),
    **every(15, "feedback.continue_sorting"),
    **every(15, "feedback.continue_erasures"),
    **every(300, "feedback.sort_new"),
    **every(60, "feedback.sweep_drafts"),
}
