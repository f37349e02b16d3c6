"""What every list page does: search words, links to the pages beside it, and the fragment for htmx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from evals.queries import paging
from llmops.common import text
from llmops.gateway import queries as gateway_queries
from llmops.projects import access
from llmops.projects.models import Project

MAX_SEARCH = 200
MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class Links:
    first: int
    last: int
    previous: str
    next: str


def searched(request: access.ProjectRequest, name: str) -> str:
    """A word from the address, cut, without what no database can look for."""
    return text.repaired(request.GET.get(name, ""))[:MAX_SEARCH].strip()


def links(request: access.ProjectRequest, page: paging.Page[Any], *, drop: Sequence[str] = (), path: str = "") -> Links:
    """Addresses of the pages beside this one, with the filters kept; empty where there is none."""

    def address(cursor: str | None) -> str:
        if cursor is None:
            return ""
        query = request.GET.copy()
        for name in drop:
            query.pop(name, None)
        query["cursor"] = cursor
        return f"{path or request.path}?{query.urlencode()}"

    return Links(first=page.first, last=page.last, previous=address(page.previous), next=address(page.next))


def respond(request: access.ProjectRequest, template: str, partial: str, context: Mapping[str, Any]) -> HttpResponse:
    """The page, or the named part of it when htmx asks and is not restoring the history."""
    if request.htmx and not request.htmx.history_restore_request:  # type: ignore[attr-defined]
        template = f"{template}#{partial}"
    response = render(request, template, dict(context))
    response["Vary"] = "HX-Request"
    return response


def connection_choices(project: Project) -> list[tuple[str, str]]:
    """The project's connections as choices of a form, the default one first."""
    names = gateway_queries.names_in(project)
    return [("", "The project's default"), *((name, name) for name in names)]
