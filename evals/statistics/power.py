"""How many examples a question needs, and how precise an answer a number of them gives."""

from __future__ import annotations

import math

from evals.statistics import quantiles, rates
from evals.statistics.types import Comparison, Power

MOST = 20_000  # beyond that, more examples settle nothing
SMALLEST = 0.05  # the smallest difference that matters, as a share of the range, unless somebody says another
CAUTION = 0.60  # level of the Wilson interval whose upper limit stands for the discordance that was seen


def paired_rate(
    discordance: float, difference: float, *, alpha: float = 0.05, power: float = 0.8, deff: float = 1.0
) -> Power:
    """Examples to see a difference of two pass rates on the same examples (Connor 1987; Miettinen 1968).

    `discordance` is the share of examples on which the versions differ; clusters multiply by their design effect.

    :raises ValueError: unless 0 < |difference| ≤ discordance ≤ 1.
    """
    if not 0 < abs(difference) <= discordance <= 1:
        raise ValueError(f"no such design: difference {difference} at discordance {discordance}")
    root = math.sqrt(max(discordance - difference**2, 0.0))
    exact = ((_z(alpha) * math.sqrt(discordance) + _one_sided(power) * root) / difference) ** 2 * deff
    return _found(exact, power, f"the versions differ on {discordance:.0%} of the examples", _by(difference))


def no_worse(
    discordance: float, margin: float, true: float = 0.0, *, alpha: float = 0.05, power: float = 0.8, deff: float = 1.0
) -> Power:
    """Examples to show “no worse by the margin” when the difference truly is `true`.

    :raises ValueError: unless the margin and what is true leave room: margin + true > 0, true² < discordance ≤ 1.
    """
    if not (margin > 0 and margin + true > 0 and true**2 < discordance <= 1):
        raise ValueError(f"no such design: margin {margin}, true difference {true}, discordance {discordance}")
    exact = (_z(alpha) + _one_sided(power)) ** 2 * (discordance - true**2) / (margin + true) ** 2 * deff
    return _found(exact, power, f"the versions differ on {discordance:.0%} of the examples", f"margin {margin:g}")


def paired_mean(sd: float, difference: float, *, alpha: float = 0.05, power: float = 0.8, deff: float = 1.0) -> Power:
    """Examples to see a difference of means whose differences spread by `sd` (Guenther 1981).

    :raises ValueError: unless sd > 0 and the difference is not 0.
    """
    if not (sd > 0 and difference):
        raise ValueError(f"no such design: difference {difference}, spread {sd}")
    exact = (((_z(alpha) + _one_sided(power)) * sd / difference) ** 2 + _z(alpha) ** 2 / 2) * deff
    return _found(exact, power, f"differences spread by {sd:.2g}", _by(difference))


def precision(p: float, half_width: float, *, level: float = 0.95) -> Power:
    """Smallest n whose Wilson interval around a pass rate p is at most ± half_width.

    :raises ValueError: unless 0 ≤ p ≤ 1 and 0 < half_width < 1.
    """
    if not (0 <= p <= 1 and 0 < half_width < 1):
        raise ValueError(f"no such precision: ± {half_width} around {p}")
    low, high = 0, 1
    while half_width_at(p, high, level=level) > half_width:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width_at(p, middle, level=level) <= half_width else (middle, high)
    return Power(high, float(high), 0.0, (f"a pass rate near {p:.0%}",))


def half_width_at(p: float, n: float, *, level: float = 0.95) -> float:
    """Half the width of the Wilson interval around a pass rate p of n examples."""
    found = rates.wilson_at(p, n, quantiles.normal(level), level, "Wilson")
    return (found.high - found.low) / 2


def still_needed(
    comparison: Comparison, smallest: float = SMALLEST, *, alpha: float = 0.05, power: float = 0.8
) -> Power:
    """Examples that would tell a difference of `smallest`, the smallest that matters, and how many more that is.

    Never from the difference just observed: that would answer anything from a hundred to ten thousand. The share of
    differing answers is taken at the upper end of its 60 % Wilson interval, and at least as 5 of n.

    :raises ValueError: for a comparison without examples, or unless smallest > 0.
    """
    n = comparison.difference.n
    if not n or smallest <= 0:
        raise ValueError("nothing was compared")
    if comparison.sd:
        found = paired_mean(comparison.sd, smallest, alpha=alpha, power=power)
    else:
        differing = min(comparison.wins + comparison.losses, n)
        discordance = max(rates.wilson(differing, n, CAUTION).high, min(5 / n, 1.0))
        found = paired_rate(max(discordance, min(smallest, 1.0)), min(smallest, 1.0), alpha=alpha, power=power)
    return Power(found.n, found.exact, power, found.assumptions, max(found.n - n, 0))


def two_digits(count: int) -> int:
    """A number of examples to be said aloud: 418 is about 420."""
    if count < 100:
        return count
    unit: int = 10 ** (len(str(count)) - 2)
    return int(round(count / unit) * unit)


def _found(exact: float, power: float, *assumptions: str) -> Power:
    return Power(math.ceil(exact), exact, power, assumptions)


def _by(difference: float) -> str:
    return f"difference {abs(difference):g}"


def _z(alpha: float) -> float:
    return quantiles.phi_inverse(1 - alpha / 2)


def _one_sided(power: float) -> float:
    return quantiles.phi_inverse(power)
