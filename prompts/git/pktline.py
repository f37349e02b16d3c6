"""git's packet lines: four hexadecimal digits of length, then the bytes; and the bands that share one answer."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from llmops.common.errors import Invalid

MAX_PACKET = 65_520
BAND_ROOM = MAX_PACKET - 5
PACK_BAND, TEXT_BAND = 1, 2


class ProtocolProblem(Invalid):
    """The client did not speak git's protocol, or asked for what is not there."""

    code = "git_protocol"


class Mark(enum.Enum):
    """Packets without bytes."""

    FLUSH = b"0000"
    DELIMITER = b"0001"
    END = b"0002"


_MARKS = {0: Mark.FLUSH, 1: Mark.DELIMITER, 2: Mark.END}


def line(text: str | bytes) -> bytes:
    """One packet."""
    data = text.encode() if isinstance(text, str) else text
    return b"%04x" % (len(data) + 4) + data


def lines(body: bytes) -> Iterator[tuple[bytes | Mark, int]]:
    """The packets of a body, each with the place where the next one starts.

    :raises ProtocolProblem: at the first one that is none.
    """
    at = 0
    while at < len(body):
        size = _size(body[at : at + 4])
        if size in _MARKS:
            at += 4
            yield _MARKS[size], at
            continue
        if size == 3 or size > MAX_PACKET or at + size > len(body):
            raise ProtocolProblem("A packet's length is wrong.")
        at += size
        yield body[at - size + 4 : at], at


def _size(digits: bytes) -> int:
    if len(digits) != 4 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise ProtocolProblem("This is not git's protocol: a packet starts with four hexadecimal digits.")
    return int(digits, 16)


def banded(band: int, data: bytes) -> Iterator[bytes]:
    """The bytes as packets of one band."""
    view = memoryview(data)
    for at in range(0, len(view), BAND_ROOM):
        yield line(bytes([band]) + view[at : at + BAND_ROOM])
