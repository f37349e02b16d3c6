"""Reading one event's fields: what is wrong is collected by field, so the sender sees everything at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from llmops.common.errors import Invalid, TooLarge
from llmops.common.text import MAX_DEPTH

MAX_ITEM_BYTES = 1_000_000
MAX_TEXT = 200_000
MAX_TAGS = 20
MAX_TAG = 60
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Reader:
    """Takes known fields out of a JSON object. Problems gather until `demand_good`."""

    __slots__ = ("item", "problems")

    def __init__(self, item: dict[str, Any], aliases: dict[str, str]) -> None:
        for alias, name in aliases.items():
            if alias in item and name not in item:
                item = {**item, name: item[alias]}
                del item[alias]
        self.item = item
        self.problems: dict[str, str] = {}

    def get(self, name: str) -> Any:
        return self.item.get(name)

    def text(self, name: str, longest: int) -> str:
        value = self.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.problems[name] = "must be a text"
            return ""
        if len(value) > longest:
            self.problems[name] = f"is {len(value):,} characters long; the limit is {longest:,}"
        return value

    def identifier(self, name: str) -> str:
        """A text of at most 200 characters; whole numbers are taken as their digits."""
        value = self.item.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return str(value)
        return self.text(name, 200)

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.problems[name] = "must be a number"
            return None
        if not low <= value <= high:
            self.problems[name] = f"must be between {low:,g} and {high:,g}"
            return None
        return value

    def whole(self, name: str, high: int = 2**31 - 1) -> int | None:
        value = self.number(name, 0, high)
        return None if value is None else round(value)

    def tags(self, name: str = "tags") -> tuple[str, ...]:
        value = self.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(tag, str) and len(tag) <= MAX_TAG for tag in value):
            self.problems[name] = f"must be a list of texts of at most {MAX_TAG} characters"
            return ()
        if len(value) > MAX_TAGS:
            self.problems[name] = f"has {len(value):,} entries; the limit is {MAX_TAGS}"
        return tuple(value)

    def moment(self, name: str) -> datetime | None:
        """ISO 8601 (UTC without an offset), or seconds or milliseconds since 1970."""
        value = self.get(name)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                found = datetime.fromisoformat(value)
                found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                found = datetime.fromtimestamp(value / 1000 if value >= 1e11 else value, UTC)
            else:
                raise ValueError
        except (ValueError, OverflowError, OSError):
            self.problems[name] = "must be a time such as 2026-03-04T12:00:00Z, or seconds since 1970"
            return None
        if found < EARLIEST:
            self.problems[name] = "is before the year 2000"
        return found

    def demand_good(self) -> None:
        """:raises Invalid: naming every field that was not acceptable."""
        if self.problems:
            first, reason = next(iter(self.problems.items()))
            raise Invalid(f"{first} {reason}.", fields=self.problems)

    def unknown(self, known: frozenset[str]) -> tuple[str, ...]:
        """A warning that names the fields that are not known, or nothing."""
        if self.item.keys() <= known:
            return ()
        names = sorted(name for name in self.item if name not in known)
        return (f"Not known, and not kept: {', '.join(name[:40] for name in names[:10])}.",)


def demand_size(body: bytes) -> None:
    """:raises TooLarge: for an event over the limit."""
    if len(body) > MAX_ITEM_BYTES:
        raise TooLarge(f"The event is {len(body):,} bytes; the limit is {MAX_ITEM_BYTES:,}.")


def demand_depth(value: Any) -> None:
    """:raises Invalid: when the value is nested too deeply to be stored and shown."""
    _descend(value, 0)


def _descend(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Invalid(f"The event is nested deeper than {MAX_DEPTH} levels.")
    for inner in value.values() if type(value) is dict else value:
        if type(inner) is dict or type(inner) is list:
            _descend(inner, depth + 1)
