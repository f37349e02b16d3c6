"""Packed counts add up to what was counted."""

from __future__ import annotations

import hashlib
import random

from feedback import tallies


def test_the_sum_of_packed_histograms_is_the_histogram_of_all() -> None:
    dice = random.Random(1)
    for size in [0, 1, 2, 5, 40]:
        expected: dict[int, int] = {}
        total = 0
        for _ in range(20):
            part = {dice.randrange(460): dice.randrange(1, 2**24) for _ in range(dice.randrange(size + 1))}
            total += tallies.histogram(tallies.pack_histogram(part))
            for bucket, count in part.items():
                expected[bucket] = expected.get(bucket, 0) + count
        assert tallies.counts(total) == expected


def test_packed_voters_add_up() -> None:
    dice = random.Random(2)
    expected: tallies.Voters = {}
    packed = tallies.pack_voters({})
    for _ in range(50):
        part = {dice.choice([0, 9, 65_535, dice.randrange(65_536)]): (dice.randrange(9), 9) for _ in range(5)}
        packed += tallies.pack_voters(part)
        for group, (ups, votes) in part.items():
            before = expected.get(group, (0, 0))
            expected[group] = (before[0] + ups, before[1] + votes)
    assert tallies.voters(packed) == expected
    assert tallies.voters(b"") == {}


def test_people_are_counted_exactly_when_few_and_within_a_percent_when_many() -> None:
    for count in [0, 1, 5, 100, 250]:
        assert tallies.people(range(count)) == count
    for count in [5_000, 50_000]:
        assert abs(tallies.people(map(group, range(count))) - count) < 0.01 * count
    assert tallies.people(range(tallies.GROUPS)) == tallies.GROUPS


def group(number: int) -> int:
    return tallies.group_of("u:" + hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest())
