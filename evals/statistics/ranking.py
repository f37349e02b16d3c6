"""Strengths of several versions from pairwise outcomes, by Bradley and Terry's model with Davidson's ties."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evals.statistics import davidson
from evals.statistics.types import Estimate, Interval

SOURCE = "Bradley & Terry 1952; Davidson 1970"


@dataclass(frozen=True, slots=True)
class Board:
    """Strengths of the versions; within one of `boards` they add up to 0 and compare, across boards they do not.

    A version that was never compared has no strength. `tie` is ν: how much weight a tie has between equals. `shrunk`
    says that some version never lost (or won), so that all are pulled towards the middle. Over resamples: `ranks` are
    (lowest, highest) within the board, `intervals` those of the strengths, `shares` what part of its comparisons each
    is expected to win against one of them (a tie is half a win), and `told_apart` the (better, worse) pairs whose
    difference is clear.
    """

    strengths: tuple[float | None, ...]
    tie: float
    boards: tuple[tuple[int, ...], ...]
    shrunk: bool
    log_likelihood: float
    ranks: tuple[tuple[int, int] | None, ...] = ()
    intervals: tuple[Interval | None, ...] = ()
    shares: tuple[Estimate | None, ...] = ()
    told_apart: frozenset[tuple[int, int]] = frozenset()
    method: str = "Bradley–Terry with ties"
    source: str = SOURCE
    n: int = 0
    notes: tuple[str, ...] = ()

    def chances(self, first: int, second: int) -> tuple[float, float, float]:
        """The chances that the first wins, that they tie, and that the second wins.

        :raises ValueError: when the two are not on one board.
        """
        import math  # noqa: PLC0415

        one, other = self.strengths[first], self.strengths[second]
        if one is None or other is None or not any({first, second} <= set(board) for board in self.boards):
            raise ValueError("the two were never compared, not even through others")
        weights = (math.exp(one), self.tie * math.exp((one + other) / 2), math.exp(other))
        return tuple(weight / sum(weights) for weight in weights)  # type: ignore[return-value]


def components(wins: Any, ties: Any) -> tuple[tuple[tuple[int, ...], bool], ...]:
    """The groups of versions that are compared at all, each with whether every one reaches every other (Ford 1957).

    An arrow leads from i to j if i beat or tied j. Versions without a comparison are in no group.
    """
    import numpy as np  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    arrows = (np.asarray(wins) + np.asarray(ties) + np.asarray(ties).T) > 0
    np.fill_diagonal(arrows, False)
    if not len(arrows):
        return ()
    _, group = connected_components(arrows, directed=False)
    _, strong = connected_components(arrows, directed=True, connection="strong")
    found = []
    for number in range(int(group.max()) + 1):
        members = tuple(int(place) for place in np.flatnonzero(group == number))
        if len(members) > 1:
            found.append((members, len({int(strong[place]) for place in members}) == 1))
    return tuple(found)


def bradley_terry(wins: Any, ties: Any) -> Board:
    """Strengths by maximum likelihood: `wins[i][j]` counts i beating j, `ties` is symmetric.

    The likelihood is concave: Newton's method with step halving finds its one maximum. Groups that were never compared
    with each other are boards of their own and share ν only.

    :raises ValueError: unless both are square tables of one size.
    """
    import numpy as np  # noqa: PLC0415

    won, tied = np.asarray(wins, dtype=float), np.asarray(ties, dtype=float)
    if won.ndim != 2 or won.shape[0] != won.shape[1] or won.shape != tied.shape:
        raise ValueError("wins and ties must be square tables of one size")
    groups = components(won, tied)
    pairs = pairs_of([members for members, _ in groups])
    counts = np.array([[won[i, j], tied[i, j], won[j, i]] for i, j in pairs]).reshape(1, len(pairs), 3)
    found = davidson.fit(counts, pairs, len(won), [members for members, _ in groups])
    shrunk = bool(found.shrunk[0])
    ranked = {place for members, _ in groups for place in members}
    strengths = tuple(float(found.strengths[0, place]) if place in ranked else None for place in range(len(won)))
    notes = ("pulled towards the middle",) if shrunk else ()
    return Board(
        strengths=strengths,
        tie=float(found.tie[0]),
        boards=tuple(members for members, _ in groups),
        shrunk=shrunk,
        log_likelihood=float(found.log_likelihood[0]),
        n=int(won.sum() + np.triu(tied).sum()),
        notes=notes,
    )


def pairs_of(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Every pair within the groups, the lower number first, whether the two have met or not."""
    return [(min(pair), max(pair)) for members in groups for pair in itertools.combinations(members, 2)]
