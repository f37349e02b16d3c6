"""`manage.py add_connection SLUG --kind openai-compatible --url URL --key KEY [--default]`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from llmops.common.actors import SYSTEM
from llmops.common.errors import DomainError
from llmops.gateway import registry
from llmops.gateway.services import connections
from llmops.projects import queries


class Command(BaseCommand):
    help = "Add an account at a model provider to a project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--kind", required=True, choices=list(registry.KINDS))
        parser.add_argument("--url", default="")
        parser.add_argument("--key", default="")
        parser.add_argument("--name", default="")
        parser.add_argument("--model", default="", help="used when a prompt names none")
        parser.add_argument("--max-in-flight", type=int, default=50)
        parser.add_argument("--default", action="store_true")

    def handle(self, *, slug: str, kind: str, **options: Any) -> None:
        try:
            connection = connections.create(
                project=queries.project_by_slug(slug),
                name=options["name"] or kind,
                kind=kind,
                base_url=options["url"],
                key=options["key"],
                model=options["model"],
                max_in_flight=options["max_in_flight"],
                is_default=options["default"],
                by=SYSTEM,
            )
        except DomainError as error:
            details = "".join(f"\n  {name}: {reason}" for name, reason in error.fields.items())
            raise CommandError(error.message + details) from None
        self.stdout.write(f"connection {connection.name} added to {slug}")
