"""Rows whose inputs stand in a prompt's own text, for example as a few-shot example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rapidfuzz import fuzz

from evals.doctor import shingles

LEAST_CHARACTERS = 20  # shorter texts, such as the name of a category, stand in many prompts by right
LEAST_SHARE = 0.9
MOST_TEXT = 20_000


class PromptTexts:
    """The texts of prompt versions by name, ready to be searched for many inputs."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {name: shingles.normalised(text) for name, text in texts.items()}
        self._sets = {name: shingles.of(text) for name, text in self._texts.items()}
        self._all = np.unique(np.concatenate([*self._sets.values(), np.empty(0, dtype=np.uint64)]))

    def holding(self, inputs: Mapping[str, object]) -> tuple[tuple[str, ...], float]:
        """Names of the prompts that hold one of the inputs, and the highest likeness (0 to 1); () and 0 for none.

        A prompt holds a text of at least LEAST_CHARACTERS when nine tenths of the text's shingles are in it and the
        best matching passage (`rapidfuzz.fuzz.partial_ratio`, an indel similarity) is nine tenths alike. Of longer
        texts the first MOST_TEXT characters are compared.
        """
        found: dict[str, float] = {}
        if not len(self._all):
            return (), 0.0
        for value in shingles.texts_in(inputs):
            text = shingles.normalised(value[:MOST_TEXT])
            if len(text) >= LEAST_CHARACTERS:
                for name, likeness in self._with(text):
                    found[name] = max(found.get(name, 0.0), likeness)
        return tuple(found), max(found.values(), default=0.0)

    def _with(self, text: str) -> Sequence[tuple[str, float]]:
        parts = shingles.of(text)
        if shingles.contained(parts, self._all) < LEAST_SHARE:
            return []
        near = [name for name, its in self._sets.items() if shingles.contained(parts, its) >= LEAST_SHARE]
        scored = [
            (name, fuzz.partial_ratio(text, self._texts[name]) / 100)
            for name in near
            if len(self._texts[name]) >= LEAST_SHARE * len(text)
        ]
        return [(name, likeness) for name, likeness in scored if likeness >= LEAST_SHARE]
