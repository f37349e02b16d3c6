"""`manage.py restore FILE`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from llmops.common.actors import SYSTEM
from llmops.common.errors import DomainError
from llmops.projects.services import backups


class Command(BaseCommand):
    help = "Restore a project from a file that `backup` wrote, into this database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **_: Any) -> None:
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        try:
            project = backups.read(path=file, by=SYSTEM)
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"project {project.slug} restored")
