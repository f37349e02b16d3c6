"""Reads of what is deleted of an end user: what there is, and how far a deletion is."""

from __future__ import annotations

from django.db.models import QuerySet

from feedback.models import Call, Erasure, FeedbackEvent, LooseSpan, Vote
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.common.models import ImmutableQuerySet
from llmops.projects.models import Project

SHOWN = 10


def calls_of(erasure: Erasure) -> QuerySet[Call]:
    """The person's calls that had come when the deletion was asked for."""
    return Call.objects.filter(project=erasure.project_id, end_user=erasure.person, received_at__lte=erasure.created_at)


def said_by(erasure: Erasure) -> QuerySet[FeedbackEvent]:
    """What the person said, about whose call ever."""
    return FeedbackEvent.objects.filter(
        project=erasure.project_id, voter=f"u:{erasure.person}", received_at__lte=erasure.created_at
    )


def votes_of(erasure: Erasure) -> QuerySet[Vote]:
    return Vote.objects.filter(
        project=erasure.project_id, voter=f"u:{erasure.person}", voted_at__lte=erasure.created_at
    )


def loose_spans_of(erasure: Erasure) -> ImmutableQuerySet[LooseSpan]:
    return LooseSpan.objects.filter(
        project=erasure.project_id, end_user=erasure.person, received_at__lte=erasure.created_at
    )


def rows_left(erasure: Erasure) -> int:
    """How many rows are still to be looked at."""
    rows = (calls_of(erasure), said_by(erasure), votes_of(erasure), loose_spans_of(erasure))
    return sum(found.order_by().count() for found in rows)


def recent(project: Project) -> list[Erasure]:
    """The newest deletions, those under way among them."""
    return list(Erasure.objects.filter(project=project).order_by("-id")[:SHOWN])


def erasure_in(project: Project, uid: str) -> Erasure:
    """:raises NotFound: when the project has no such deletion."""
    found = Erasure.objects.filter(project=project, uid=ids.parse("erase", uid)).first()
    if found is None:
        raise NotFound("There is no such deletion here.")
    return found
