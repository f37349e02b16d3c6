"""Texts as sets of character n-grams (shingles), which is how likeness of inputs is measured.

Source: Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, chapter 3 (shingling, Jaccard similarity).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

LENGTH = 4  # characters of a shingle: small enough that one typing error in forty characters keeps 0.8

Json = Any
Shingles = npt.NDArray[np.uint64]

_BASE = np.uint64(1_099_511_628_211)


def normalised(text: str) -> str:
    """The text without what does not change its meaning: case, width and composition of letters, runs of spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def texts_in(value: Json) -> Iterator[str]:
    """Every text and number inside a JSON value, objects by the order of their names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from texts_in(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif value is not None:
        yield json.dumps(value)


def text_of(inputs: Mapping[str, Json]) -> str:
    """The values of an example's inputs as one normalised text; names are left out, for they are alike in all rows."""
    return normalised("\n".join(texts_in(inputs)))


def of(text: str) -> Shingles:
    """The distinct shingles of a normalised text, hashed to 64 bits and sorted; a shorter text is one shingle.

    Two of a million different shingles collide with a probability of 3 in 100 million.
    """
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    if not len(points):
        return np.empty(0, dtype=np.uint64)
    windows = max(len(points) - LENGTH + 1, 1)
    hashed = np.zeros(windows, dtype=np.uint64)
    for place in range(min(LENGTH, len(points))):
        hashed = hashed * _BASE + points[place : place + windows] + np.uint64(1)
    return np.unique(_mixed(hashed))


def jaccard(a: Shingles, b: Shingles) -> float:
    """Size of the intersection by size of the union, 0 to 1; 0 when both are empty."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    union = len(a) + len(b) - common
    return common / union if union else 0.0


def contained(a: Shingles, within: Shingles) -> float:
    """Share of `a` that is in the sorted array `within`, 0 to 1; 0 when `a` is empty."""
    if not len(a) or not len(within):
        return 0.0
    places = np.minimum(np.searchsorted(within, a), len(within) - 1)
    return float(np.mean(within[places] == a))


def _mixed(hashed: Shingles) -> Shingles:
    """The finaliser of splitmix64, so that every bit of the result depends on every bit of the shingle."""
    hashed = (hashed ^ (hashed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashed = (hashed ^ (hashed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashed ^ (hashed >> np.uint64(31))
