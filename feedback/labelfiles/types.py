"""What every format is read into and written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Given:
    """One person's answers, by question; none, and a reason, when the person skipped the item."""

    who: str
    answers: dict[str, Json]
    skipped: str = ""
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What stood in the end, and who decided it; nobody when everybody agreed. A `reason` of None says that the
    file knows none."""

    answers: dict[str, Json]
    by: str = ""
    method: str = "adjudicated"
    reason: str | None = None


@dataclass(slots=True)
class LabeledItem:
    """One thing with what people said about it; `key` names it in its file, `place` says where it stands there."""

    key: str
    snapshot: dict[str, Json] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    decision: Decision | None = None
    gold: dict[str, Json] | None = None
    title: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of a file that a queue has no place for: what, how often, and where it stands first."""

    what: str
    count: int
    first: str


class LeftOuts:
    """Gathers what is left out, so that a person is told all of it."""

    def __init__(self, before: Sequence[LeftOut] = ()) -> None:
        self._found = {one.what: one for one in before}

    def add(self, what: str, place: str, count: int = 1) -> None:
        there = self._found.get(what)
        self._found[what] = LeftOut(what, count + (there.count if there else 0), there.first if there else place)

    def listed(self) -> tuple[LeftOut, ...]:
        return tuple(self._found.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """What another tool's settings ask: the questions as a rubric takes them, by the names that they have there.

    `output` names the part of an item whose text is the output, `candidates` the parts that are compared.
    """

    questions: list[dict[str, Json]]
    keys: dict[str, str]
    guidelines: str = ""
    output: str = ""
    candidates: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """A whole file: its items, and what of it has no place in a queue."""

    items: list[LabeledItem]
    left_out: tuple[LeftOut, ...]
