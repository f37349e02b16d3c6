"""Packed counts that add up over hours: latencies by bucket, and votes by person. Pure.

A histogram is one large whole number with a lane of 32 bits for each bucket, so that adding two of them is one
addition whatever the number of buckets. People are told apart by 16 bits of their keyed hash: no page needs to know
who they are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping

LANE_BITS = 32
LANE_BYTES = LANE_BITS // 8
GROUPS = 1 << 16
_FIRST = struct.Struct("<H")
_VOTER = struct.Struct("<HII")

Voters = dict[int, tuple[int, int]]


def pack_histogram(counts: Mapping[int, int]) -> bytes:
    """Counts (below 2**32) by bucket (0 to 65,535) as bytes: the first bucket, then a lane for each up to the last."""
    if not counts:
        return b""
    first, last = min(counts), max(counts)
    lanes = b"".join(counts.get(bucket, 0).to_bytes(LANE_BYTES, "little") for bucket in range(first, last + 1))
    return _FIRST.pack(first) + lanes


def histogram(packed: bytes) -> int:
    """The packed histogram as a number: the sum of such numbers is the histogram of all of them."""
    if not packed:
        return 0
    (first,) = _FIRST.unpack_from(packed)
    return int.from_bytes(packed[2:], "little") << (LANE_BITS * int(first))


def counts(total: int) -> dict[int, int]:
    """Counts by bucket of a sum of histograms; empty buckets are left out."""
    lanes = total.to_bytes((total.bit_length() + 7) // 8 + LANE_BYTES, "little")
    found = struct.unpack_from(f"<{len(lanes) // LANE_BYTES}I", lanes)
    return {bucket: count for bucket, count in enumerate(found) if count}


def pack_voters(voters: Mapping[int, tuple[int, int]]) -> bytes:
    """(ups, votes) by group of people."""
    return b"".join(_VOTER.pack(group, *voters[group]) for group in sorted(voters))


def voters(packed: bytes) -> Voters:
    """(ups, votes) by group of packed voters, of one hour or of many joined end to end."""
    import numpy as np  # noqa: PLC0415 - only processes that compute load numpy

    rows = np.frombuffer(packed, dtype=[("group", "<u2"), ("ups", "<u4"), ("votes", "<u4")])
    groups, places = np.unique(rows["group"], return_inverse=True)
    ups, votes = (np.bincount(places, rows[name]).astype(int).tolist() for name in ("ups", "votes"))
    return dict(zip(groups.tolist(), zip(ups, votes, strict=True), strict=True))


def group_of(voter: str) -> int:
    """The group of a voter such as `u:3f9a…`: the first 16 bits of the keyed hash."""
    return int(voter[2:6], 16)


def people(groups: Iterable[int]) -> int:
    """How many people so many groups were, by linear counting (Whang, Vander-Zanden and Taylor 1990).

    Exact to the person up to about 250 people, within 1 % to 100,000; a full table says its own size.
    """
    taken = len(set(groups))
    if taken >= GROUPS:
        return GROUPS
    return round(-GROUPS * math.log1p(-taken / GROUPS))
