"""Rows that stand out: empty, without what the others have, or of extreme length."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from evals.doctor import shingles
from evals.doctor.types import Row

USUAL = 0.9  # an input that so many rows have is expected of all
MOSTLY = 0.5  # an expected answer is missed when more than half of the rows have one
FAR = 3.5
TIMES = 3.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of a row; texts are not."""

    names: frozenset[str]
    length: int
    is_empty: bool
    has_expected: bool


@dataclass(slots=True)
class Oddities:
    """Takes rows one by one, then says which of them are odd, and why."""

    rows: list[_Seen] = field(default_factory=list)
    _interned: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        names = frozenset(name for name, value in row.inputs.items() if not _is_blank(value))
        names = self._interned.setdefault(names, names)
        length = sum(len(text) for text in shingles.texts_in(row.inputs))
        self.rows.append(_Seen(names, length, not names, not _is_blank(row.expected)))

    def found(self) -> Iterator[tuple[int, str]]:
        """(place of the row, reasons in words), in order."""
        if not self.rows:
            return
        usual = self._usual_names()
        misses_expected = sum(row.has_expected for row in self.rows) > MOSTLY * len(self.rows)
        low, high = extremes([row.length for row in self.rows if not row.is_empty])
        for place, row in enumerate(self.rows):
            reasons = list(_reasons(row, usual, misses_expected, low, high))
            if reasons:
                yield place, "; ".join(reasons)

    def _usual_names(self) -> frozenset[str]:
        counted = Counter(row.names for row in self.rows)
        names: Counter[str] = Counter()
        for group, count in counted.items():
            for name in group:
                names[name] += count
        return frozenset(name for name, count in names.items() if count >= USUAL * len(self.rows))


def extremes(lengths: Sequence[int]) -> tuple[float, float]:
    """The lengths (characters) below and above which a row is extreme.

    The modified z-score of the logarithm, 0.6745 · (x − median) / MAD, beyond 3.5 (Iglewicz and Hoaglin, *How to
    Detect and Handle Outliers*, 1993), and at least three times shorter or longer than the median, so that lengths
    that hardly differ have no extremes. Where the MAD is 0, 1.253314 times the mean deviation takes its place.
    """
    logs = sorted(math.log1p(length) for length in lengths)
    if len(logs) < 10:
        return -math.inf, math.inf
    middle = _median(logs)
    away = sorted(abs(value - middle) for value in logs)
    scale = _median(away) / 0.6745 or 1.253314 * sum(away) / len(away)
    reach = max(FAR * scale, math.log(TIMES))
    return math.expm1(middle - reach), math.expm1(middle + reach)


def _reasons(row: _Seen, usual: frozenset[str], misses_expected: bool, low: float, high: float) -> Iterator[str]:
    if row.is_empty:
        yield "every input is empty"
    elif missing := usual - row.names:
        yield f"without {', '.join(sorted(missing)[:5])}, which the other rows have"
    if misses_expected and not row.has_expected:
        yield "without an expected answer, which most rows have"
    if not row.is_empty and not low <= row.length <= high:
        yield f"{row.length:,} characters, far from what is usual here"


def _is_blank(value: object) -> bool:
    return value is None or value in ({}, []) or (isinstance(value, str) and not value.strip())


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
