"""Which choices nothing else beats: the Pareto front of quality against effort."""

from __future__ import annotations

from collections.abc import Sequence


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (quality, effort), more quality and less effort being better: whether no other point dominates it.

    A point dominates another when it is at least as good in both and better in one, so equal points stay together.
    It takes the estimates as they are: points whose intervals overlap may change sides with more examples.
    """
    order = sorted(range(len(points)), key=lambda place: (points[place][1], -points[place][0]))
    kept = [False] * len(points)
    best: tuple[float, float] | None = None  # quality and effort of the best point with at most this effort
    for place in order:
        quality, effort = points[place]
        if best is None or quality > best[0] or (quality == best[0] and effort == best[1]):
            kept[place] = True
            if best is None or quality > best[0]:
                best = (quality, effort)
    return kept
