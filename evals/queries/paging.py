"""Pages of a list that stay put while rows come and go: the cursor holds the last row's sort values."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Q, QuerySet

RowT = TypeVar("RowT")
ShownT = TypeVar("ShownT")
SIZE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Rows `first` to `last` (counted from 1), and the cursors of the pages beside it."""

    rows: list[RowT]
    first: int
    last: int
    previous: str | None
    next: str | None

    def map(self, show: Callable[[RowT], ShownT]) -> Page[ShownT]:
        """The same page with each row as `show` makes it."""
        return Page([show(row) for row in self.rows], self.first, self.last, self.previous, self.next)


def page(rows: QuerySet[Any], *, order: Sequence[str], cursor: str = "", size: int = SIZE) -> Page[Any]:
    """One page of rows ordered by `order` (names, `-` for descending; the last one unique).

    A cursor that nobody made shows the first page.
    """
    names = [name.removeprefix("-") for name in order]
    backwards, values, offset = _read(cursor, len(names))
    steps = list(order)
    if backwards:
        steps = [name.removeprefix("-") if name.startswith("-") else f"-{name}" for name in steps]
    if values:
        rows = rows.filter(_beyond(steps, values))
    found = list(rows.order_by(*steps)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
        offset = max(offset - len(found), 0)
    has_previous = more if backwards else bool(values)
    has_next = bool(values) if backwards else more
    return Page(
        rows=found,
        first=offset + 1 if found else 0,
        last=offset + len(found),
        previous=_write("p", found[0], names, offset) if has_previous and found else None,
        next=_write("n", found[-1], names, offset + len(found)) if has_next and found else None,
    )


def starting_at(values: Sequence[Any], *, first: int) -> str:
    """The cursor of the page that begins after the sort values `values` and whose first row is number `first`."""
    return _encode(["n", first - 1, *values])


def _beyond(steps: Sequence[str], values: Sequence[Any]) -> Q:
    """The rows after these values. The bound on the first name alone is what an index can begin at."""
    condition = Q()
    equal = Q()
    for step, value in zip(steps, values, strict=True):
        name = step.removeprefix("-")
        condition |= equal & Q(**{f"{name}__{'lt' if step.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    first = steps[0].removeprefix("-")
    return condition & Q(**{f"{first}__{'lte' if steps[0].startswith('-') else 'gte'}": values[0]})


def _write(direction: str, row: Any, names: Sequence[str], offset: int) -> str:
    return _encode([direction, offset, *[getattr(row, name) for name in names]])


def _encode(parts: Sequence[Any]) -> str:
    text = json.dumps(parts)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, length: int) -> tuple[bool, list[Any], int]:
    if not cursor or len(cursor) > 500:
        return False, [], 0
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return False, [], 0
    if not isinstance(raw, list) or len(raw) != length + 2 or raw[0] not in ("n", "p"):
        return False, [], 0
    if not all(_is_plain(value) for value in raw[1:]) or not isinstance(raw[1], int):
        return False, [], 0
    return raw[0] == "p", raw[2:], max(raw[1], 0)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" not in value and value.isprintable()
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
