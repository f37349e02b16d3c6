"""One line for each result, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from evals.reports.types import Head, Row, Scored

# What a spreadsheet takes for a formula: these at the beginning, behind blanks too, in their wide forms too
# (OWASP, CSV Injection). A tab or a line end at the beginning can push the rest into a cell of its own.
_FORMULA = re.compile(r"\A(?:[\t\r\n]|[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"\A[+-]?\d+(?:\.\d+)?\Z", re.ASCII)
FIXED = (
    "example", "row", "repeat", "inputs", "expected", "tags", "split", "output", "error_code", "error",
)  # fmt: skip
PARTS = ("", " unit", " state", " passed", " category", " reason")
UNITS = {"%": "share", "$": "USD"}
MEASURED = ("latency_ms", "tokens_in", "tokens_out", "cost_usd", "model", "from_cache")


def render(head: Head, rows: Iterable[Row]) -> Iterator[str]:
    """RFC 4180 in UTF-8, with a line of names first."""
    units = {one.name: one.unit for one in head.evaluators}
    scores = [f"{name}{part}" for name in units for part in PARTS]
    yield _line([*FIXED, *scores, *MEASURED])
    for row in rows:
        by_name = {one.evaluator: one for one in row.scores}
        yield _line(
            [
                *_fixed(row),
                *(cell for name, unit in units.items() for cell in _score(by_name.get(name), unit)),
                *_measured(row),
            ]
        )


def neutral(value: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would compute it; plain numbers stay as they are."""
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.match(value) else value


def _fixed(row: Row) -> list[Any]:
    return [
        row.example, row.position, row.repeat, _text(row.inputs), _text(row.expected), ", ".join(row.tags), row.split,
        row.output, row.error_code, row.error,
    ]  # fmt: skip


def _score(one: Scored | None, unit: str) -> list[Any]:
    """The value as it was measured, with what it counts beside it: “share” where 1 is 100 %."""
    if one is None:
        return [None] * len(PARTS)
    return [one.value, UNITS.get(unit, unit), one.state, _word(one.passed), one.category, one.reason]


def _measured(row: Row) -> list[Any]:
    return [row.latency_ms, row.tokens_in, row.tokens_out, row.cost_usd, row.model, _word(row.from_cache)]


def _word(value: bool | None) -> str:
    return "" if value is None else "true" if value else "false"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(
        [neutral(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in cells]
    )
    return buffer.getvalue()
