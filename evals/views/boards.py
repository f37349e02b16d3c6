"""The page of the board: which of many versions a pairwise judge prefers."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evals.queries import boards
from evals.queries.boards import Page, Standing
from evals.views import lists, snippets
from evals.views.figure_shapes import bar, percentage
from llmops.common.errors import DomainError
from llmops.projects import access
from llmops.projects.permissions import Permission


@require_safe
@access.requires(Permission.RUN_READ)
def board(request: access.ProjectRequest) -> HttpResponse:
    """The board of one judge, over all its runs or those over one dataset."""
    asked = {name: lists.searched(request, name) for name in ("judge", "dataset", "against")}
    problem = ""
    try:
        found = boards.page_of(request.project, **asked)
    except DomainError as error:
        problem = error.message
        found = boards.page_of(request.project)
    context = {
        "found": found,
        "problem": problem,
        "boards": [[_line(request, found, one) for one in standings] for standings in found.boards],
        "api_call": snippets.board(),
    }
    return render(request, "evals/run_board.html", context, status=400 if problem else 200)


def _line(request: access.ProjectRequest, page: Page, one: Standing) -> dict[str, Any]:
    titles = {each.key: each.title for each in page.contestants}
    low, high = one.share_limits or (None, None)
    is_reference = one.contestant == page.against
    path = one.contestant.path
    return {
        "title": one.contestant.title,
        "url": reverse("prompts:versions", args=[request.project.slug, path]) if path else "",
        "is_reference": is_reference,
        "rank": _rank(one.rank),
        "share": percentage(one.share) if one.share is not None else "",
        "bar": bar(low, one.share, high, reference=0.5, tone=_tone(low, high)),
        "interval": "" if low is None or high is None else f"{low * 100:.1f} to {high * 100:.1f}",
        "strength": _signed(one.strength),
        "limits": "" if one.strength_limits is None else " to ".join(map(_signed, one.strength_limits)),
        "wins": one.wins,
        "ties": one.ties,
        "losses": one.losses,
        "n": one.n,
        "examples": one.examples,
        "beats": ", ".join(titles[key] for key in one.clearly_beats),
    }


def _signed(value: float) -> str:
    """With a minus that is as wide as a plus, and none before a zero."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _rank(rank: tuple[int, int] | None) -> str:
    if rank is None:
        return ""
    return str(rank[0]) if rank[0] == rank[1] else f"{rank[0]} to {rank[1]}"


def _tone(low: float | None, high: float | None) -> str:
    if low is None or high is None or low <= 0.5 <= high:
        return "neutral"
    return "good" if low > 0.5 else "bad"
