"""Queues that tests of labeling start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from feedback.models import Queue, QueueItem
from feedback.queries.sources import Source
from feedback.services import filling, queues, rubrics, seats
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Membership, Project

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
GOOD = {"key": "good", "kind": "pass_fail", "text": "Is the answer right?"}
WHY = {"key": "why", "kind": "text", "text": "Why?"}


def people(project: Project, count: int) -> list[User]:
    """So many labelers of the project."""
    made = User.objects.bulk_create([User(email=f"l{n}@{project.slug}.example", name=f"L {n}") for n in range(count)])
    Membership.objects.bulk_create([Membership(project=project, user=user, role="labeler") for user in made])
    return made


def queue(project: Project, by: Actor, *, questions: Any = None, slug: str = "answers", **wanted: Any) -> Queue:
    version = rubrics.create(project=project, slug=f"{slug}-rubric", questions=questions or [GOOD, WHY], by=by)
    return queues.create(project=project, rubric_version=version, wanted=queues.Wanted(slug=slug, **wanted), by=by)


def fill(queue: Queue, by: Actor, count: int, **values: Any) -> list[QueueItem]:
    """Items with an output of their own."""
    found = [
        Source(
            "import", uuid4(), f"Question {n}", {"inputs": {"q": f"Question {n}"}, "output": f"Answer {n}"}, **values
        )
        for n in range(count)
    ]
    filling.add(queue=queue, found=found, by=by, how="test")
    return list(QueueItem.objects.filter(queue=queue).select_related("queue__rubric_version").order_by("id"))


def answer(item: QueueItem, user: User, good: str = "pass", **more: Any) -> Any:
    """The person takes a seat and answers."""
    return seats.submit(item=item, user_id=user.pk, answers={"good": good, **more}, now=NOW, seconds=10)
