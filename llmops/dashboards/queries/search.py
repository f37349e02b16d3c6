"""Find things of a project by name."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.urls import reverse

from evals.models import Dataset, Evaluator, Run
from evals.queries import datasets as dataset_queries
from evals.queries import evaluators as evaluator_queries
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.dashboards.queries import versions
from llmops.projects.models import Project
from llmops.projects.permissions import Permission
from prompts import queries as prompt_queries

MOST = 20


@dataclass(frozen=True, slots=True)
class Hit:
    name: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Hits of one kind; `has_more` says that only the first are shown."""

    title: str
    glyph: str
    hits: list[Hit]
    has_more: bool


def search(project: Project, text: str, permissions: frozenset[Permission]) -> list[Group]:
    """Prompts, datasets, evaluators and runs whose name holds the text, as far as the person may see them."""
    if not text:
        return []
    finders = [
        (Permission.PROMPT_READ, "Prompts", "file-text", _prompts),
        (Permission.DATASET_READ, "Datasets", "table-2", _datasets),
        (Permission.EVALUATOR_READ, "Evaluators", "scale", _evaluators),
        (Permission.RUN_READ, "Runs", "flask-conical", _runs),
    ]
    groups = []
    for permission, title, glyph, find in finders:
        if permission in permissions and (hits := find(project, text)):
            groups.append(Group(title, glyph, hits[:MOST], len(hits) > MOST))
    return groups


def _prompts(project: Project, text: str) -> list[Hit]:
    found = prompt_queries.artifacts_in(project, search=text)[: MOST + 1]
    return [
        Hit(artifact.path, artifact.description[:120], reverse("prompts:editor", args=[project.slug, artifact.path]))
        for artifact in found
    ]


def _datasets(project: Project, text: str) -> list[Hit]:
    found: QuerySet[Dataset] = dataset_queries.datasets_in(project).filter(
        Q(name__icontains=text) | Q(slug__icontains=text)
    )
    return [
        Hit(dataset.name, dataset.description[:120], reverse("evals:dataset-detail", args=[project.slug, dataset.slug]))
        for dataset in found[: MOST + 1]
    ]


def _evaluators(project: Project, text: str) -> list[Hit]:
    found: QuerySet[Evaluator] = evaluator_queries.evaluators_in(project).filter(
        Q(name__icontains=text) | Q(slug__icontains=text)
    )
    return [
        Hit(evaluator.name, evaluator.slug, reverse("evals:evaluator-detail", args=[project.slug, evaluator.slug]))
        for evaluator in found[: MOST + 1]
    ]


def _runs(project: Project, text: str) -> list[Hit]:
    named = Q(target__artifact__path__icontains=text) | Q(dataset_version__dataset__name__icontains=text)
    try:
        named |= Q(uid=ids.parse("run", text))
    except NotFound:
        pass
    found = (
        Run.objects.filter(named, project=project)
        .select_related("target__artifact", "target__numbered", "dataset_version__dataset")
        .order_by("-id")
    )
    return [
        Hit(
            f"{versions.target_name(run)} on {run.dataset_version.dataset.name}",
            f"{run.state}, {run.created_at:%-d %b %Y}",
            reverse("evals:run-detail", args=[project.slug, ids.public("run", run.uid)]),
        )
        for run in found[: MOST + 1]
    ]
