"""Groups of alike texts: nothing that a pairwise comparison links is missed or invented."""

from __future__ import annotations

import random

import numpy as np
import pytest

from evals.doctor import shingles
from evals.doctor.minhash import BANDS, Groups, Signatures

WORDS = [f"{a}{b}{c}" for a in ("ka", "mo", "ti", "ru") for b in ("lan", "sev", "pok") for c in ("dir", "bus", "net")]


def grouped(texts: list[str], threshold: float = 0.8) -> Groups:
    signatures = Signatures(len(texts))
    for place, text in enumerate(texts):
        signatures.add(place, shingles.of(text))
    return signatures.groups(lambda places: {place: texts[place] for place in places}, threshold=threshold)


def sets_of(groups: Groups) -> set[frozenset[int]]:
    members: dict[int, set[int]] = {}
    for place, root in enumerate(groups.root.tolist()):
        members.setdefault(root, set()).add(place)
    return {frozenset(group) for group in members.values()}


def by_all_pairs(texts: list[str], threshold: float) -> set[frozenset[int]]:
    """The answer by comparing every pair."""
    sets = [shingles.of(text) for text in texts]
    groups = [{place} for place in range(len(texts))]
    for a in range(len(texts)):
        for b in range(a):
            if shingles.jaccard(sets[a], sets[b]) >= threshold:
                left = next(group for group in groups if a in group)
                right = next(group for group in groups if b in group)
                if left is not right:
                    left |= right
                    groups.remove(right)
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9])
def test_groups_are_those_of_comparing_every_pair(threshold: float) -> None:
    chance = random.Random(7)
    texts = []
    for _ in range(60):
        words = [chance.choice(WORDS) for _ in range(15)]
        texts.append(" ".join(words))
        for _ in range(chance.randint(0, 3)):
            words[chance.randrange(15)] = chance.choice(WORDS)
            texts.append(" ".join(words))
    chance.shuffle(texts)
    found = grouped(texts, threshold)
    assert sets_of(found) == by_all_pairs(texts, threshold)
    assert found.is_complete
    assert all(threshold <= weakest <= 1.0 for weakest in found.weakest.values())


def test_signatures_estimate_the_likeness_without_bias() -> None:
    chance = random.Random(3)
    texts = ["".join(chance.choice("abcdefgh") for _ in range(400)) for _ in range(200)]
    halves = [text[:200] + other[200:] for text, other in zip(texts, texts[1:] + texts[:1], strict=True)]
    signatures = Signatures(400)
    for place, text in enumerate([*texts, *halves]):
        signatures.add(place, shingles.of(text))
    errors = [
        (signatures._values[place] == signatures._values[200 + place]).mean()
        - shingles.jaccard(shingles.of(texts[place]), shingles.of(halves[place]))
        for place in range(200)
    ]
    # A hundred hashes: standard error at most 0.05 each, 0.0036 for the mean of 200.
    assert abs(float(np.mean(errors))) < 0.012
    assert float(np.std(errors)) < 0.06


def test_empty_texts_are_like_nothing() -> None:
    assert sets_of(grouped(["", "", "something else entirely"])) == {frozenset({0}), frozenset({1}), frozenset({2})}


def test_every_band_is_told() -> None:
    signatures = Signatures(2)
    bands: list[int] = []
    signatures.groups(lambda places: {}, threshold=0.8, tick=bands.append)
    assert bands == list(range(1, BANDS + 1))
