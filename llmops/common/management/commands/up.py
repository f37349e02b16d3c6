"""`manage.py up`: web, workers and beat in the foreground."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from llmops.common import processes
from llmops.common.errors import Unavailable
from llmops.common.supervisor import Supervisor


class Command(BaseCommand):
    help = "Bring the database up to date, then serve web, workers and beat until Ctrl-C; restarts what dies."
    requires_system_checks = "__all__"

    def handle(self, **_: Any) -> None:
        try:
            processes.demand_free_port()
        except Unavailable as error:
            raise CommandError(error.message) from None
        processes.prepare()
        supervisor = Supervisor(say=self.stderr.write, folder=settings.BASE_DIR)
        supervisor.catch_signals()
        processes.add_web(supervisor)
        processes.add_workers(supervisor)
        self.stdout.write(f"Serving at {settings.LLMOPS_BASE_URL} (Ctrl-C stops everything)")
        supervisor.run()
