"""`manage.py backup SLUG FILE`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from llmops.common.errors import DomainError
from llmops.projects import queries
from llmops.projects.services import backups


class Command(BaseCommand):
    help = "Write a whole project, its git repository included, to one file (.jsonl.gz)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("file", type=Path)

    def handle(self, *, slug: str, file: Path, **_: Any) -> None:
        try:
            rows = backups.write(project=queries.project_by_slug(slug), path=file, now=timezone.now())
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"{rows:,} rows of {slug} written to {file}")
