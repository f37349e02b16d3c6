"""The seam between texts and clustering: whatever turns texts into vectors. Imports scikit-learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

Vectors = NDArray[np.float32]


class Vectoriser(Protocol):
    """Texts to rows of length 1, or of zeros for a text that says nothing.

    `name` is kept with what was found. `alike` is the mean cosine from which a text belongs to a group: each kind of
    vector has its own. `fit` sees a sample of the texts first; a model that is fitted already does nothing there.
    """

    name: str
    alike: float

    def fit(self, texts: Sequence[str]) -> None: ...

    def vectors(self, texts: Sequence[str]) -> Vectors: ...


class TfIdf:
    """TF-IDF of character 3- to 5-grams inside words, then latent semantic analysis (Deerwester et al. 1990).

    Character n-grams need no language and forgive endings and typing errors. The number of dimensions grows with the
    square root of the texts: too many keep every wording apart, too few melt everything together.
    """

    name = "tf-idf"
    alike = 0.4

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._grams: Any = None
        self._axes: Any = None

    def fit(self, texts: Sequence[str]) -> None:
        many = len(texts) >= 300
        grams = TfidfVectorizer(
            sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 5), strip_accents="unicode", dtype=np.float32,
            min_df=2 if many else 1, max_features=50_000,
        )  # fmt: skip
        try:
            found = grams.fit_transform(texts)
        except ValueError:  # no n-gram at all: the texts are empty
            self._grams = self._axes = None
            return
        self._grams = grams
        dimensions = min(64, max(3, round(1.4 * math.sqrt(len(texts)))), found.shape[1] - 1, len(texts) - 1)
        self._axes = TruncatedSVD(dimensions, random_state=self._seed) if dimensions >= 2 else None
        if self._axes is not None:
            with warnings.catch_warnings():  # equal texts explain nothing: 0 / 0 in a figure that nobody reads
                warnings.simplefilter("ignore", RuntimeWarning)
                self._axes.fit(found)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        if self._grams is None or not texts:
            return np.zeros((len(texts), 1), dtype=np.float32)
        found = self._grams.transform(texts)
        return unit(self._axes.transform(found) if self._axes is not None else found.toarray())


def unit(rows: NDArray[Any]) -> Vectors:
    """Each row at length 1; rows of (nearly) zeros become zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled = np.divide(rows, lengths, out=np.zeros_like(rows, dtype=np.float64), where=lengths > 1e-6)
    shortened: Vectors = scaled.astype(np.float32)
    return shortened
