"""A project's score definitions, as pages list them and as ingestion checks against them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from feedback.models import ScoreDefinition
from llmops.common.errors import NotFound
from llmops.projects.models import Project

CACHE_SECONDS = 1.0
CACHE_SIZE = 1024


@dataclass(frozen=True, slots=True)
class Definition:
    """What a value is checked against; see `ScoreDefinition`."""

    name: str
    kind: str
    low: float | None
    high: float | None
    categories: tuple[str, ...]


_cache: dict[int, tuple[float, dict[str, Definition]]] = {}
_lock = threading.Lock()


def definitions_in(project: Project) -> QuerySet[ScoreDefinition]:
    """Those in use, by name."""
    return ScoreDefinition.objects.filter(project=project, archived_at=None).order_by("name", "id")


def definition_in(project: Project, uid: UUID) -> ScoreDefinition:
    """:raises NotFound: when the project has no such definition in use."""
    found = definitions_in(project).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such score definition here.")
    return found


def known(project_id: int) -> dict[str, Definition]:
    """The definitions by lower-case name, at most a second old."""
    now = time.monotonic()
    if (kept := _cache.get(project_id)) is not None and kept[0] > now:
        return kept[1]
    rows = ScoreDefinition.objects.filter(project_id=project_id, archived_at=None)
    found = {row.name.lower(): Definition(row.name, row.kind, row.low, row.high, tuple(row.categories)) for row in rows}
    with _lock:
        if len(_cache) >= CACHE_SIZE:
            _cache.clear()
        _cache[project_id] = (now + CACHE_SECONDS, found)
    return found


def forget(project_id: int | None = None) -> None:
    """Empty this process's cache: of a project whose definitions changed, or, in tests, of all."""
    with _lock:
        if project_id is None:
            _cache.clear()
        else:
            _cache.pop(project_id, None)
