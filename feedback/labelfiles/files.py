"""Files of labels: CSV, JSON or JSONL as rows, and which of the columns that a mapping names they lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from evals import importers
from feedback.labelfiles.tables import Mapping
from llmops.common import text
from llmops.common.errors import DomainError, Invalid

Json = Any
MAX_BYTES = 10 * 1024 * 1024
MOST_ROWS = 200_000
SHOWN_COLUMNS = 20


def rows_in(file: BinaryIO, name: str) -> list[dict[str, Json]]:
    """Every row of the file.

    :raises Invalid: for a file that is no table, or whose row cannot be read, naming its line.
    """
    try:
        found = []
        for record in importers.records(file, importers.options_of(file, name)):
            if isinstance(record, importers.Problem):
                at = f"line {record.line:,}" + (f", column {record.column}" if record.column else "")
                raise Invalid(f"{at}: {record.reason}")
            found.append(record.values)
            if len(found) > MOST_ROWS:
                raise Invalid(f"At most {MOST_ROWS:,} rows at once.")
    except Invalid as error:
        raise Invalid(error.message, fields={"file": error.message}) from None
    if not found:
        raise Invalid("The file has no rows.", fields={"file": "has no rows"})
    return found


def json_in(file: BinaryIO, field: str) -> Json:
    """What the file holds, as JSON.

    :raises Invalid: at the field, for what is no JSON.
    """
    try:
        return text.loads(file.read(MAX_BYTES + 1), max_bytes=MAX_BYTES)
    except DomainError as error:
        raise Invalid(error.message, fields={field: error.message}) from None


def text_in(file: BinaryIO, field: str) -> str:
    """What the file holds, as text.

    :raises Invalid: at the field, for what is no UTF-8.
    """
    try:
        return file.read(MAX_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("The file is not UTF-8.", fields={field: f"not UTF-8 (byte {error.start + 1:,})"}) from None


def check_columns(rows: Sequence[Json], mapping: Mapping) -> None:
    """:raises Invalid: naming each part of the mapping whose column no row has."""
    known = {name for row in rows if isinstance(row, dict) for name in row}
    named = {
        "item": [mapping.item], "annotator": [mapping.annotator], "answer": [mapping.answer],
        "annotators": mapping.annotators, "adjudicator": [mapping.adjudicator], "gold": [mapping.gold],
        "inputs": mapping.inputs, "output": [mapping.output],
    }  # fmt: skip
    there = ", ".join(text.shown(name) for name in sorted(map(str, known))[:SHOWN_COLUMNS])
    wrong = {
        f"mapping.{part}": f"there is no column {text.shown(name)}; there are {there}"
        for part, names in named.items()
        for name in names
        if name and name not in known
    }
    if wrong:
        raise Invalid(next(iter(wrong.values())).capitalize() + ".", fields=wrong)
