"""Upkeep of the platform's own machinery."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from celery import shared_task
from django.conf import settings


@shared_task(name="common.tidy_broker")
def tidy_broker(**_: object) -> None:
    """Delete delivered messages of the embedded broker: it keeps them for ever, and looks at them at every poll."""
    if settings.REDIS_URL or not settings.BROKER_FILE.exists():
        return
    with closing(sqlite3.connect(settings.BROKER_FILE, timeout=20)) as connection, connection:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kombu_message'").fetchone()
        if tables:
            connection.execute("DELETE FROM kombu_message WHERE NOT visible")
