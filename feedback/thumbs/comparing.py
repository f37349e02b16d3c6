"""Two versions' thumbs compared, with the test behind the word. Pure.

Nobody drew lots over who saw which version, so the words are “changed” and “not known yet”, never “better”.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from evals.statistics import quantiles
from feedback import thumbs

LEVEL = 0.05

Voters = Mapping[int, tuple[int, int]]
Word = Literal["changed", "not known yet", "too few votes"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first side's rate minus the second's, its 95 % interval, the test's p and the word that both allow.

    `shared` is the number of people (or groups of people) with votes on both sides. `different_people` says that the
    response rates differ, so that the two sides may not be the same crowd.
    """

    word: Word
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    method: str = ""
    shared: int = 0
    different_people: bool = False


def compare(
    first: Voters,
    second: Voters,
    responses: tuple[thumbs.Response, thumbs.Response] | None = None,
) -> Comparison:
    """Compare (ups, votes) by person of two versions.

    Nobody on both sides: the interval is made of the two effective Wilson intervals (MOVER: Zou and Donner 2008), the
    test is the score test with design effects (Rao and Scott 1992). People on both sides: leave-one-person-out
    jackknife of the difference, Student's t with people - 1.
    """
    sides = thumbs.satisfaction(list(first.values())), thumbs.satisfaction(list(second.values()))
    if "count" in {side.shown for side in sides}:
        return Comparison("too few votes")
    shared = len(first.keys() & second.keys())
    error = _jackknife(first, second) if shared else 0.0
    delta, low, high, p, method = _paired(first, second, *sides, error) if error else _apart(*sides)
    return Comparison(
        word=_word(low, high, p),
        delta=delta,
        low=low,
        high=high,
        p=p,
        method=method,
        shared=shared,
        different_people=responses is not None and _respond_differently(*responses),
    )


def with_p(found: Comparison, p: float | None) -> Comparison:
    """The same with a p that was adjusted for the number of comparisons, and the word that it leaves."""
    if p is None or found.low is None or found.high is None:
        return found
    return replace(found, p=p, word=_word(found.low, found.high, p))


def _word(low: float, high: float, p: float) -> Word:
    return "changed" if (low > 0 or high < 0) and p <= LEVEL else "not known yet"


Found = tuple[float, float, float, float, str]


def _paired(first: Voters, second: Voters, one: thumbs.Satisfaction, other: thumbs.Satisfaction, error: float) -> Found:
    freedom = len(first.keys() | second.keys()) - 1
    delta = (one.rate or 0.0) - (other.rate or 0.0)
    half = quantiles.student(0.95, freedom) * error
    p = quantiles.student_p(delta / error, freedom)
    return delta, max(delta - half, -1.0), min(delta + half, 1.0), p, "jackknife over people on both sides"


def _jackknife(first: Voters, second: Voters) -> float:
    """The standard error of the difference with each person left out in turn; 0 where it cannot be known."""
    totals = [[sum(values) for values in zip(*side.values(), strict=True)] for side in (first, second)]
    people = first.keys() | second.keys()
    whole = totals[0][0] / totals[0][1] - totals[1][0] / totals[1][1]
    spread = 0.0
    for person in people:
        rates = []
        for side, (ups, votes) in zip((first, second), totals, strict=True):
            own_ups, own_votes = side.get(person, (0, 0))
            if own_votes == votes:
                return 0.0
            rates.append((ups - own_ups) / (votes - own_votes))
        spread += (rates[0] - rates[1] - whole) ** 2
    return math.sqrt((len(people) - 1) / len(people) * spread)


def _apart(one: thumbs.Satisfaction, other: thumbs.Satisfaction) -> Found:
    first, second = one.estimate, other.estimate
    assert first is not None
    assert second is not None
    delta, low, high = thumbs.difference(*first, *second)
    pooled = (one.ups + other.ups) / (one.votes + other.votes)
    variance = pooled * (1 - pooled) * (1 / one.effective_n + 1 / other.effective_n)
    if not variance:
        return delta, low, high, 1.0, "MOVER, score test"
    p = quantiles.student_p(delta / math.sqrt(variance), one.users + other.users - 2)
    return delta, low, high, p, "MOVER, score test with design effects"


def _respond_differently(one: thumbs.Response, other: thumbs.Response) -> bool:
    """Newcombe's interval of the difference of the response rates excludes zero."""
    first, second = one.estimate, other.estimate
    if first is None or second is None:
        return False
    _, low, high = thumbs.difference(*first, *second)
    return low > 0 or high < 0
