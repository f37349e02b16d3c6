"""Thin tasks of prompts."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from prompts.services import tryouts


@shared_task(name="prompts.try_out")
def try_out(*, tryout_id: int, **_: object) -> None:
    """Make the call of a try-out; safe to run twice."""
    tryouts.work(tryout_id=tryout_id)


@shared_task(name="prompts.sweep_tryouts")
def sweep_tryouts(**_: object) -> None:
    """Fail the try-outs that nobody will finish."""
    now = timezone.now()
    tryouts.give_up_on_lost(older_than=now - timedelta(minutes=3), now=now)
