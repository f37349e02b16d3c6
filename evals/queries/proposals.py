"""Reads about rows that models propose."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from evals.models import Dataset, Proposal, ProposalRequest
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project

MOST_POSITION = 1_000  # larger numbers than a column takes stand in addresses


def requests_of(dataset: Dataset) -> QuerySet[ProposalRequest]:
    """Newest first, each with `proposed`, `accepted` and `open_rows`."""
    return (
        ProposalRequest.objects.filter(dataset=dataset)
        .annotate(
            proposed=Count("proposals"),
            accepted=Count("proposals", filter=Q(proposals__state=Proposal.State.ACCEPTED)),
            open_rows=Count("proposals", filter=Q(proposals__state=Proposal.State.PROPOSED)),
        )
        .order_by("-id")
    )


def request_in(project: Project, uid: str) -> ProposalRequest:
    """:raises NotFound: when the project has none."""
    found = (
        ProposalRequest.objects.filter(project=project, dataset__archived_at=None, uid=ids.parse("ask", uid))
        .select_related("dataset", "run")
        .first()
    )
    if found is None:
        raise NotFound("There is no such request for proposals here.")
    return found


def proposals_of(request: ProposalRequest) -> QuerySet[Proposal]:
    """In the model's order; a request has a few dozen at most."""
    return Proposal.objects.filter(request=request).select_related("request__dataset").order_by("position")


def proposal_in(request: ProposalRequest, position: int) -> Proposal:
    """:raises NotFound: when the request has no such row."""
    found = proposals_of(request).filter(position=position).first() if position < MOST_POSITION else None
    if found is None:
        raise NotFound("There is no such proposed row here.")
    return found
