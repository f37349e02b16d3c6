"""Read the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from llmops.audit import wording
from llmops.audit.models import Event

PAGE = 50
Detail = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as people read it; `details` are (name, before or value, after or None)."""

    id: int
    at: datetime
    actor_kind: str
    actor: str
    words: str
    name: str
    details: list[Detail]
    request_id: str


@dataclass(frozen=True, slots=True)
class EventPage:
    lines: list[EventLine]
    older: int | None  # the `before` of the next page


def events_in(project_id: int) -> QuerySet[Event]:
    """The project's events, newest first."""
    return Event.objects.filter(project_id=project_id).order_by("-id")


def page_of(
    project_id: int, *, area: str = "", actor: str = "", target: str = "", before: int | None = None, size: int = PAGE
) -> EventPage:
    """One page of the trail, newest first.

    `area` is the first word of an event's name, `actor` and `target` are parts of how they are known.
    """
    events = events_in(project_id)
    if area:
        events = events.filter(name__startswith=f"{area}.")
    if actor:
        events = events.filter(actor_text__icontains=actor)
    if target:
        events = events.filter(target_text__icontains=target)
    if before is not None:
        events = events.filter(pk__lt=before)
    found = list(events[: size + 1])
    lines = [_line(event) for event in found[:size]]
    return EventPage(lines=lines, older=lines[-1].id if len(found) > size else None)


def areas() -> list[str]:
    """The first words of all events' names, for the filter."""
    return sorted({name.partition(".")[0] for name in wording.WORDS})


def _line(event: Event) -> EventLine:
    return EventLine(
        id=event.pk,
        at=event.at,
        actor_kind=event.actor_kind,
        actor=event.actor_text,
        words=wording.sentence(event.name, event.target_text),
        name=event.name,
        details=_details(event.data),
        request_id=event.request_id,
    )


def _details(data: dict[str, Any]) -> list[Detail]:
    before, after = data.get("before"), data.get("after")
    rest: list[Detail] = [
        (name, _shown(value), None) for name, value in data.items() if name not in {"before", "after"}
    ]
    if isinstance(before, dict) and isinstance(after, dict):
        return [*((name, _shown(before.get(name)), _shown(value)) for name, value in after.items()), *rest]
    if "after" in data or "before" in data:
        return [("", _shown(before), _shown(after)), *rest]
    return rest


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value) or "none"
    return "none" if value is None or value == "" else str(value)[:300]
