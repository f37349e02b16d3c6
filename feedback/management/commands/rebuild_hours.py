"""`manage.py rebuild_hours [SLUG …]`: compute the hourly rollups again from calls and votes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from feedback.services import hours
from llmops.common.errors import NotFound
from llmops.projects import queries
from llmops.projects.models import Project


class Command(BaseCommand):
    help = "Compute the hourly rollups of some projects (or all) again from their rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="SLUG")

    def handle(self, *args: Any, slugs: list[str], **options: Any) -> None:
        try:
            projects = [queries.project_by_slug(slug) for slug in slugs] or list(Project.objects.live().order_by("id"))
        except NotFound as error:
            raise CommandError(error.message) from None
        for project in projects:
            count = hours.rebuild(project=project, now=timezone.now())
            self.stdout.write(f"{project.slug}: {count:,} hours")
