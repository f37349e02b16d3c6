"""A judge that says which of two answers is better: asked in both orders, its bias for a place, and its agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.statistics import agreement, paired, rates
from evals.statistics.types import Comparison, Estimate

OTHER = "other"  # an answer from which no verdict could be read
BIASED_FROM = 0.55


@dataclass(frozen=True, slots=True)
class BothOrders:
    """A pairwise judge against people's choices, asked with the pair as it is and swapped; counts are of `n` pairs.

    `kappa` is between the two orders. Unreadable answers are a class of their own there, and right about nothing.
    """

    n: int
    right_as_is: int
    right_swapped: int
    right_in_both: int
    same_in_both: int
    kappa: Estimate


def outcome(as_is: str | None, swapped: str | None) -> float | None:
    """1, 0.5 or 0: the candidate won in both orders, the orders disagree or tie, it lost in both; None is unscored.

    The arguments are “win”, “tie” or “loss” of the candidate in each order, None where no verdict could be read.
    """
    if as_is is None or swapped is None:
        return None
    if as_is == swapped:
        return {"win": 1.0, "tie": 0.5, "loss": 0.0}[as_is]
    return 0.5


def win_rate(wins: int, ties: int, losses: int) -> tuple[Estimate, Comparison]:
    """(wins + ties/2)/n, which is ½ + Δ/2 of the paired difference Δ, whose interval is Tango's."""
    n = wins + ties + losses
    found = paired.pass_fail(wins, losses, n)
    delta, interval = found.difference.value, found.difference.interval
    if delta is None or interval is None:
        return Estimate(None, None, n, method="Tango", source=paired.TANGO_SOURCE, notes=("no outcomes",)), found
    halved = type(interval)((1 + interval.low) / 2, (1 + interval.high) / 2, interval.level, interval.method)
    return Estimate((1 + delta) / 2, halved, n, float(n), n, method="Tango", source=paired.TANGO_SOURCE), found


def order_bias(first: int, second: int) -> Estimate:
    """The share of raw votes for the answer that stood first; without a bias 50 %. Ties are no votes."""
    n = first + second
    if not n:
        return Estimate(None, None, 0, method="Wilson", source="Wilson 1927", notes=("no votes",))
    share = first / n
    notes = ("the judge prefers a place",) if max(share, 1 - share) > BIASED_FROM else ()
    return Estimate(share, rates.wilson(first, n), n, float(n), n, method="Wilson", source="Wilson 1927", notes=notes)


def both_orders(
    gold: Sequence[str],
    as_is: Sequence[str | None],
    swapped: Sequence[str | None],
    *,
    against_rest: str | None = None,
    seed: int = 0,
) -> BothOrders:
    """Count a judge's choices against people's. All name the answer that won, whichever place it stood at.

    With `against_rest` kappa is of “this answer won” against everything else, unreadable answers among it, as some
    published figures are.
    """
    first, second = ([OTHER if one is None else one for one in side] for side in (as_is, swapped))
    sides = (first, second)
    if against_rest is not None:
        sides = tuple([one if one == against_rest else OTHER for one in side] for side in sides)  # type: ignore[assignment]
    classes = list(dict.fromkeys([*gold, *sides[0], *sides[1]]))
    table = agreement.confusion(*sides, classes).table
    right = [label == one for label, one in zip(gold, first, strict=True)]
    again = [label == one for label, one in zip(gold, second, strict=True)]
    return BothOrders(
        n=len(gold),
        right_as_is=sum(right),
        right_swapped=sum(again),
        right_in_both=sum(one and other for one, other in zip(right, again, strict=True)),
        same_in_both=sum(one == other for one, other in zip(first, second, strict=True)),
        kappa=agreement.kappa(table, seed=seed),
    )
