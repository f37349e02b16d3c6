"""`manage.py demo [--no-serve]`: seed the demo project, run the main job, print the comparison, serve."""

from __future__ import annotations

import secrets
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from evals.models import Run
from evals.queries import runs as run_queries
from llmops.common import processes
from llmops.common.errors import Unavailable
from llmops.common.supervisor import Supervisor
from llmops.demo import report, seed

PATIENCE_S = 180.0


class Command(BaseCommand):
    help = "Seed the demo project, compare two versions of its prompt with the real worker, then serve it."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="stop after the comparison is printed")

    def handle(self, *, no_serve: bool, **_: Any) -> None:
        if not no_serve:
            try:
                processes.demand_free_port()
            except Unavailable as error:
                raise CommandError(error.message) from None
        processes.prepare()
        supervisor = Supervisor(say=self.stderr.write, folder=settings.BASE_DIR)
        supervisor.catch_signals()
        password = self._ready_project(supervisor)
        if no_serve:
            supervisor.stop()
            return
        if not supervisor.children:
            processes.add_workers(supervisor)
        processes.add_web(supervisor)
        self._greet(password)
        supervisor.run()

    def _ready_project(self, supervisor: Supervisor) -> str:
        """Plant and run what is not there yet; the new password, or nothing."""
        password, project = "", seed.seeded()
        now = timezone.now()
        if project is None:
            password = secrets.token_urlsafe(9)
            self.stdout.write("Seeding the demo project …")
            demo = seed.plant(password=password, now=now)
            seed.release(demo, now=now)
            seed.send_traffic(demo, now=now)
        else:
            demo = seed.demo_of(project)
        pair = seed.compared(demo.project)
        if pair is None:
            processes.add_workers(supervisor)
            waiting = Run.objects.filter(project=demo.project).exclude(state__in=Run.FINISHED).order_by("id")[:2]
            started = list(waiting) if len(waiting) == 2 else list(seed.start_runs(demo))
            self.stdout.write(f"Running two versions of {seed.PATH} on {len(seed.mails())} mails …")
            self._wait(supervisor, started)
            pair = (started[0], started[1])
        self._print(*pair)
        return password

    def _wait(self, supervisor: Supervisor, started: list[Run]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while any(run.state not in Run.FINISHED for run in started):
            if supervisor.stopping or time.monotonic() > deadline:
                supervisor.stop()
                raise CommandError("The runs did not end in time. Start again: they go on where they stopped.")
            supervisor.tick()
            time.sleep(0.2)
            for run in started:
                run.refresh_from_db()
        if bad := [run for run in started if run.state != Run.State.DONE]:
            supervisor.stop()
            raise CommandError(f"A run ended as {bad[0].state}: {bad[0].problem or bad[0].reason}")

    def _print(self, baseline: Run, candidate: Run) -> None:
        self.stdout.write("")
        for line in report.lines(baseline, candidate):
            self.stdout.write(line)
        done = sum(run_queries.summary_of(run).done for run in (baseline, candidate))
        self.stdout.write(f"\n{done} results by the demo provider (no model was called); intervals are 95 %.\n")

    def _greet(self, password: str) -> None:
        self.stdout.write(f"Serving at {settings.LLMOPS_BASE_URL}/p/{seed.SLUG}/  (Ctrl-C stops everything)")
        self.stdout.write(f"  e-mail    {seed.EMAIL}")
        if password:
            self.stdout.write(f"  password  {password}   (shown this once)")
        else:
            self.stdout.write("  password  as shown at the first start; `manage.py changepassword` sets a new one")
