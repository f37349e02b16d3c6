"""Satisfaction from votes, with the doubt that few voters and heavy voters deserve. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evals.statistics import quantiles

FEW_VOTES = 10
FEW_USERS = 5
WIDE = 0.10
HEAVY = 0.20
SKEWED = 0.05
RARE = 0.05
Z = 1.959963984540054

Shown = Literal["count", "doubtful", "rate"]


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """Ups among the votes of known people. Anonymous votes are counted apart and enter no rate.

    `shown` says what a page may draw: a count alone (under 10 votes or 5 people), a rate in grey (a half-width over
    10 points), or a rate. `per_user` is the mean of the people's own rates; `top_share` the busiest person's votes.
    """

    ups: int
    votes: int
    users: int
    anonymous_ups: int
    anonymous_votes: int
    rate: float | None
    low: float | None
    high: float | None
    standard_error: float
    design_effect: float
    effective_n: float
    per_user: float | None
    top_share: float
    shown: Shown

    @property
    def downs(self) -> int:
        return self.votes - self.ups

    @property
    def all_votes(self) -> int:
        return self.votes + self.anonymous_votes

    @property
    def all_ups(self) -> int:
        return self.ups + self.anonymous_ups

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """Rate and interval, where there are any."""
        if self.rate is None or self.low is None or self.high is None:
            return None
        return self.rate, self.low, self.high

    @property
    def is_heavy(self) -> bool:
        """One person cast more than a fifth of the votes."""
        return self.users >= FEW_USERS and self.top_share > HEAVY

    @property
    def is_skewed(self) -> bool:
        """The mean over people tells another story than the mean over votes."""
        return self.rate is not None and self.per_user is not None and abs(self.rate - self.per_user) > SKEWED


def satisfaction(
    voters: Sequence[tuple[int, int]], anonymous: tuple[int, int] = (0, 0), *, users: int | None = None
) -> Satisfaction:
    """From each person's (ups, votes); `anonymous` are the ups and votes of nobody in particular.

    Where `voters` are groups of people picked by a hash, `users` says how many people they are: groups are clusters as
    good as people (delete-a-group jackknife: Kott 2001).

    People are clusters: the standard error is the leave-one-person-out jackknife's, the design effect (at least 1)
    shrinks the number of votes, and the interval is Wilson's at that number with Student's t for the people at hand.
    """
    ups, votes, clusters = sum(up for up, _ in voters), sum(n for _, n in voters), len(voters)
    users = clusters if users is None else users
    rate = ups / votes if votes else None
    low = high = None
    error, effect, effective = 0.0, 1.0, float(votes)
    if rate is not None and clusters >= 2:
        error = _jackknife(voters, ups, votes)
        variance = rate * (1 - rate) / votes
        effect = max(1.0, error**2 / variance) if variance else 1.0
        effective = votes / effect
        low, high = wilson(rate, effective, quantiles.student(0.95, clusters - 1))
    return Satisfaction(
        ups=ups,
        votes=votes,
        users=users,
        anonymous_ups=anonymous[0],
        anonymous_votes=anonymous[1],
        rate=rate,
        low=low,
        high=high,
        standard_error=error,
        design_effect=effect,
        effective_n=effective,
        per_user=sum(up / n for up, n in voters) / clusters if clusters else None,
        top_share=max((n for _, n in voters), default=0) / votes if votes else 0.0,
        shown=_shown(votes, users, low, high),
    )


@dataclass(frozen=True, slots=True)
class Response:
    """How many of the messages that were shown got a vote: Wilson's interval.

    `lowest` and `highest` are the satisfaction if all who stayed silent were down or up (Manski 1990).
    """

    voted: int
    shown: int
    rate: float | None
    low: float | None
    high: float | None
    lowest: float | None
    highest: float | None

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """Rate and interval, where anything was shown."""
        if self.rate is None or self.low is None or self.high is None:
            return None
        return self.rate, self.low, self.high

    @property
    def is_rare(self) -> bool:
        """So few answer that silence must not be read as approval."""
        return self.rate is not None and self.rate < RARE


def response(voted: int, shown: int, satisfied: float | None) -> Response:
    """`voted` of `shown` messages got a vote; `satisfied` is the share of thumbs up among the votes."""
    if not shown:
        return Response(voted, shown, None, None, None, None, None)
    rate = voted / shown
    low, high = wilson(rate, shown, Z)
    if satisfied is None:
        return Response(voted, shown, rate, low, high, None, None)
    return Response(voted, shown, rate, low, high, satisfied * rate, satisfied * rate + 1 - rate)


def difference(
    rate: float, low: float, high: float, other: float, other_low: float, other_high: float
) -> tuple[float, float, float]:
    """`rate` minus `other` with its interval, from the two intervals (MOVER: Zou and Donner 2008)."""
    delta = rate - other
    return (
        delta,
        delta - math.hypot(rate - low, other_high - other),
        delta + math.hypot(high - rate, other - other_low),
    )


def wilson(rate: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of `n`, which need not be whole."""
    q2 = quantile**2
    centre = (rate + q2 / (2 * n)) / (1 + q2 / n)
    half = quantile * math.sqrt(rate * (1 - rate) / n + q2 / (4 * n**2)) / (1 + q2 / n)
    return (0.0 if rate == 0 else centre - half, 1.0 if rate == 1 else centre + half)


def _jackknife(voters: Sequence[tuple[int, int]], ups: int, votes: int) -> float:
    """Around the rate of everybody, not the mean of the left-out rates: the larger, safer of the two customs."""
    rate, people = ups / votes, len(voters)
    spread = sum(((ups - up) / (votes - n) - rate) ** 2 for up, n in voters)
    return math.sqrt((people - 1) / people * spread)


def _shown(votes: int, users: int, low: float | None, high: float | None) -> Shown:
    if votes < FEW_VOTES or users < FEW_USERS or low is None or high is None:
        return "count"
    return "doubtful" if (high - low) / 2 > WIDE else "rate"
