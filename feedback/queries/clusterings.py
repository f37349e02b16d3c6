"""Reads about the sorting of complaints."""

from __future__ import annotations

from feedback.models import Clustering
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project


def newest(project: Project) -> Clustering | None:
    return Clustering.objects.filter(project=project).order_by("-id").first()


def newest_in(project: Project) -> Clustering:
    """:raises NotFound: when nothing was sorted yet."""
    found = newest(project)
    if found is None:
        raise NotFound("Nothing was sorted yet.")
    return found


def clustering_in(project: Project, uid: str) -> Clustering:
    """:raises NotFound: when the project has no such turn."""
    found = Clustering.objects.filter(project=project, uid=ids.parse("sort", uid)).first()
    if found is None:
        raise NotFound("There is no such sorting here.")
    return found
