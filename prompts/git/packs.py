"""Packs: read one from a client within limits, and write one from rows.

Nothing is trusted: objects are counted, every inflated byte is counted while inflating, deltas while applying.
Rows hold each object as zlib stored it, so writing a pack copies bytes and compresses nothing.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from llmops.common.errors import Invalid

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_OFFSET_DELTA, _NAMED_DELTA = 6, 7
_BITE = 16 * 1024


class PackProblem(Invalid):
    """The pack is broken or over a limit."""

    code = "git_pack"


class Raw(NamedTuple):
    """An object without its header."""

    type: int
    data: bytes


class Stored(NamedTuple):
    """An object as its row keeps it: `packed` is the zlib stream of `size` bytes."""

    type: int
    size: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What one push may hold."""

    objects: int = 50_000
    object_bytes: int = 16 * 1024 * 1024
    inflated_bytes: int = 128 * 1024 * 1024


Bases = Callable[[Iterable[bytes]], Mapping[bytes, Raw]]


def name_of(raw: Raw) -> bytes:
    """The object's hash, 20 bytes."""
    return hashlib.sha1(b"%s %d\0" % (NAMES[raw.type], len(raw.data)) + raw.data, usedforsecurity=False).digest()


def read(pack: bytes, *, bases: Bases, limits: Limits | None = None) -> dict[bytes, Raw]:
    """The objects of a pack by hash. `bases` finds objects outside the pack that deltas start from.

    :raises PackProblem: saying what is wrong, or which limit was reached.
    """
    return _Reader(pack, limits or Limits()).objects(bases)


class _Reader:
    def __init__(self, pack: bytes, limits: Limits) -> None:
        self.pack = pack
        self.limits = limits
        self.inflated = 0
        self.found: dict[bytes, Raw] = {}
        self.at_offset: dict[int, Raw] = {}
        # Deltas wait for their base, which is known by its place in the pack or by its hash.
        self.waiting: dict[int | bytes, list[tuple[int, bytes]]] = {}
        self.ready: deque[tuple[int, Raw]] = deque()

    def objects(self, bases: Bases) -> dict[bytes, Raw]:
        at = 12
        for _ in range(self._count()):
            at = self._entry(at)
        if at != len(self.pack) - 20:
            raise PackProblem("the pack has bytes after its last object")
        for sha, raw in bases(key for key in self.waiting if isinstance(key, bytes)).items():
            self._release(sha, raw)
        self._settle()
        if self.waiting:
            raise PackProblem("a delta starts from an object that is not there")
        return self.found

    def _count(self) -> int:
        if len(self.pack) < 32 or self.pack[:4] != b"PACK":
            raise PackProblem("this is not a pack")
        version, count = struct.unpack(">II", self.pack[4:12])
        if version != 2:
            raise PackProblem("only packs of version 2 are accepted")
        if count > self.limits.objects:
            raise PackProblem(f"the push has {count:,} objects; at most {self.limits.objects:,} are accepted at once")
        if hashlib.sha1(memoryview(self.pack)[:-20], usedforsecurity=False).digest() != self.pack[-20:]:
            raise PackProblem("the pack's checksum is wrong")
        return int(count)

    def _entry(self, start: int) -> int:
        kind, size, at = self._header(start)
        base: int | bytes | None = None
        if kind == _OFFSET_DELTA:
            back, at = self._distance(at)
            base = start - back
            if back <= 0 or base < 12:
                raise PackProblem("a delta points outside the pack")
        elif kind == _NAMED_DELTA:
            base, at = self.pack[at : at + 20], at + 20
        elif kind not in NAMES:
            raise PackProblem("an object has an unknown type")
        data, at = self._inflate(at, size)
        known = self.at_offset.get(base) if isinstance(base, int) else self.found.get(base or b"")
        if base is None:
            self.ready.append((start, Raw(kind, data)))
        elif known is not None:
            self.ready.append((start, self._patched(known, data)))
        else:
            self.waiting.setdefault(base, []).append((start, data))
        self._settle()
        return at

    def _settle(self) -> None:
        """Name what is complete, and complete what waited for it."""
        while self.ready:
            start, raw = self.ready.popleft()
            sha = name_of(raw)
            self.found[sha] = self.at_offset[start] = raw
            self._release(start, raw)
            self._release(sha, raw)

    def _release(self, base: int | bytes, raw: Raw) -> None:
        for start, delta in self.waiting.pop(base, ()):
            self.ready.append((start, self._patched(raw, delta)))

    def _patched(self, base: Raw, delta: bytes) -> Raw:
        return Raw(base.type, apply(base.data, delta, spend=self._spend))

    def _spend(self, size: int) -> None:
        if size > self.limits.object_bytes:
            raise PackProblem(f"a file has more than {self.limits.object_bytes // 2**20} MB")
        self.inflated += size
        if self.inflated > self.limits.inflated_bytes:
            raise PackProblem(f"the push unpacks to more than {self.limits.inflated_bytes // 2**20} MB")

    def _byte(self, at: int) -> int:
        if at >= len(self.pack) - 20:
            raise PackProblem("the pack ends too early")
        return self.pack[at]

    def _header(self, at: int) -> tuple[int, int, int]:
        byte = self._byte(at)
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 0x80:
            at += 1
            byte = self._byte(at)
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 40:
                raise PackProblem("an object is too large")
        return kind, size, at + 1

    def _distance(self, at: int) -> tuple[int, int]:
        byte = self._byte(at)
        back = byte & 0x7F
        while byte & 0x80:
            at += 1
            byte = self._byte(at)
            back = (back + 1 << 7) | byte & 0x7F
            if back > len(self.pack):
                raise PackProblem("a delta points outside the pack")
        return back, at + 1

    def _inflate(self, at: int, size: int) -> tuple[bytes, int]:
        """`size` bytes from the zlib stream at `at`, and the place after it."""
        self._spend(size)
        inflater, out, end = zlib.decompressobj(), bytearray(), len(self.pack) - 20
        # Small bites: zlib hands back what it did not need, and copying the rest of the pack each time is quadratic.
        bite = min(_BITE, size + 64)
        try:
            while not inflater.eof:
                if at >= end:
                    raise PackProblem("the pack ends too early")
                piece = self.pack[at : min(at + bite, end)]
                out += inflater.decompress(piece, size - len(out) + 1)
                at += len(piece)
                if len(out) > size:
                    raise PackProblem("an object is larger than it says")
        except zlib.error:
            raise PackProblem("an object's compressed bytes are broken") from None
        if len(out) != size:
            raise PackProblem("an object is smaller than it says")
        return bytes(out), at - len(inflater.unused_data)


def apply(base: bytes, delta: bytes, *, spend: Callable[[int], None]) -> bytes:
    """The object that a delta makes from its base; `spend` is told the size before anything is built.

    :raises PackProblem: when the delta is broken.
    """
    try:
        source, at = _varint(delta, 0)
        size, at = _varint(delta, at)
        if source != len(base):
            raise PackProblem("a delta does not fit its base")
        spend(size)
        out = bytearray()
        while at < len(delta):
            at = _instruction(base, delta, at, out)
            if len(out) > size:
                raise PackProblem("a delta makes more than it says")
    except IndexError:
        raise PackProblem("a delta ends too early") from None
    if len(out) != size:
        raise PackProblem("a delta makes less than it says")
    return bytes(out)


def _instruction(base: bytes, delta: bytes, at: int, out: bytearray) -> int:
    code, at = delta[at], at + 1
    if not code & 0x80:
        if code == 0 or at + code > len(delta):
            raise PackProblem("a delta is broken")
        out += delta[at : at + code]
        return at + code
    offset = length = 0
    for bit in range(4):
        if code & 1 << bit:
            offset |= delta[at] << 8 * bit
            at += 1
    for bit in range(3):
        if code & 0x10 << bit:
            length |= delta[at] << 8 * bit
            at += 1
    length = length or 0x10000
    if offset + length > len(base):
        raise PackProblem("a delta copies from outside its base")
    out += base[offset : offset + length]
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 40:
            raise PackProblem("a delta is too large")


def write(objects: Iterable[Stored], count: int) -> bytes:
    """A pack of `count` stored objects, without deltas."""
    out = bytearray(b"PACK" + struct.pack(">II", 2, count))
    for kind, size, packed in objects:
        byte, rest = kind << 4 | size & 15, size >> 4
        while rest:
            out.append(byte | 0x80)
            byte, rest = rest & 0x7F, rest >> 7
        out.append(byte)
        out += packed
    out += hashlib.sha1(out, usedforsecurity=False).digest()
    return bytes(out)
