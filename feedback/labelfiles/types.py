"""What every format is read into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass(frozen=True, slots=True)
class Given:
    """One person's answers, by question."""

    who: str
    answers: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Decision:
    """What stood in the end, and who decided it; nobody when everybody agreed."""

    answers: dict[str, Json]
    by: str = ""


@dataclass(slots=True)
class LabeledItem:
    """One thing with what people said about it; `key` names it in its file."""

    key: str
    snapshot: dict[str, Json] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    decision: Decision | None = None
    gold: dict[str, Json] | None = None
