"""The Celery application: three queues (`runs`, `interactive`, `upkeep`) and the clock of upkeep."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops.settings")

app = Celery("llmops")
app.config_from_object("llmops.celery_config")
app.autodiscover_tasks()


@setup_logging.connect
def keep_the_projects_logging(**_: Any) -> None:
    """Connected only so that Celery leaves logging to the settings."""
