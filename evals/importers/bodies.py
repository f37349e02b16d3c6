"""Examples in the body of a request: all of them are good, or none is taken and each wrong one is named."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from evals.importers import json_rows, mapping, rows
from evals.importers.mapping import ColumnMapping
from evals.importers.rows import ExampleRow
from evals.importers.types import Place, Problem
from llmops.common.errors import Invalid

Json = Any

MAX_NAMED = 100
PLAIN_HINT = "; to send plain rows, name their columns with ?columns="


def from_lines(body: bytes, columns: ColumnMapping | str | None = None) -> list[ExampleRow]:
    """The examples of a JSONL body.

    :raises Invalid: with `line 3` or `line 3, column 7` in `fields` for each row that is not acceptable.
    """
    found: dict[str, Json] = {}
    wrong: dict[str, str] = {}
    for item in json_rows.read_lines(io.BytesIO(body), Place()):
        if isinstance(item, Problem):
            wrong[f"line {item.line}, column {item.column}" if item.column else f"line {item.line}"] = item.reason
        else:
            found[f"line {item.line}"] = item.values
    return _checked(found, wrong, columns)


def from_items(items: Iterable[Json], columns: ColumnMapping | str | None = None) -> list[ExampleRow]:
    """The examples of a JSON array.

    :raises Invalid: with `[3].inputs` in `fields` for each part of each item that is not acceptable.
    """
    return _checked({f"[{place}]": item for place, item in enumerate(items)}, {}, columns)


def _checked(items: Mapping[str, Json], wrong: dict[str, str], columns: ColumnMapping | str | None) -> list[ExampleRow]:
    good: list[ExampleRow] = []
    chosen = _mapping(items, columns)
    for where, item in items.items():
        try:
            good.append(rows.checked(item) if chosen is None else _mapped(item, chosen))
        except Invalid as error:
            hint = PLAIN_HINT if chosen is None and isinstance(item, dict) and "inputs" not in item else ""
            glue = "." if where.startswith("[") else ": "
            for place, reason in error.fields.items() or [("", error.message)]:
                wrong[f"{where}{glue}{place}".rstrip(": .")] = f"{reason}{hint}"
    if wrong:
        named = dict(list(wrong.items())[:MAX_NAMED])
        more = f"; the first {MAX_NAMED} are named" if len(wrong) > MAX_NAMED else ""
        raise Invalid(
            f"{len(wrong):,} things are wrong, and nothing was stored{more}.", fields=named, code="invalid_examples"
        )
    return good


def _mapping(items: Mapping[str, Json], columns: ColumnMapping | str | None) -> ColumnMapping | None:
    if columns != "auto":
        return columns if isinstance(columns, ColumnMapping) else None
    names: dict[str, None] = {}
    for item in items.values():
        if isinstance(item, dict):
            names.update(dict.fromkeys(item))
    return mapping.suggested(names, next((item for item in items.values() if isinstance(item, dict)), {}))


def _mapped(item: Json, chosen: ColumnMapping) -> ExampleRow:
    if not isinstance(item, dict):
        return rows.checked(item)
    return chosen.apply(item, from_text=False)
