"""Looking while results come in, without fooling oneself: a betting test that may be read at any time.

Constant fractions of the evidence are bet against “no better than μ” (Ville 1939; Robbins 1970; Waudby-Smith & Ramdas
2024): whatever the distribution, the number of looks or the reason to stop, a fair game turns 1 into 2/α with a chance
of at most α/2. The evidence depends on what was seen and never on its order, so parts of a run merge.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from evals.statistics import power, quantiles, rates, verdicts
from evals.statistics.types import Interval

SOURCE = "Waudby-Smith & Ramdas 2024"
FRACTIONS = tuple(0.01 * 95 ** (j / 15) for j in range(16))
SPEND = 0.01  # of the error, while the run goes; the rest is for its end
FINAL = 0.04
EDGE = 1e-9
FUTILE = 0.1  # below this chance of a word the rest of a run is not worth its money
FEWEST_TO_GIVE_UP = 20


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen so far: paired differences scaled to −1 to 1, each with how often. Unchangeable."""

    seen: Mapping[float, int] = field(default_factory=dict)
    fractions: tuple[float, ...] = FRACTIONS

    @classmethod
    def counts(cls, wins: int, losses: int, ties: int, fractions: tuple[float, ...] = FRACTIONS) -> Evidence:
        """The same from pass/fail: three numbers say everything."""
        seen = {1.0: wins, -1.0: losses, 0.0: ties}
        if min(seen.values()) < 0:
            raise ValueError("counts are not negative")
        return cls({value: count for value, count in seen.items() if count}, fractions)

    @property
    def n(self) -> int:
        return sum(self.seen.values())

    @property
    def mean(self) -> float:
        return math.fsum(value * count for value, count in self.seen.items()) / self.n if self.n else 0.0

    def add(self, d: float) -> Evidence:
        """With one more difference.

        :raises ValueError: unless −1 ≤ d ≤ 1.
        """
        return self.merge(Evidence({d: 1}, self.fractions))

    def merge(self, other: Evidence) -> Evidence:
        """Both parts together, in whatever order.

        :raises ValueError: for differences outside −1 to 1, or other fractions.
        """
        if other.fractions != self.fractions:
            raise ValueError("evidence of other bets")
        seen = Counter(self.seen)
        for value, count in other.seen.items():
            if not -1 <= value <= 1:  # NaN too
                raise ValueError(f"{value} is no difference between −1 and 1")
            seen[value + 0.0] += count  # −0.0 is 0.0
        return Evidence(dict(seen), self.fractions)

    def log_e(self, mu: float, side: int = 1) -> float:
        """Natural logarithm of the evidence that the mean lies above μ (side 1) or below it (side −1).

        :raises ValueError: unless −1 < μ < 1 and the side is 1 or −1.
        """
        if side not in (1, -1) or not -1 < mu < 1:
            raise ValueError(f"no evidence about {mu} on side {side}")
        fair = (1 + side * mu) / 2
        bets = [
            math.fsum(
                count * math.log1p(f * ((1 + side * value) / (2 * fair) - 1)) for value, count in self.seen.items()
            )
            for f in self.fractions
        ]
        most = max(bets)
        return most + math.log(math.fsum(math.exp(bet - most) for bet in bets) / len(bets))

    def interval(self, alpha: float) -> Interval:
        """Every mean that the evidence has not ruled out; it holds at all times at once, so it is wide.

        :raises ValueError: unless 0 < alpha < 1.
        """
        if not 0 < alpha < 1:
            raise ValueError(f"no level: {alpha}")
        low, high = self._limit(math.log(2 / alpha), 1), -self._limit(math.log(2 / alpha), -1)
        return Interval(low, high, 1 - alpha, "betting")

    def _limit(self, threshold: float, side: int) -> float:
        """The lowest mean not ruled out, of the differences times `side`; evidence falls as it rises."""
        low, high = -1 + EDGE, min(max(side * self.mean, -1 + EDGE), 1 - EDGE)
        if not self.n or self.log_e(side * low, side) < threshold:
            return -1.0
        while high - low > 1e-10:
            middle = (low + high) / 2
            low, high = (middle, high) if self.log_e(side * middle, side) >= threshold else (low, middle)
        return (low + high) / 2


def chance_of_a_word(
    evidence: Evidence, planned: int, margin: float | None = None, *, alpha: float = FINAL
) -> float | None:
    """How likely the analysis at the end of `planned` units finds a word, by what was seen so far; None below 20.

    The predictive probability (Spiegelhalter, Freedman, Blackburn 1986; its use for stopping: Dmitrienko & Wang 2006):
    the trend goes on, with the doubt that there is about it. With t the share seen and Z = d̄·√n/s, the Z of the end is
    normal with mean Z/√t and variance (1 − t)/t. Stopping where it is small can never make a false verdict. Where
    nothing differs yet, the spread is that of the discordance at the upper end of its 60 % Wilson interval.

    :raises ValueError: unless at least as many units are planned as were seen.
    """
    n = evidence.n
    if planned < n:
        raise ValueError(f"{n} units of {planned} planned")
    if n < FEWEST_TO_GIVE_UP:
        return None
    square = math.fsum((value - evidence.mean) ** 2 * count for value, count in evidence.seen.items()) / (n - 1)
    if square <= 0:
        square = max(rates.wilson(0, n, power.CAUTION).high, 5 / n)
    critical, t = quantiles.normal(1 - alpha), n / planned

    def reaches(mean: float) -> float:
        expected = mean * math.sqrt(planned / square)  # Z of the end, if the trend goes on
        if t >= 1:
            return float(expected > critical)
        return quantiles.phi((expected - critical) * math.sqrt(t / (1 - t)))

    worse = reaches(-evidence.mean)
    good = reaches(evidence.mean) if margin is None else max(reaches(evidence.mean), reaches(evidence.mean + margin))
    return min(good + worse, 1.0)


@dataclass(frozen=True, slots=True)
class Look:
    """What may be said now; `word` None means: go on. `used` units were seen."""

    word: str | None
    used: int
    interval: Interval
    threshold: float
    method: str = "betting"
    source: str = SOURCE


def look(
    evidence: Evidence,
    margin: float | None = None,
    *,
    spend: float = SPEND,
    metrics: int = 1,
    wants_better: bool = False,
) -> Look:
    """Whether the answer is clear already, at the cost of `spend` of the error in all looks together.

    `margin` is the loss allowed beforehand, on the scale of the differences; with `wants_better` “no worse” is not
    enough to stop. `metrics` deciding metrics share the budget. When the run ends without a word, the usual analysis
    follows at 0.05 − spend.

    :raises ValueError: for a margin outside 0 to 1, no metrics, or a budget outside 0 to 1.
    """
    if margin is not None and not 0 < margin < 1:
        raise ValueError(f"no margin: {margin}")
    if metrics < 1 or not 0 < spend < 1:
        raise ValueError("no budget to look with")
    threshold = math.log(2 * metrics / spend)
    found = evidence.interval(spend / metrics)

    def said(word: str | None) -> Look:
        return Look(word, evidence.n, found, threshold)

    if not evidence.n:
        return said(None)
    within = margin is not None and evidence.log_e(-margin) >= threshold
    if evidence.log_e(0.0) >= threshold:
        return said(verdicts.BETTER)
    if evidence.log_e(0.0, -1) >= threshold and not within:
        return said(verdicts.WORSE)
    return said(verdicts.NO_WORSE if within and not wants_better else None)
