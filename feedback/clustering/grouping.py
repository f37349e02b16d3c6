"""Groups among vectors, and the group that a new vector belongs to. Imports scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from feedback.clustering.vectors import Vectors


def groups(vectors: Vectors, *, alike: float, least: int) -> list[list[int]]:
    """Groups of at least `least` rows, the largest first, each row in one group at most.

    Average linkage (Sokal and Michener 1958) on cosines: two groups become one while the mean cosine between their
    rows is at least `alike`. Memory is quadratic in the rows. Rows of zeros are in no group.
    """
    there = np.flatnonzero(np.any(vectors != 0, axis=1))
    if len(there) < max(least, 2):
        return []
    # float64: unit rows give distances of exactly 0 for equal texts, not of -1e-8
    distances = np.clip(1 - vectors[there].astype(np.float64) @ vectors[there].astype(np.float64).T, 0, 2)
    labels = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - alike + 1e-9
    ).fit_predict(distances)
    found: dict[int, list[int]] = {}
    for place, label in zip(there, labels, strict=True):
        found.setdefault(int(label), []).append(int(place))
    return sorted((rows for rows in found.values() if len(rows) >= least), key=lambda rows: (-len(rows), rows[0]))


def mean_vectors(vectors: Vectors, members: Sequence[Sequence[int]]) -> Vectors:
    """The plain mean of each group's rows: a row's product with it is its mean cosine to the group."""
    if not members:
        return np.zeros((0, vectors.shape[1]), dtype=np.float32)
    return np.stack([vectors[list(rows)].mean(axis=0) for rows in members]).astype(np.float32)


def nearest(vectors: Vectors, means: Vectors, *, alike: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each row the group with the highest mean cosine, -1 below `alike`, and that cosine.

    The same measure as in `groups`, so a row joins a group later on the terms on which it would have joined at once.
    """
    if not len(means) or not len(vectors):
        return np.full(len(vectors), -1, dtype=np.int64), np.zeros(len(vectors), dtype=np.float32)
    cosines = vectors @ means.T
    best = np.argmax(cosines, axis=1)
    strength = cosines[np.arange(len(vectors)), best]
    return np.where(strength >= alike, best, -1).astype(np.int64), strength.astype(np.float32)
