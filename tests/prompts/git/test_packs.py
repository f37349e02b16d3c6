"""Packs are read within limits and written so that git understands them; dulwich is the independent source."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest
from dulwich.object_format import SHA1
from dulwich.objects import Blob, ShaFile
from dulwich.pack import PackData, create_delta, write_pack_objects
from hypothesis import given
from hypothesis import strategies as st

from prompts.git import packs
from prompts.git.packs import Limits, PackProblem, Raw, Stored


def nothing(_: Iterable[bytes]) -> dict[bytes, Raw]:
    return {}


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha1(body).digest()


def header(count: int) -> bytes:
    return b"PACK" + struct.pack(">II", 2, count)


def entry(kind: int, size: int, rest: bytes) -> bytes:
    """An entry's head with a size that fits four bits or more, and what follows."""
    out, byte, size = bytearray(), kind << 4 | size & 15, size >> 4
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*out, byte]) + rest


def packed(objects: list[ShaFile], *, deltify: bool) -> bytes:
    out = io.BytesIO()
    write_pack_objects(out.write, [(one, None) for one in objects], deltify=deltify, object_format=SHA1)
    return out.getvalue()


@given(st.lists(st.binary(max_size=3_000), max_size=6), st.booleans())
def test_every_pack_that_dulwich_writes_is_read(texts: list[bytes], deltify: bool) -> None:
    blobs = {Blob.from_string(text + b"x" * 200 * (deltify)).id: text for text in texts}
    objects = [Blob.from_string(text + b"x" * 200 * (deltify)) for text in blobs.values()]
    found = packs.read(packed(objects, deltify=deltify), bases=nothing)
    assert {sha.hex().encode(): raw.data for sha, raw in found.items()} == {
        one.id: one.as_raw_string() for one in objects
    }


def test_deltas_whose_base_comes_later_or_is_not_in_the_pack_are_resolved() -> None:
    base, other = Blob.from_string(b"a" * 500 + b"end"), Blob.from_string(b"a" * 500 + b"END")
    delta = b"".join(create_delta(base.as_raw_string(), other.as_raw_string()))
    named = entry(7, len(delta), bytes.fromhex(base.id.decode()) + zlib.compress(delta))
    whole = entry(3, base.raw_length(), zlib.compress(base.as_raw_string()))
    later = packs.read(sealed(header(2) + named + whole), bases=nothing)
    stored = {bytes.fromhex(base.id.decode()): Raw(packs.BLOB, base.as_raw_string())}
    outside = packs.read(sealed(header(1) + named), bases=lambda _: stored)
    wanted = bytes.fromhex(other.id.decode())
    assert later[wanted] == outside[wanted] == Raw(packs.BLOB, other.as_raw_string())


def test_a_written_pack_is_read_by_dulwich() -> None:
    texts = [b"", b"short", b"long " * 10_000]
    pack = packs.write((Stored(packs.BLOB, len(text), zlib.compress(text)) for text in texts), len(texts))
    with PackData.from_file(io.BytesIO(pack), object_format=SHA1, size=len(pack)) as data:
        data.check()
        assert sorted(b"".join(one.obj_chunks) for one in data.iter_unpacked()) == sorted(texts)


GOOD = entry(3, 5, zlib.compress(b"hello"))


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (b"", "not a pack"),
        (sealed(b"PICK" + header(0)[4:] + bytes(20)), "not a pack"),
        (sealed(b"PACK" + struct.pack(">II", 3, 1) + GOOD), "version 2"),
        (header(1) + GOOD + bytes(20), "checksum"),
        (sealed(header(2) + GOOD), "too early"),
        (sealed(header(1) + GOOD + GOOD), "after its last object"),
        (sealed(header(1) + GOOD[:-4]), "too early"),
        (sealed(header(1) + entry(3, 4, zlib.compress(b"hello"))), "larger than it says"),
        (sealed(header(1) + entry(3, 6, zlib.compress(b"hello"))), "smaller than it says"),
        (sealed(header(1) + entry(3, 5, b"\xff" * 40)), "compressed bytes"),
        (sealed(header(1) + entry(5, 5, zlib.compress(b"hello"))), "unknown type"),
        (sealed(header(1) + entry(0, 5, zlib.compress(b"hello"))), "unknown type"),
        (sealed(header(1) + entry(7, 5, bytes(20) + zlib.compress(b"\5\5abc"))), "not there"),
        (sealed(header(1) + entry(6, 5, b"\x05" + zlib.compress(b"hello"))), "outside the pack"),
        (sealed(header(1) + entry(6, 5, b"\x00" + zlib.compress(b"hello"))), "outside the pack"),
        (sealed(header(1) + entry(6, 5, b"\xff" * 30)), "outside the pack"),
        (sealed(header(1) + b"\xbf" + b"\xff" * 60), "too large"),
        (sealed(header(4_000_000_000) + GOOD), "objects"),
    ],
)
def test_a_malformed_pack_is_refused_in_words(pack: bytes, words: str) -> None:
    with pytest.raises(PackProblem, match=words):
        packs.read(pack, bases=nothing)


@pytest.mark.parametrize(
    "delta",
    [
        b"", b"\x05", b"\x05\x05", b"\x06\x05\x05hello", b"\x05\x03\x05hello", b"\x05\x09\x05hello",
        b"\x05\x05\x00hello", b"\x05\x05\x91\x01\x05", b"\x05\x05\x90", b"\x05\x05\x7fhello", b"\x80" * 9,
    ],
)  # fmt: skip
def test_a_broken_delta_is_refused(delta: bytes) -> None:
    with pytest.raises(PackProblem):
        packs.apply(b"hello", delta, spend=lambda _: None)


def test_bombs_are_refused_before_they_are_large() -> None:
    zeros = zlib.compress(bytes(400_000_000), 9)
    honest = sealed(header(1) + entry(3, 400_000_000, zeros))
    lying = sealed(header(1) + entry(3, 1_000_000, zeros))
    # 200 deltas that each make 16 MB from nothing but copies of one base.
    copies = _varint(65_536) + _varint(16 * 2**20 - 65_536) + b"\x80" * 255
    base = bytes(65_536)
    deltas = entry(3, len(base), zlib.compress(base)) + b"".join(
        entry(7, len(copies), packs.name_of(Raw(3, base)) + zlib.compress(copies)) for _ in range(200)
    )
    many = sealed(header(1_000_000) + GOOD * 10)
    for pack in (honest, lying, sealed(header(201) + deltas), many):
        tracemalloc.start()
        with pytest.raises(PackProblem):
            packs.read(pack, bases=nothing)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 200 * 2**20


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_flipped_bits_are_refused_and_nothing_else_happens() -> None:
    objects = [Blob.from_string(f"text number {number} ".encode() * 20) for number in range(6)]
    pack = packed(objects, deltify=True)
    chance = random.Random(7)
    for _ in range(400):
        broken = bytearray(pack[:-20])
        broken[chance.randrange(4, len(broken))] ^= 1 << chance.randrange(8)
        try:
            found = packs.read(sealed(bytes(broken)), bases=nothing, limits=Limits(object_bytes=2**20))
        except PackProblem:
            continue
        assert all(packs.name_of(raw) == sha for sha, raw in found.items())
