"""`manage.py create_project SLUG --admin EMAIL`"""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from llmops.accounts.models import User
from llmops.accounts.services import people
from llmops.common.actors import SYSTEM
from llmops.common.errors import DomainError
from llmops.projects.services import projects


class Command(BaseCommand):
    help = "Create a project; its admin is created with a generated password, shown once, when not known yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--admin", required=True, metavar="EMAIL")
        parser.add_argument("--name", default="")

    def handle(self, *, slug: str, admin: str, name: str, **_: Any) -> None:
        try:
            with transaction.atomic():
                user = User.objects.filter(email__iexact=admin).first()
                password = None if user else secrets.token_urlsafe(12)
                user = user or people.create(email=admin, name="", password=password, by=SYSTEM)
                projects.create(slug=slug, name=name, admin=user, by=SYSTEM)
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"project {slug} created, admin {user.email}")
        if password:
            self.stdout.write(f"password (shown once): {password}")
