"""What the readers of files share: a row with its place, or what is wrong at a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evals.importers.rows import MAX_ROW

Json = Any

MAX_LINE = MAX_ROW + 64 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row begins: the byte in the file and the line, counted from 1."""

    offset: int = 0
    line: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One row as the file has it, the line where it begins, and where the next one begins."""

    values: dict[str, Json]
    line: int
    next: Place


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be read. `column` counts from 1: values in CSV, characters in JSON."""

    line: int
    column: int | None
    reason: str
    next: Place
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is read: `csv`, `json` or `jsonl`; the last two settings are for CSV."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","


def excerpt(raw: bytes | str) -> str:
    """The beginning of a row as a report shows it, always storable."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    line = " ".join(text[:300].replace("\x00", "\ufffd").encode("utf-8", "replace").decode().split())
    return line[:119] + "…" if len(line) > 120 else line
