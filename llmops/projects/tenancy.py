"""Which tables hold a project's rows, and how each reaches it: for backup, restore and deletion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import models

from llmops.projects.models import Project

APPS = ("projects", "audit", "gateway", "prompts", "evals", "feedback", "dashboards")


@dataclass(frozen=True, slots=True)
class TenantTable:
    """A model and the look-up from its rows to the project, such as `project_id` or `run__project_id`."""

    model: type[models.Model]
    lookup: str

    def rows(self, project: Project) -> models.QuerySet[models.Model]:
        """All rows of the project, by primary key."""
        return self.model._base_manager.filter(**{self.lookup: project.pk}).order_by("pk")


@cache
def tables() -> tuple[TenantTable, ...]:
    """Every table with rows of projects, in an order in which each comes after the tables that it points at."""
    found = {}
    for model in (model for label in APPS for model in apps.get_app_config(label).get_models()):
        if model is not Project and (lookup := _lookup(model)) is not None:
            found[model] = TenantTable(model, lookup)
    return tuple(found[model] for model in _sorted(set(found)))


def foreign_keys(model: type[models.Model]) -> list[models.ForeignKey]:
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


def _lookup(model: type[models.Model], seen: frozenset[type[models.Model]] = frozenset()) -> str | None:
    if any(field.attname == "project_id" for field in model._meta.concrete_fields):
        return "project_id"
    for field in foreign_keys(model):
        target = field.related_model
        # A shared row (a price without a project, say) is no way to a project: only required references count.
        if field.null or target in seen or target._meta.app_label not in APPS:
            continue
        if (rest := _lookup(target, seen | {model})) is not None:
            return f"{field.name}__{rest}"
    return None


def _sorted(models_: set[type[models.Model]]) -> list[type[models.Model]]:
    """Depth first over foreign keys; optional keys that close a circle are filled in a second pass by restore."""
    order: list[type[models.Model]] = []
    visiting: set[type[models.Model]] = set()

    def visit(model: type[models.Model]) -> None:
        if model in order or model in visiting:
            return
        visiting.add(model)
        for field in sorted(foreign_keys(model), key=lambda field: field.null):
            if field.related_model in models_:
                visit(field.related_model)
        visiting.discard(model)
        order.append(model)

    for model in sorted(models_, key=lambda model: model._meta.label_lower):
        visit(model)
    return order
