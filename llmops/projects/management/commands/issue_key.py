"""`manage.py issue_key SLUG [--publishable | --personal EMAIL] [--scope …] [--origin …]`: prints the key alone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from llmops.common.actors import SYSTEM
from llmops.common.errors import DomainError
from llmops.projects import queries
from llmops.projects.services import api_keys


class Command(BaseCommand):
    help = "Issue an API key of a project and print it, alone; it is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--publishable", action="store_true", help="may only send feedback, safe in a browser")
        kind.add_argument("--personal", metavar="EMAIL", help="acts as this member; for git")
        parser.add_argument("--scope", action="append", default=[], help="allow only this; may be given again")
        parser.add_argument("--origin", action="append", default=[], help="of a publishable key; may be given again")
        parser.add_argument("--name", default="command line")

    def handle(self, *, slug: str, publishable: bool, personal: str | None, **options: Any) -> None:
        try:
            project = queries.project_by_slug(slug)
            member = queries.members_of(project).filter(user__email__iexact=personal or "").first()
            if personal and member is None:
                raise CommandError(f"{personal} is not a member of {slug}")
            issued = api_keys.issue(
                project=project,
                kind="personal" if member else "publishable" if publishable else "secret",
                user=member.user if member else None,
                name=options["name"],
                scopes=options["scope"],
                origins=options["origin"],
                by=SYSTEM,
            )
        except DomainError as error:
            details = "".join(f"\n  {name}: {reason}" for name, reason in error.fields.items())
            raise CommandError(error.message + details) from None
        self.stdout.write(issued.text)
