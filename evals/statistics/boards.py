"""A board of versions from single outcomes, and how sure its strengths and ranks are: examples are drawn anew."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evals.statistics import davidson, families, ranking
from evals.statistics.ranking import Board
from evals.statistics.types import Estimate, Interval

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 999
Outcome = tuple[Hashable, int, int, float]


def bootstrap(
    outcomes: Sequence[Outcome],
    seed: int,
    *,
    versions: int | None = None,
    against: int | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Board:
    """The board of single outcomes with percentile intervals, drawing examples with all their comparisons.

    An outcome is (example, first, second, result): 1 the first won, 0 a tie, −1 the second won. Several judges' mean is
    counted as the nearest of the three. `shares` are against the version `against`, where one is named. Fewer than two
    examples have no intervals.

    :raises ValueError: for an outcome of a version with itself, or a version that is not there.
    """
    import numpy as np  # noqa: PLC0415

    size = versions or max((max(i, j) for _, i, j, _ in outcomes), default=-1) + 1
    if any(i == j for _, i, j, _ in outcomes) or not (against is None or 0 <= against < size):
        raise ValueError("a version is compared with another one")
    met, kinds, times = _patterns(outcomes)
    board = ranking.bradley_terry(*_tables(times @ kinds, met, size))
    examples = int(times.sum())
    if not board.boards or examples < 2:
        return board
    pairs = ranking.pairs_of(board.boards)
    columns = [3 * pairs.index(pair) + part for pair in met for part in range(3)]
    counts = np.zeros((resamples, 3 * len(pairs)))
    counts[:, columns] = np.random.default_rng(seed).multinomial(examples, times / examples, size=resamples) @ kinds
    fits = davidson.fit(counts.reshape(resamples, len(pairs), 3), pairs, size, board.boards)
    drawn, ties = fits.strengths, fits.tie
    return replace(
        board,
        ranks=_ranks(drawn, board.boards, size, level),
        intervals=_intervals(drawn, board, level),
        shares=() if against is None else _shares(board, drawn, ties, against, level),
        told_apart=_told_apart(drawn, board.boards, level),
        notes=(*board.notes, f"{resamples:,} resamples of {examples:,} examples"),
    )


def _patterns(outcomes: Sequence[Outcome]) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """The pairs that met; the different ways in which an example can decide them, as (won, tied, lost) for each pair
    in a row; and how many examples decided in each way. Many examples have few ways, so drawing stays cheap."""
    import numpy as np  # noqa: PLC0415

    pairs = sorted({(min(i, j), max(i, j)) for _, i, j, _ in outcomes})
    places = {pair: 3 * place for place, pair in enumerate(pairs)}
    examples = {key: place for place, key in enumerate(dict.fromkeys(key for key, *_ in outcomes))}
    rows = np.zeros((len(examples), 3 * len(pairs)), dtype=np.int32)
    for key, i, j, result in outcomes:
        turned = result if i < j else -result
        column = 1 if abs(result) < 0.5 else 0 if turned > 0 else 2
        rows[examples[key], places[min(i, j), max(i, j)] + column] += 1
    kinds, times = np.unique(rows, axis=0, return_counts=True)
    return pairs, kinds.astype(float), times


def _tables(counts: np.ndarray, pairs: Sequence[tuple[int, int]], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Wins and ties as square tables."""
    import numpy as np  # noqa: PLC0415

    won, tied = np.zeros((size, size)), np.zeros((size, size))
    for place, (i, j) in enumerate(pairs):
        won[i, j], tied[i, j], won[j, i] = counts[3 * place : 3 * place + 3]
        tied[j, i] = tied[i, j]
    return won, tied


def _intervals(drawn: np.ndarray, board: Board, level: float) -> tuple[Interval | None, ...]:
    limits = _limits(drawn, level)
    return tuple(
        None if strength is None else Interval(*limits[place], level, "percentile bootstrap")
        for place, strength in enumerate(board.strengths)
    )


def _shares(
    board: Board, drawn: np.ndarray, ties: np.ndarray, against: int, level: float
) -> tuple[Estimate | None, ...]:
    """Wins and half the ties that each is expected to have against one; None for those on another board."""
    import numpy as np  # noqa: PLC0415

    root = np.exp((drawn - drawn[:, [against]]) / 2)
    limits = _limits((root + ties[:, None] / 2) / (root + ties[:, None] + 1 / root), level)
    members = next((members for members in board.boards if against in members), ())
    found: list[Estimate | None] = [None] * len(board.strengths)
    for place in members:
        won, tied, _ = board.chances(place, against)
        interval = None if place == against else Interval(*limits[place], level, "percentile bootstrap")
        found[place] = Estimate(won + tied / 2, interval, board.n, method=board.method, source=board.source)
    return tuple(found)


def _limits(drawn: np.ndarray, level: float) -> list[tuple[float, float]]:
    import numpy as np  # noqa: PLC0415

    low, high = np.quantile(drawn, [(1 - level) / 2, 1 - (1 - level) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _ranks(
    drawn: np.ndarray, boards: Sequence[Sequence[int]], size: int, level: float
) -> tuple[tuple[int, int] | None, ...]:
    import numpy as np  # noqa: PLC0415

    found: list[tuple[int, int] | None] = [None] * size
    tails = [(1 - level) / 2, 1 - (1 - level) / 2]
    for members in boards:
        part = drawn[:, list(members)]
        ranks = 1 + (part[:, None, :] > part[:, :, None]).sum(axis=2)
        limits = np.quantile(ranks, tails, axis=0, method="inverted_cdf")
        for place, member in enumerate(members):
            found[member] = (int(limits[0, place]), int(limits[1, place]))
    return tuple(found)


def _told_apart(drawn: np.ndarray, boards: Sequence[Sequence[int]], level: float) -> frozenset[tuple[int, int]]:
    """(better, worse) pairs whose difference keeps its sign over the draws, after Benjamini–Hochberg over all pairs."""
    pairs = [(i, j) for members in boards for place, i in enumerate(members) for j in members[place + 1 :]]
    p = []
    for i, j in pairs:
        d = drawn[:, i] - drawn[:, j]
        p.append(min(1.0, 2 * (min(int((d <= 0).sum()), int((d >= 0).sum())) + 1) / (len(d) + 1)))
    adjusted = families.benjamini_hochberg(p)
    clear = [pair for pair, one in zip(pairs, adjusted, strict=True) if one is not None and one <= 1 - level]
    return frozenset((i, j) if drawn[:, i].mean() > drawn[:, j].mean() else (j, i) for i, j in clear)
