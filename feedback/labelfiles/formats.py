"""The tools that queues are exchanged with: how their settings and records are read. One line for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback.labelfiles import argilla, label_studio
from feedback.labelfiles.types import Asked, Read
from feedback.rubrics import Question

Json = Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """One tool; `records` and `settings` are what it calls its two files."""

    title: str
    records: str
    settings: str
    settings_are_json: bool
    asked: Callable[[Json], Asked]
    read: Callable[[Sequence[Json], Sequence[Question], Asked | None, Mapping[str, str]], Read]


EXCHANGES = {
    "label_studio": Exchange(
        "Label Studio", "tasks", "labeling configuration", False, label_studio.asked, label_studio.read
    ),
    "argilla": Exchange("Argilla", "records", "settings", True, argilla.asked, argilla.read),
}
