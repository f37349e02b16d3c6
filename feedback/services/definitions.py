"""Declare, change and archive score definitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from feedback.models import ScoreDefinition
from feedback.queries import definitions as definition_queries
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, DomainError, Invalid
from llmops.projects.models import Project

MOST = 200
MOST_CATEGORIES = 100
LONGEST_NAME = 100
LONGEST_CATEGORY = 200
LONGEST_DESCRIPTION = 500
EDITABLE = ("description", "low", "high", "categories")
Kind = ScoreDefinition.Kind


def create(
    *,
    project: Project,
    name: str,
    kind: str,
    by: Actor,
    description: str = "",
    low: float | None = None,
    high: float | None = None,
    categories: Sequence[str] = (),
    is_declared: bool = True,
) -> ScoreDefinition:
    """A new definition; its kind and name stay for good, because values were stored by them.

    :raises Invalid: naming the field that is not acceptable.
    :raises Conflict: when one of this name is in use.
    """
    definition = ScoreDefinition(
        project=project, name=_checked_name(name), kind=kind, description=description, low=low, high=high,
        categories=list(categories), is_declared=is_declared,
    )  # fmt: skip
    if kind not in Kind.values:
        raise Invalid("There is no such kind of score.", fields={"kind": f"choose from {', '.join(Kind.values)}"})
    _check(definition)
    if definition_queries.definitions_in(project).count() >= MOST:
        raise Invalid(f"A project has at most {MOST} score definitions.", fields={"name": "archive one first"})
    try:
        with transaction.atomic():
            definition.save()
            audit.record("feedback.definition_created", by=by, target=definition, kind=kind, **_limits(definition))
    except IntegrityError:
        raise Conflict(f"A score “{definition.name}” is defined already.", fields={"name": "taken"}) from None
    definition_queries.forget(project.pk)
    return definition


def learn(*, project: Project, scores: Iterable[tuple[str, str]], by: Actor) -> None:
    """Define the scores (name, kind) that are not known here yet, without range or categories.

    For libraries that declare nothing before they send. A name that cannot be one, and one over the limit, stays
    unknown: its values are refused by name.
    """
    known = definition_queries.known(project.pk)
    new: dict[str, tuple[str, str]] = {}
    for name, kind in scores:
        if (key := name.strip().lower()) not in known:
            new.setdefault(key, (name, kind))
    for name, kind in new.values():
        try:
            create(project=project, name=name, kind=kind, by=by, is_declared=False)
        except DomainError:
            definition_queries.forget(project.pk)


@transaction.atomic
def edit(*, definition: ScoreDefinition, by: Actor, **changes: Any) -> ScoreDefinition:
    """Change the description, the range or the categories; what is stored already stays as it is.

    :raises TypeError: for any other field.
    :raises Invalid: naming the field that is not acceptable.
    """
    if unknown := changes.keys() - set(EDITABLE):
        raise TypeError(f"not editable: {sorted(unknown)}")
    changed = {name: value for name, value in changes.items() if getattr(definition, name) != value}
    for name, value in changed.items():
        setattr(definition, name, value)
    _check(definition)
    if changed:
        definition.is_declared = True
        definition.save(update_fields=[*changed, "is_declared"])
        audit.record("feedback.definition_changed", by=by, target=definition, **changed)
        transaction.on_commit(lambda: definition_queries.forget(definition.project_id))
    return definition


@transaction.atomic
def archive(*, definition: ScoreDefinition, by: Actor, now: datetime) -> None:
    """Refuse new values of this name; those that came stay."""
    definition.archived_at = now
    definition.save(update_fields=["archived_at"])
    audit.record("feedback.definition_archived", by=by, target=definition)
    transaction.on_commit(lambda: definition_queries.forget(definition.project_id))


def _check(definition: ScoreDefinition) -> None:
    definition.description = definition.description.strip()
    if len(definition.description) > LONGEST_DESCRIPTION or text.problem(definition.description):
        _refuse("description", f"must be a text of at most {LONGEST_DESCRIPTION} characters")
    bounds = [bound for bound in (definition.low, definition.high) if bound is not None]
    if any(not math.isfinite(bound) or abs(bound) > 1e12 for bound in bounds):
        _refuse("low", "must be a finite number")
    if bounds and definition.kind != Kind.NUMBER:
        _refuse("low" if definition.low is not None else "high", "only a number has a range")
    if len(bounds) == 2 and bounds[0] >= bounds[1]:
        _refuse("high", "must be more than the lowest value")
    if definition.categories and definition.kind != Kind.CATEGORY:
        _refuse("categories", "only a category has categories")
    definition.categories = _checked_categories(definition.categories)


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or text.problem(name) or not name.isprintable():
        _refuse("name", f"must be a printable text of 1 to {LONGEST_NAME} characters")
    return name


def _checked_categories(categories: Sequence[str]) -> list[str]:
    if len(categories) > MOST_CATEGORIES:
        _refuse("categories", f"has {len(categories):,} entries; the limit is {MOST_CATEGORIES}")
    kept = []
    for category in categories:
        if not isinstance(category, str) or not category.strip() or len(category) > LONGEST_CATEGORY:
            _refuse("categories", f"must be texts of 1 to {LONGEST_CATEGORY} characters")
        if text.problem(category):
            _refuse("categories", "holds text that cannot be stored")
        kept.append(category.strip())
    return list(dict.fromkeys(kept))


def _refuse(field: str, reason: str) -> None:
    raise Invalid(f"{field} {reason}.", fields={field: reason})


def _limits(definition: ScoreDefinition) -> dict[str, Any]:
    return {"low": definition.low, "high": definition.high, "categories": definition.categories}
