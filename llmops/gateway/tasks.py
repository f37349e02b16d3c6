"""Thin tasks of the gateway."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from llmops.gateway.models import Connection
from llmops.gateway.services import connections, retention


@shared_task(name="gateway.test_connection")
def test_connection(*, connection_id: int, **_: object) -> None:
    """Make the test call that somebody asked for."""
    connection = Connection.objects.select_related("project").filter(pk=connection_id, archived_at=None).first()
    if connection is not None:
        connections.test(connection=connection, now=timezone.now())


@shared_task(name="gateway.upkeep")
def upkeep(**_: object) -> None:
    """Delete attempts and cached answers that are past their time."""
    retention.prune(now=timezone.now())
