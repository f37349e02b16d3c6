"""A few texts sought among very many: which stored row does each repeat?"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np

from evals.doctor import shingles


class Needles:
    """Normalised texts, compared with rows one by one by the Jaccard similarity of their shingles."""

    def __init__(self, texts: Sequence[str], *, threshold: float) -> None:
        self._sets = [shingles.of(text) for text in texts]
        self._all = np.unique(np.concatenate([*self._sets, np.empty(0, dtype=np.uint64)]))
        self._threshold = threshold
        self.found: dict[int, tuple[uuid.UUID, float]] = {}  # place of the text -> the row most like it

    def look_at(self, key: uuid.UUID, text: str) -> None:
        """Remember the row where it is the most alike yet, and at least as alike as the threshold."""
        of_row = shingles.of(text)
        # A row as alike as that has at least this share of its shingles in the text, and so in all texts together.
        if shingles.contained(of_row, self._all) < self._threshold:
            return
        for place, of_text in enumerate(self._sets):
            likeness = shingles.jaccard(of_row, of_text)
            if likeness >= max(self._threshold, self.found.get(place, (key, 0.0))[1]):
                self.found[place] = (key, likeness)

    def among_themselves(self) -> dict[int, tuple[int, float]]:
        """For each text that repeats an earlier one: that one's place, and how alike they are."""
        found = {}
        for place, one in enumerate(self._sets):
            for earlier in range(place):
                likeness = shingles.jaccard(one, self._sets[earlier])
                if likeness >= self._threshold and place not in found:
                    found[place] = (earlier, likeness)
        return found
