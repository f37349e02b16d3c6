"""Lines of a file with their places, however they end, none longer than MAX_LINE in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from evals.importers.types import MAX_LINE, Place

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its ending; `too_long` lines hold only their beginning."""

    body: bytes
    number: int
    next: Place
    too_long: bool = False


class Lines:
    """Reads a seekable file line by line; ends are LF and CRLF, and with `lone_cr` a CR too."""

    def __init__(self, file: BinaryIO, start: Place, *, lone_cr: bool = False) -> None:
        self.file = file
        self.lone_cr = lone_cr
        self.move_to(start)

    def move_to(self, place: Place) -> None:
        """Continue at a place that an earlier line gave."""
        self.file.seek(place.offset)
        self.place = place

    def next(self) -> Line | None:
        """The next line, or None at the end. A byte order mark at the start of the file is skipped."""
        if self.place.offset == 0:
            self.place = Place(len(BOM) if self.file.read(len(BOM)) == BOM else 0, 1)
            self.file.seek(self.place.offset)
        body = self.file.readline(MAX_LINE)
        if not body:
            return None
        if self.lone_cr:
            body = self._until_lone_cr(body)
        number, offset = self.place.line, self.place.offset + len(body)
        too_long = len(body) >= MAX_LINE and not body.endswith((b"\n", b"\r"))
        if too_long:
            offset = self._skip(offset)
        self.place = Place(offset, number + 1)
        return Line(body=body[:400] if too_long else body, number=number, next=self.place, too_long=too_long)

    def _until_lone_cr(self, body: bytes) -> bytes:
        lone = body.find(b"\r", 0, -1)
        while lone >= 0 and body[lone + 1 : lone + 2] == b"\n":
            lone = body.find(b"\r", lone + 1, -1)
        if lone < 0:
            return body
        self.file.seek(self.place.offset + lone + 1)
        return body[: lone + 1]

    def _skip(self, offset: int) -> int:
        """Read on to the end of an over-long line."""
        while chunk := self.file.readline(MAX_LINE):
            offset += len(chunk)
            if chunk.endswith(b"\n"):
                break
        return offset
