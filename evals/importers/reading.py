"""From a stored file to examples: find out what it is, show its beginning, read it from any place on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, TypeVar

from evals.importers import csv_rows, json_rows, mapping
from evals.importers.lines import BOM
from evals.importers.mapping import ColumnMapping
from evals.importers.rows import MAX_COLUMNS, ExampleRow
from evals.importers.types import Options, Place, Problem, Record, excerpt
from llmops.common.errors import Invalid

FORMATS = ("csv", "json", "jsonl")
ENCODINGS = ("utf-8", "cp1252")
SNIFFED = 64 * 1024
PREVIEWED = 8 * 1024 * 1024
_ENDINGS = {"csv": "csv", "tsv": "csv", "txt": "csv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl"}


@dataclass(frozen=True, slots=True)
class ExampleAt:
    """An example with the line where it stands in the file, and where the next row begins."""

    row: ExampleRow
    line: int
    next: Place


AnyItem = TypeVar("AnyItem", bound="ExampleAt | Problem | Record")


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a file as it would be imported. `is_whole` says that all of the file was read."""

    options: Options
    columns: list[str]
    mapping: ColumnMapping
    rows: list[ExampleAt]
    problems: list[Problem]
    is_whole: bool
    samples: dict[str, str] = field(default_factory=dict)


def options_of(file: BinaryIO, name: str) -> Options:
    """Format, encoding and separator, from the name's ending and the beginning of the file.

    :raises Invalid: for what is clearly none of the three formats.
    """
    file.seek(0)
    head = file.read(SNIFFED).removeprefix(BOM)
    if head[:4] in (b"PK\x03\x04", b"PAR1") or head[:2] == b"\x1f\x8b":
        raise Invalid("This is a compressed or binary file. Send CSV, JSON or JSONL.", code="not_text")
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    format_ = _ENDINGS.get(ending)
    first = head.lstrip()[:1]
    if format_ in (None, "json") and first == b"{":
        if not _is_object(head.lstrip().splitlines()[0]):
            raise Invalid("The file must hold an array of objects, or one object on each line.", code="no_array")
        format_ = "jsonl"
    elif format_ in (None, "jsonl") and first == b"[":
        format_ = "json"
    if format_ is None:
        format_ = "csv"
    encoding = "utf-8" if format_ != "csv" or _is_utf8(head) else "cp1252"
    delimiter = csv_rows.delimiter_of(head.decode(encoding, "replace")) if format_ == "csv" else ","
    return Options(format=format_, encoding=encoding, delimiter=delimiter)


def records(file: BinaryIO, options: Options, start: Place | None = None) -> Iterator[Record | Problem]:
    """The rows of the file as they are, from a place on.

    :raises Invalid: when the file cannot be read at all: no header, no array.
    """
    place = start or Place()
    if options.format == "csv":
        return csv_rows.read(file, options, place)
    return json_rows.read_array(file, place) if options.format == "json" else json_rows.read_lines(file, place)


def examples(
    file: BinaryIO, options: Options, columns: ColumnMapping, start: Place | None = None
) -> Iterator[ExampleAt | Problem]:
    """The examples of the file, from a place on; what cannot be one is a Problem with its line and column."""
    names = csv_rows.header(file, options)[0] if options.format == "csv" else []
    for record in records(file, options, start):
        if isinstance(record, Problem):
            yield record
            continue
        try:
            yield ExampleAt(columns.apply(record.values, from_text=bool(names)), record.line, record.next)
        except Invalid as error:
            yield _refused(record, error, columns, names)


def preview(file: BinaryIO, name: str, columns: ColumnMapping | None = None, *, most: int = 1_000) -> Preview:
    """The first `most` rows, with a suggested mapping unless one is given.

    :raises Invalid: when the file cannot be read at all.
    """
    options = options_of(file, name)
    found = _columns(file, options)
    if not found:
        raise Invalid("The file has no rows with named values.", code="no_rows")
    sample = next((row.values for row in islice(records(file, options), 50) if isinstance(row, Record)), {})
    chosen = columns or mapping.suggested(found, sample)
    rows: list[ExampleAt] = []
    problems: list[Problem] = []
    read = 0
    for item in _beginning(examples(file, options, chosen), most):
        read += 1
        if isinstance(item, Problem):
            problems.append(item)
        else:
            rows.append(item)
    return Preview(
        options=options,
        columns=found,
        mapping=chosen,
        rows=rows,
        problems=problems,
        is_whole=read < most and _is_at_end(file, rows, problems),
        samples={name: excerpt(str(sample.get(name, ""))) for name in found},
    )


def _columns(file: BinaryIO, options: Options) -> list[str]:
    """The header's names, or those of the first thousand objects in order of appearance."""
    if options.format == "csv":
        return csv_rows.header(file, options)[0]
    names: dict[str, None] = {}
    for row in _beginning(records(file, options), 1_000):
        if isinstance(row, Record):
            names.update(dict.fromkeys(row.values))
    if len(names) > MAX_COLUMNS:
        raise Invalid(f"The rows have {len(names):,} names; the limit is {MAX_COLUMNS}.", code="too_many_columns")
    return list(names)


def _beginning(items: Iterator[AnyItem], most: int) -> Iterator[AnyItem]:
    """The first items, fewer when they are large: what is shown must fit into memory."""
    for item in islice(items, most):
        yield item
        if item.next.offset > PREVIEWED:
            return


def _is_at_end(file: BinaryIO, rows: list[ExampleAt], problems: list[Problem]) -> bool:
    ends = [row.next.offset for row in rows[-1:]] + [problem.next.offset for problem in problems[-1:]]
    read_to = max(ends, default=0)
    file.seek(0, 2)
    return read_to <= PREVIEWED or read_to >= file.tell()


def _refused(record: Record, error: Invalid, columns: ColumnMapping, names: list[str]) -> Problem:
    place, reason = next(iter(error.fields.items()), ("", error.message.rstrip(".")))
    column = columns.column_of(place) if place else None
    number = names.index(column) + 1 if column in names else None
    where = f"{column or place}: " if column or place else ""
    return Problem(record.line, number, f"{where}{reason}", record.next, excerpt(str(record.values)))


def _is_object(line: bytes) -> bool:
    """Whether a line is an object of its own, or the beginning of one that is longer than what was looked at."""
    return line.rstrip().endswith(b"}") or len(line) > SNIFFED // 2


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3  # the last character may be cut
    return True
