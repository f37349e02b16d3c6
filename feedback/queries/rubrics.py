"""Reads of rubrics."""

from __future__ import annotations

from django.db.models import Count, Max, QuerySet

from feedback import rubrics
from feedback.models import Rubric, RubricVersion
from llmops.common.errors import NotFound
from llmops.projects.models import Project


def rubrics_in(project: Project) -> QuerySet[Rubric]:
    """The project's rubrics by name, each with `newest` (its last version's number) and `versions_count`."""
    return (
        Rubric.objects.filter(project=project, archived_at=None)
        .annotate(newest=Max("versions__number"), versions_count=Count("versions"))
        .order_by("slug", "id")
    )


def rubric_in(project: Project, slug: str) -> Rubric:
    """:raises NotFound: when the project has none of that slug."""
    found = rubrics_in(project).filter(slug=slug.lower()).first()
    if found is None:
        raise NotFound(f"There is no rubric “{slug[:60]}” here.")
    return found


def newest(rubric: Rubric) -> RubricVersion:
    """The version that new queues get."""
    return RubricVersion.objects.filter(rubric=rubric).select_related("rubric").latest("number")


def versions_of(rubric: Rubric) -> QuerySet[RubricVersion]:
    """All versions, newest first."""
    return RubricVersion.objects.filter(rubric=rubric).order_by("-number")


def version_of(rubric: Rubric, number: int) -> RubricVersion:
    """:raises NotFound: when the rubric has no such version."""
    found = RubricVersion.objects.filter(rubric=rubric, number=number).select_related("rubric").first()
    if found is None:
        raise NotFound(f"The rubric {rubric} has no version {number}.")
    return found


def questions_of(version: RubricVersion) -> tuple[rubrics.Question, ...]:
    return rubrics.parse(version.questions)
