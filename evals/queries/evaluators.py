"""Reads about evaluators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet

from evals import metrics
from evals.metrics import Metric, parameters
from evals.models import Evaluator, EvaluatorVersion
from llmops.common.errors import NotFound
from llmops.projects.models import Project


@dataclass(frozen=True, slots=True)
class MetricShown:
    """A metric as the form and the documentation list it."""

    metric: Metric
    params: tuple[parameters.Field, ...]

    @property
    def low(self) -> float | None:
        return self.metric.low if math.isfinite(self.metric.low) else None

    @property
    def high(self) -> float | None:
        return self.metric.high if math.isfinite(self.metric.high) else None

    @property
    def params_schema(self) -> dict[str, Any]:
        return parameters.schema_of(self.metric.params)


def catalogue() -> list[MetricShown]:
    """Every metric with its parameters."""
    return [MetricShown(metric, parameters.fields_of(metric.params)) for metric in metrics.METRICS.values()]


def evaluators_in(project: Project) -> QuerySet[Evaluator]:
    """The project's named evaluators by slug, each with `ordered_versions`, newest first."""
    versions = Prefetch(
        "versions",
        queryset=EvaluatorVersion.objects.select_related("judge__artifact").order_by("-number"),
        to_attr="ordered_versions",
    )
    return Evaluator.objects.filter(project=project, archived_at=None).prefetch_related(versions).order_by("slug", "id")


def evaluator_in(project: Project, slug: str) -> Evaluator:
    """:raises NotFound: when the project has none of that slug."""
    evaluator = evaluators_in(project).filter(slug=slug.lower()).first()
    if evaluator is None:
        raise NotFound(f"There is no evaluator “{slug[:60]}” here.")
    return evaluator


def newest_version(project: Project, slug: str) -> EvaluatorVersion:
    """The newest version of a named evaluator.

    :raises NotFound: when the project has none of that slug.
    """
    version = (
        EvaluatorVersion.objects.select_related("evaluator", "judge__content")
        .filter(project=project, evaluator__slug=slug.lower(), evaluator__archived_at=None)
        .order_by("-number")
        .first()
    )
    if version is None:
        raise NotFound(f"There is no evaluator “{slug[:60]}” here.")
    return version


def name_of(version: EvaluatorVersion) -> str:
    """What people and the API call it: a named evaluator's slug, else its metric or the judge's prompt."""
    return version.evaluator.slug if version.evaluator else version.title
