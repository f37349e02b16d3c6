"""Several comparisons at once: adjusted p-values. A missing p is left out of the count and stays missing."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float | None]) -> list[float | None]:
    """For metrics that decide (Holm 1979): the chance of any false word stays below the level."""
    places, values = _ordered(p)
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (place, value) in enumerate(zip(places, values, strict=True)):
        highest = max(highest, min(1.0, (len(values) - rank) * value))
        adjusted[place] = highest
    return adjusted


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """For exploring (Benjamini, Hochberg 1995): of what is flagged, few are false."""
    places, values = _ordered(p)
    adjusted: list[float | None] = [None] * len(p)
    lowest = 1.0
    for rank in range(len(values), 0, -1):
        lowest = min(lowest, values[rank - 1] * len(values) / rank)
        adjusted[places[rank - 1]] = lowest
    return adjusted


def _ordered(p: Sequence[float | None]) -> tuple[list[int], list[float]]:
    known = sorted((value, place) for place, value in enumerate(p) if value is not None)
    return [place for _, place in known], [value for value, _ in known]
