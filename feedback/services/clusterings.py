"""Start the sorting of complaints into themes, stop it, and wake it when its worker died."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from feedback.models import Clustering
from feedback.queries import complaints
from llmops.audit import services as audit
from llmops.common import jobs, leased
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project

TASK = "feedback.sort_complaints"
EVERY = timedelta(hours=1)


def start(*, project: Project, by: Actor) -> Clustering:
    """Have what came in since the last turn sorted; when that is under way already, that turn.

    :raises Invalid: when there are no complaints yet.
    """
    if not complaints.negative(project).exists():
        raise Invalid("There are no complaints to sort yet.", fields={"project": "has no negative feedback"})
    newest = Clustering.objects.filter(project=project, state=Clustering.State.FINISHED).order_by("-id").first()
    made = Clustering(project=project, by=by.text, since_us=newest.until_us if newest else 0)
    try:
        with transaction.atomic():
            made.save()
            if by.kind != "system":
                audit.record("feedback.sorting_started", by=by, target=made)
            jobs.enqueue(TASK, clustering_id=made.pk)
    except IntegrityError:
        return Clustering.objects.get(project=project, state__in=Clustering.ACTIVE)
    return made


@transaction.atomic
def cancel(*, of: Clustering, by: Actor, now: datetime) -> None:
    """Stop within a second; what was sorted already stays. A finished turn is left alone."""
    stopped = Clustering.objects.filter(pk=of.pk, state__in=Clustering.ACTIVE).update(
        state=Clustering.State.CANCELLED, finished_at=now, fence=F("fence") + 1, lease_until=None
    )
    if stopped:
        audit.record("feedback.sorting_cancelled", by=by, target=of)


def continue_stalled(*, now: datetime) -> int:
    """Wake the turns whose worker died or whose message was lost; returns how many."""
    return leased.wake_stalled(Clustering.objects.all(), TASK, "clustering_id", now)


def start_due(*, now: datetime) -> int:
    """Start a turn in every project with complaints newer than its last one, an hour after it; returns how many."""
    started = 0
    for project in Project.objects.live().order_by("id"):
        last = Clustering.objects.filter(project=project).order_by("-id").first()
        if last is not None and (last.is_active or last.created_at > now - EVERY):
            continue
        done = Clustering.objects.filter(project=project, state=Clustering.State.FINISHED).order_by("-id").first()
        if complaints.negative(project).filter(feedback_us__gt=done.until_us if done else 0).exists():
            start(project=project, by=SYSTEM)
            started += 1
    return started
