"""Reading attributes: nested names such as `llm.input_messages.0.message.role`, and JSON inside of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmops.common.errors import DomainError
from llmops.common.text import loads

Json = Any
MOST_ENTRIES = 1_000
LONGEST_JSON = 1_000_000


def first(attributes: Mapping[str, Json], names: Iterable[str]) -> Json:
    """The value under the first of the names that says anything."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None


def opened(value: Json) -> Json:
    """JSON that travels as text, as JSON; any other text, and JSON that could not be stored, stays as it is."""
    if isinstance(value, str) and value[:1] in {"{", "[", '"'}:
        try:
            return loads(value, max_bytes=LONGEST_JSON)
        except DomainError:
            return value
    return value


def nested(attributes: Mapping[str, Json], prefix: str) -> list[dict[str, Json]]:
    """The entries below `prefix.<number>.`, in the order of their numbers, each as rest of the name to value."""
    entries: dict[int, dict[str, Json]] = {}
    start = f"{prefix}."
    for name, value in attributes.items():
        if not name.startswith(start):
            continue
        number, _, rest = name[len(start) :].partition(".")
        if number.isdecimal() and number.isascii() and len(number) < 10:
            entries.setdefault(int(number), {})[rest] = value
    return [entries[number] for number in sorted(entries)[:MOST_ENTRIES]]


def below(attributes: Mapping[str, Json], prefix: str) -> dict[str, Json]:
    """Rest of the name to value, for the names below `prefix.`."""
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in attributes.items() if name.startswith(start)}


def text(value: Json, longest: int) -> str:
    """A short text of a value, or nothing."""
    if isinstance(value, str):
        return value[:longest]
    return str(value)[:longest] if isinstance(value, int | float) and not isinstance(value, bool) else ""


def number(value: Json, high: float) -> float | None:
    """A number from 0 to `high`, also when it travels as text."""
    if isinstance(value, str) and len(value) <= 30:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= high else None
