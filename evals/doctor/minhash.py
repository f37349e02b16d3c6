"""Groups of alike texts among very many, in memory that grows by 400 bytes a text.

MinHash signatures (Broder, *On the resemblance and containment of documents*, 1997) estimate the Jaccard similarity of
shingle sets; banding (*Mining of Massive Datasets*, section 3.4) finds pairs worth a look; every pair that counts is
then checked on the texts themselves, so that no estimate decides.

With 25 bands of 4 a pair of similarity 0.8 is looked at with probability 0.999998, one of 0.7 with 0.9990.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evals.doctor import shingles
from evals.doctor.shingles import Shingles

BANDS = 25
ROWS = 4
HASHES = BANDS * ROWS
MARGIN = 0.12  # three standard deviations of the estimate at 0.8: sqrt(0.8 · 0.2 / 100) = 0.04
NEIGHBOURS = 8
MOST_CHECKS = 500_000
_BLOCK = 4_096
_CHECKED_AT_ONCE = 256

TextsOf = Callable[[Sequence[int]], Mapping[int, str]]
Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Groups:
    """`root[i]` is the same for all texts of a group; `weakest[root]` is the least similarity of a checked link.

    `is_complete` is False when MOST_CHECKS pairs were looked at and more were left.
    """

    root: npt.NDArray[np.int64]
    weakest: dict[int, float]
    is_complete: bool


class Signatures:
    """MinHash signatures of up to `capacity` texts, numbered from 0."""

    def __init__(self, capacity: int) -> None:
        maker = np.random.default_rng(20_260_101)  # fixed: the same texts give the same groups
        self._factors = maker.integers(1, 2**63, HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._addends = maker.integers(0, 2**63, HASHES, dtype=np.uint64)
        self._values = np.zeros((capacity, HASHES), dtype=np.uint32)
        self._is_there = np.zeros(capacity, dtype=bool)

    def add(self, number: int, of: Shingles) -> None:
        """Keep the signature of text `number`; a text without shingles is like no other."""
        if not len(of):
            return
        lowest = np.full(HASHES, 2**32 - 1, dtype=np.uint32)
        for start in range(0, len(of), _BLOCK):
            part = of[start : start + _BLOCK]
            hashed = (self._factors[:, None] * part[None, :] + self._addends[:, None]) >> np.uint64(32)
            lowest = np.minimum(lowest, hashed.min(axis=1).astype(np.uint32))
        self._values[number] = lowest
        self._is_there[number] = True

    def groups(
        self,
        texts_of: TextsOf,
        *,
        threshold: float,
        united: Sequence[tuple[int, int]] = (),
        tick: Tick = lambda band: None,
    ) -> Groups:
        """Texts linked by pairs whose Jaccard similarity is at least `threshold` (single linkage).

        `texts_of` gives normalised texts by number, a few hundred at a time; `united` pairs are known to be equal;
        `tick` is told after each of the BANDS bands.
        """
        forest = _Forest(len(self._values))
        for left, right in united:
            forest.unite(left, right, 1.0)
        there = np.flatnonzero(self._is_there)
        failed: set[tuple[int, int]] = set()
        checks = 0
        for band in range(BANDS):
            order, keys = self._bucketed(there, band)
            for distance in range(1, NEIGHBOURS + 1):
                is_near = keys[distance:] == keys[:-distance]
                if not is_near.any():
                    break
                left, right = order[:-distance][is_near], order[distance:][is_near]
                for pairs in self._worth_a_look(left, right, forest, threshold):
                    if checks >= MOST_CHECKS:
                        return forest.groups(is_complete=False)
                    checks += _check(pairs, texts_of, forest, failed, threshold)
            tick(band + 1)
        return forest.groups(is_complete=True)

    def _bucketed(self, there: npt.NDArray[np.int64], band: int) -> tuple[npt.NDArray[np.int64], Shingles]:
        """Numbers and bucket of each text, equal buckets side by side."""
        part = self._values[there, band * ROWS : (band + 1) * ROWS].astype(np.uint64)
        keys = np.zeros(len(there), dtype=np.uint64)
        for column in range(ROWS):
            keys = keys * np.uint64(6_364_136_223_846_793_005) + part[:, column] + np.uint64(1)
        order = np.argsort(keys, kind="stable")
        return there[order], keys[order]

    def _worth_a_look(
        self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64], forest: _Forest, threshold: float
    ) -> list[npt.NDArray[np.int64]]:
        """Blocks of pairs that are not in one group yet and look alike enough by their signatures."""
        found = []
        for start in range(0, len(left), _BLOCK):
            a, b = left[start : start + _BLOCK], right[start : start + _BLOCK]
            apart = forest.roots(a) != forest.roots(b)
            a, b = a[apart], b[apart]
            alike = (self._values[a] == self._values[b]).mean(axis=1) >= threshold - MARGIN
            pairs = np.stack([a[alike], b[alike]], axis=1)
            found += [pairs[at : at + _CHECKED_AT_ONCE] for at in range(0, len(pairs), _CHECKED_AT_ONCE)]
        return found


class _Forest:
    """Union-find over numbers, with the weakest link of each tree."""

    def __init__(self, size: int) -> None:
        self.parent = np.arange(size, dtype=np.int64)
        self.weakest: dict[int, float] = {}

    def root(self, number: int) -> int:
        parent = self.parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = int(parent[number])
        return number

    def roots(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        found = self.parent[numbers]
        while (further := self.parent[found])[further != found].size:
            found = further
        return found

    def unite(self, a: int, b: int, similarity: float) -> None:
        a, b = sorted((self.root(a), self.root(b)))
        if a == b:
            return
        self.parent[b] = a
        self.weakest[a] = min(self.weakest.get(a, 1.0), self.weakest.pop(b, 1.0), similarity)

    def groups(self, *, is_complete: bool) -> Groups:
        return Groups(self.roots(np.arange(len(self.parent))), self.weakest, is_complete)


def _check(
    pairs: npt.NDArray[np.int64],
    texts_of: TextsOf,
    forest: _Forest,
    failed: set[tuple[int, int]],
    threshold: float,
) -> int:
    """Unite the pairs that are alike by their texts; returns how many were compared."""
    wanted = [(int(a), int(b)) for a, b in pairs if (int(a), int(b)) not in failed]
    texts = texts_of(sorted({number for pair in wanted for number in pair}))
    sets: dict[int, Shingles] = {}
    compared = 0
    for a, b in wanted:
        if a not in texts or b not in texts or forest.root(a) == forest.root(b):
            continue
        for number in (a, b):
            if number not in sets:
                sets[number] = shingles.of(texts[number])
        compared += 1
        similarity = shingles.jaccard(sets[a], sets[b])
        if similarity >= threshold:
            forest.unite(a, b, similarity)
        else:
            failed.add((a, b))
    return compared
