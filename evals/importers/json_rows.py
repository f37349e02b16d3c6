"""Rows of JSON files: an array of objects read element by element, or one object on each line (JSONL)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from evals.importers.lines import BOM, Lines
from evals.importers.rows import MAX_ROW
from evals.importers.types import Place, Problem, Record, excerpt
from llmops.common import text
from llmops.common.errors import DomainError, Invalid

CHUNK = 16 * 1024
_MARKS = re.compile(rb'["\\\[\]{},]')
_SPACE = b" \t\r\n"


def read_lines(file: BinaryIO, start: Place) -> Iterator[Record | Problem]:
    """The objects of a JSONL file from `start` on; empty lines are skipped."""
    lines = Lines(file, start)
    while (line := lines.next()) is not None:
        if line.too_long:
            reason = f"the line is longer than {MAX_ROW:,} bytes"
            yield Problem(line.number, None, reason, line.next, excerpt(line.body))
        elif line.body.strip():
            yield _row(line.body, line.number, 0, line.next)


def read_array(file: BinaryIO, start: Place) -> Iterator[Record | Problem]:
    """The objects of a JSON array from `start` on, one in memory at a time.

    :raises Invalid: when the file does not begin with an array.
    """
    scanner = _Scanner(file, start)
    if start.offset == 0:
        scanner.enter()
    while True:
        mark = scanner.peek()
        if mark == b"]":
            if scanner.comma:
                yield Problem(scanner.line, scanner.column, "a comma before the end of the array", scanner.here)
            scanner.skip(1)
            if scanner.peek():
                yield Problem(scanner.line, scanner.column, "something follows the end of the array", scanner.end())
            return
        if not mark:
            yield Problem(scanner.line, scanner.column, "the array is never closed", scanner.end())
            return
        line, column = scanner.line, scanner.column
        body, too_long = scanner.element()
        after = scanner.here
        if too_long:
            yield Problem(line, column, f"the row is longer than {MAX_ROW:,} bytes", after, excerpt(body))
        elif body.strip(_SPACE):
            yield _row(body, line, column - 1, after)
        else:
            yield Problem(line, column, "a value is missing between two commas", after)


def _row(body: bytes, line: int, indent: int, after: Place) -> Record | Problem:
    """`indent` is how many characters of the first line stand before the body."""
    try:
        value: Any = text.loads(body.rstrip(_SPACE), max_bytes=MAX_ROW)
    except DomainError as error:
        # The strict reader keeps the decoder's own error as context: it knows the place.
        cause = error.__context__
        if isinstance(cause, json.JSONDecodeError):
            column = cause.colno + (indent if cause.lineno == 1 else 0)
            return Problem(line + cause.lineno - 1, column, f"not JSON: {cause.msg}", after, excerpt(body))
        return Problem(line, indent + 1, error.message.rstrip("."), after, excerpt(body))
    if not isinstance(value, dict):
        return Problem(line, indent + 1, "must be an object with names and values", after, excerpt(body))
    return Record(value, line, after)


class _Scanner:
    """Finds where the elements of an array begin and end without parsing them."""

    def __init__(self, file: BinaryIO, start: Place) -> None:
        self.file = file
        self.file.seek(start.offset)
        self.offset, self.line, self.column = start.offset, start.line, 1
        self.buffer = b""
        self.comma = False  # the last element was followed by one

    def enter(self) -> None:
        """Step behind the opening bracket.

        :raises Invalid: when there is none.
        """
        self._fill(len(BOM))
        if self.buffer.startswith(BOM):
            self.skip(len(BOM))
            self.column = 1
        if self.peek() != b"[":
            raise Invalid("The file must hold an array of objects: [{…}, {…}].", code="no_array")
        self.skip(1)

    @property
    def here(self) -> Place:
        return Place(self.offset, self.line)

    def peek(self) -> bytes:
        """The next byte that is not white space; empty at the end of the file."""
        while True:
            if not self.buffer and not self._fill(1):
                return b""
            rest = self.buffer.lstrip(_SPACE)
            self.skip(len(self.buffer) - len(rest))
            if rest:
                return rest[:1]

    def skip(self, count: int) -> None:
        """Move on; lines and columns are counted here alone."""
        passed, self.buffer = self.buffer[:count], self.buffer[count:]
        self.offset += len(passed)
        breaks = passed.count(b"\n")
        self.line += breaks
        tail = passed[passed.rfind(b"\n") + 1 :]
        self.column = (1 if breaks else self.column) + len(tail.decode("utf-8", "replace"))

    def element(self) -> tuple[bytes, bool]:
        """The bytes up to the next comma or closing bracket of the array, the comma skipped; and whether they were
        too many to keep."""
        depth, quoted, at = 0, False, 0
        kept = b""
        while True:
            mark = _MARKS.search(self.buffer, at)
            if mark is None:
                if len(self.buffer) > MAX_ROW:
                    kept = kept or self.buffer[:400]
                    self.skip(len(self.buffer))
                at = len(self.buffer)
                if not self._fill(at + 1):
                    return self._taken(len(self.buffer), kept)
                continue
            at = mark.end()
            sign = mark.group()
            if quoted:
                if sign == b"\\":
                    self._fill(at + 1)
                    at += 1
                quoted = sign != b'"'
            elif sign == b'"':
                quoted = True
            elif sign in b"[{":
                depth += 1
            elif depth == 0 and sign in b",]":
                taken = self._taken(mark.start(), kept)
                self.comma = sign == b","
                self.skip(1 if self.comma else 0)
                return taken
            elif sign in b"]}":
                depth -= 1

    def end(self) -> Place:
        """The end of the file: nothing more is read."""
        while self.buffer or self._fill(1):
            self.skip(len(self.buffer))
        return self.here

    def _taken(self, count: int, kept: bytes) -> tuple[bytes, bool]:
        body = self.buffer[:count]
        self.skip(count)
        return (kept, True) if kept else (body, len(body) > MAX_ROW)

    def _fill(self, count: int) -> bool:
        """Have at least `count` bytes in the buffer, if the file has them."""
        while len(self.buffer) < count:
            chunk = self.file.read(CHUNK)
            if not chunk:
                return False
            self.buffer += chunk
        return True
