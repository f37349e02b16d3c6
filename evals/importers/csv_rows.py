"""Rows of CSV files: strict quoting, and after a broken row reading goes on with the next line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from evals.importers.lines import Line, Lines
from evals.importers.rows import MAX_COLUMNS, MAX_NAME, MAX_ROW
from evals.importers.types import Options, Place, Problem, Record, excerpt
from llmops.common.errors import Invalid

DELIMITERS = (",", ";", "\t", "|")
MAX_LINES_OF_A_ROW = 20_000


class _RowTooLong(Exception):
    pass


class _Undecodable(Exception):
    def __init__(self, line: Line, at: int) -> None:
        super().__init__()
        self.line, self.at, self.byte = line, at, line.body[at]


class _LineTooLong(Exception):
    pass


def delimiter_of(head: str) -> str:
    """The separator that the header line uses most, outside quotation marks."""
    counts = dict.fromkeys(DELIMITERS, 0)
    quoted = False
    for character in head.splitlines()[0] if head.splitlines() else "":
        quoted ^= character == '"'
        if not quoted and character in counts:
            counts[character] += 1
    return max(DELIMITERS, key=lambda mark: counts[mark])


def header(file: BinaryIO, options: Options) -> tuple[list[str], Place]:
    """The columns' names, and where the first row begins.

    :raises Invalid: when there is no header that names each column once.
    """
    csv.field_size_limit(MAX_ROW)
    source = _Source(Lines(file, Place(), lone_cr=True), options)
    names: list[str] = []
    try:
        while not names:
            names = next(source.rows())
    except StopIteration:
        raise Invalid("The file is empty: the first line must name the columns.", code="no_header") from None
    except (csv.Error, _RowTooLong, _LineTooLong, _Undecodable) as error:
        raise Invalid(f"The first line cannot be read: {_words(error)}.", code="no_header") from None
    names = [name.strip() or f"column {place}" for place, name in enumerate(names, start=1)]
    if len(names) > MAX_COLUMNS:
        raise Invalid(f"The file has {len(names):,} columns; the limit is {MAX_COLUMNS}.", code="too_many_columns")
    if any(len(name) > MAX_NAME for name in names):
        raise Invalid(f"A column's name is longer than {MAX_NAME} characters.", code="no_header")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"Two columns are named “{twice}”.", code="no_header")
    return names, source.lines.place


def read(file: BinaryIO, options: Options, start: Place) -> Iterator[Record | Problem]:
    """The rows from `start` on (from the first row if that is the file's beginning).

    :raises Invalid: when there is no good header.
    """
    names, first = header(file, options)
    source = _Source(Lines(file, start if start.offset > 0 else first, lone_cr=True), options)
    while True:
        rows = source.rows()
        try:
            for values in rows:
                if values:
                    yield _record(source, names, values)
                source.begin()
        except (csv.Error, _RowTooLong, _LineTooLong, _Undecodable) as error:
            yield _broken(source, error)
            source.recover()
            continue
        return


class _Source:
    """Feeds csv.reader one line at a time and remembers where the row began."""

    def __init__(self, lines: Lines, options: Options) -> None:
        self.lines = lines
        self.options = options
        self.begin()

    def begin(self) -> None:
        """The next line belongs to a new row."""
        self.first: Line | None = None
        self.size = self.count = 0

    def recover(self) -> None:
        """Forget the row; go on with the line after its first one."""
        if self.first is not None:
            self.lines.move_to(self.first.next)
        self.begin()

    def rows(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), delimiter=self.options.delimiter, strict=True)

    def _texts(self) -> Iterator[str]:
        while (line := self.lines.next()) is not None:
            if self.first is None:
                self.first = line
            self.size += len(line.body)
            self.count += 1
            if line.too_long:
                raise _LineTooLong
            if self.size > MAX_ROW or self.count > MAX_LINES_OF_A_ROW:
                raise _RowTooLong
            try:
                yield line.body.decode(self.options.encoding)
            except UnicodeDecodeError as error:
                raise _Undecodable(line, error.start) from None


def _record(source: _Source, names: list[str], values: list[str]) -> Record | Problem:
    assert source.first is not None
    line, after = source.first.number, source.lines.place
    if len(values) != len(names):
        reason = f"{len(values)} values where the header names {len(names)} columns"
        column = min(len(values), len(names)) + 1
        return Problem(line, column, reason, after, excerpt(source.first.body))
    return Record(dict(zip(names, values, strict=True)), line, after)


def _broken(source: _Source, error: Exception) -> Problem:
    first = source.first
    assert first is not None
    if isinstance(error, _Undecodable):
        reason = f"the byte 0x{error.byte:02X} is not UTF-8; save the file as UTF-8"
        place = _values_in(source, error.line.body[: error.at])
        return Problem(error.line.number, place, reason, first.next, excerpt(error.line.body))
    column = None if isinstance(error, _LineTooLong) else _values_in(source, first.body)
    return Problem(first.number, column, _words(error), first.next, excerpt(first.body))


def _words(error: Exception) -> str:
    if isinstance(error, _Undecodable):
        return f"the byte 0x{error.byte:02X} is not UTF-8"
    if isinstance(error, _LineTooLong):
        return f"the line is longer than {MAX_ROW:,} bytes"
    if isinstance(error, _RowTooLong) or "unexpected end" in str(error) or "field larger" in str(error):
        return "a quotation mark is opened and never closed"
    if "expected after" in str(error):
        return "a quotation mark stands inside a value; write it twice"
    return str(error)


def _values_in(source: _Source, body: bytes) -> int:
    """How many values the beginning of a line has: the last of them is where it broke."""
    text = body[:10_000].decode(source.options.encoding, "replace")
    return len(next(csv.reader([text], delimiter=source.options.delimiter), [""]))
