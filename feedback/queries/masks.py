"""A project's masking rules: as a page lists them, and compiled for ingestion at most a second old."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from evals.metrics import patterns
from feedback import redaction
from feedback.models import HourStat, MaskRule
from llmops.common.errors import NotFound
from llmops.projects.models import Project

CACHE_SECONDS = 1.0
CACHE_SIZE = 1024

_cache: dict[int, tuple[float, redaction.Masker]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the list. Built-ins have no pattern of their own; `finds` says what they look for."""

    name: str
    title: str
    finds: str
    placeholder: str
    is_on: bool
    is_built_in: bool


def rules(project: Project) -> list[Rule]:
    """The built-ins in the order in which they run, then the project's own by name."""
    rows = {row.name: row for row in _rows(project.pk)}
    built_ins = [
        Rule(one.name, one.title, one.finds, one.placeholder, _is_on(rows.get(one.name)), True)
        for one in redaction.BUILT_INS.values()
    ]
    own = [
        Rule(row.name, row.name, row.pattern, row.placeholder, row.is_on, False)
        for row in rows.values()
        if row.name not in redaction.BUILT_INS
    ]
    return built_ins + own


def rule_in(project: Project, name: str) -> Rule:
    """:raises NotFound: when the project has no such rule."""
    found = next((rule for rule in rules(project) if rule.name == name), None)
    if found is None:
        raise NotFound("There is no such masking rule here.")
    return found


def masker(project_id: int) -> redaction.Masker:
    """The rules that are on, compiled; at most a second old."""
    now = time.monotonic()
    if (kept := _cache.get(project_id)) is not None and kept[0] > now:
        return kept[1]
    found = fresh(project_id)
    with _lock:
        if len(_cache) >= CACHE_SIZE:
            _cache.clear()
        _cache[project_id] = (now + CACHE_SECONDS, found)
    return found


def fresh(project_id: int) -> redaction.Masker:
    """The rules that are on, compiled now."""
    rows = {row.name: row for row in _rows(project_id)}
    return redaction.Masker(
        built_ins=tuple(name for name in redaction.BUILT_INS if _is_on(rows.get(name))),
        own=tuple(
            redaction.Own(row.name, patterns.compiled(row.pattern, "pattern"), row.placeholder)
            for row in rows.values()
            if row.is_on and row.name not in redaction.BUILT_INS
        ),
    )


def forget() -> None:
    """Empty this process's cache: after a change, and for tests."""
    with _lock:
        _cache.clear()


def masked_pieces(project: Project, first_hour: int) -> int:
    """How many pieces were masked since that hour, from the rollups."""
    rows = HourStat.objects.filter(project=project, hour__gte=first_hour)
    return sum(rows.order_by().values_list("masked", flat=True))


def _rows(project_id: int) -> list[MaskRule]:
    return list(MaskRule.objects.filter(project_id=project_id).order_by("name"))


def _is_on(row: MaskRule | None) -> bool:
    return row is None or row.is_on
