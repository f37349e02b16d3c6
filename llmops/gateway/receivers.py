"""Every project starts with the demo connection, so that prompts can be tried and evaluated before there is a key."""

from __future__ import annotations

from django.dispatch import receiver

from llmops.gateway.services import connections
from llmops.projects.models import Project
from llmops.projects.signals import project_created


@receiver(project_created)
def add_demo_connection(*, project: Project, **_: object) -> None:
    connections.ensure_demo(project=project)
