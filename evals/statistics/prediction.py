"""What people would say of all results, from their labels on some and a judge's scores on the rest.

Prediction-powered inference: the judge's mean, less what it is found to be wrong by on the labelled results. It needs
sums only (`Labelled`, `Moments`), so a certificate can keep them and no label is read twice.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from evals.statistics import clusters as clustering
from evals.statistics import means, paired, quantiles, rates
from evals.statistics.judges import Corrected
from evals.statistics.types import Estimate, Interval

SOURCE = "Angelopoulos et al. 2023, 2024"
FEWEST_LABELS = 20
ENOUGH_LABELS = 100
UNINFORMATIVE = 0.05


@dataclass(frozen=True, slots=True)
class Moments:
    """How many numbers there are, their mean and their variance (n − 1)."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Moments:
        """:raises ValueError: without values."""
        n = len(values)
        if not n:
            raise ValueError("no numbers")
        mean = math.fsum(values) / n
        return cls(n, mean, math.fsum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else 0.0)

    @property
    def squares(self) -> float:
        """The sum of squared distances from the mean."""
        return self.variance * (self.n - 1)

    def joined(self, other: Moments) -> Moments:
        """Both samples as one (Chan, Golub, LeVeque 1979)."""
        n = self.n + other.n
        apart = other.mean - self.mean
        squares = self.squares + other.squares + apart**2 * self.n * other.n / n
        return Moments(n, self.mean + apart * other.n / n, squares / (n - 1) if n > 1 else 0.0)

    def without(self, part: Moments) -> Moments | None:
        """The rest of a sample when a part of it is taken out; None when nothing is left."""
        n = self.n - part.n
        if n < 1:
            return None
        mean = (self.mean * self.n - part.mean * part.n) / n
        apart = part.mean - mean
        squares = self.squares - part.squares - apart**2 * n * part.n / self.n
        return Moments(n, mean, max(squares, 0.0) / (n - 1) if n > 1 else 0.0)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Results with a number from people and one from the judge.

    `units` is how many of them are independent and `deff` how much wider that makes the error of their difference: 1
    unless documents or conversations have several results.
    """

    human: Moments
    judge: Moments
    covariance: float
    units: int
    deff: float = 1.0

    @property
    def n(self) -> int:
        return self.human.n

    def residual(self, tuning: float) -> float:
        """The variance of what people say less `tuning` times what the judge says."""
        spread = self.human.variance - 2 * tuning * self.covariance + tuning**2 * self.judge.variance
        return max(spread, 0.0) * self.deff


def labelled(y: Sequence[float], f: Sequence[float], groups: Sequence[Hashable] | None = None) -> Labelled:
    """Sums of people's numbers `y` and the judge's `f` on the same results; equal `groups` belong together.

    :raises ValueError: with fewer than two results, or of lists of different length.
    """
    n = len(y)
    if n < 2 or len(f) != n:
        raise ValueError("prediction-powered inference needs two labelled and two other results")
    human, judge = Moments.of(y), Moments.of(f)
    shared = math.fsum((a - human.mean) * (b - judge.mean) for a, b in zip(y, f, strict=True)) / (n - 1)
    found = Labelled(human, judge, shared, n)
    if groups is None:
        return found
    sums, sizes = clustering.totals([a - b for a, b in zip(y, f, strict=True)], groups)
    simple = found.residual(1.0) / n
    if len(sums) < 2 or simple <= 0:
        return replace(found, units=len(sums))
    return replace(found, units=len(sums), deff=max(clustering.jackknife(sums, sizes).se ** 2 / simple, 1.0))


def corrected_mean(found: Labelled, others: Moments | None, *, is_sample: bool, level: float = 0.95) -> Corrected:
    """The mean that people would give, between 0 and 1, where `others` are the judge's scores without a label.

    `is_sample`: the labelled results are a random sample of the same run. Then PPI++ may weigh the judge, and labels
    stand alone below 100, where the judge narrows nothing, and where nothing but labels is there. Otherwise the labels
    are another run's: only what the judge was wrong by is carried over, with its whole weight (PPI), for a smaller
    weight would pull this run's mean towards that of the labelled one.
    """
    alone = _of_labels(found, level)
    if others is None or others.n < 2:
        if is_sample:
            return Corrected(alone, alone, alone, found.n >= FEWEST_LABELS, _too_few(found.n, FEWEST_LABELS))
        none = Estimate(None, None, 0, method="PPI", source=SOURCE, notes=("too few scores",))
        return Corrected(none, none, None, False, ("too few scores to correct",))
    tuning = tuned(found, others) if is_sample else 1.0
    value = tuning * others.mean + found.human.mean - tuning * found.judge.mean
    error = math.sqrt(tuning**2 * others.variance / others.n + found.residual(tuning) / found.n)
    made = powered(
        value, error, tuning, found.n + others.n, found.units, name="PPI++" if is_sample else "PPI", level=level
    )
    raw = _t_mean(others, level, "t")
    reasons = _too_few(found.n, ENOUGH_LABELS)
    kept = Corrected(raw, made, alone if is_sample else None, not reasons, reasons, se=error, tuning=tuning)
    if is_sample and found.n < ENOUGH_LABELS:
        reasons = _too_few(found.n, FEWEST_LABELS)
        return replace(kept, corrected=alone, usable=not reasons, reasons=reasons)
    return _narrower(kept)


def ppi_mean(
    y: Sequence[float],
    f: Sequence[float],
    u: Sequence[float],
    *,
    tune: bool = True,
    weights: Sequence[float] | None = None,
    level: float = 0.95,
) -> Corrected:
    """Prediction-powered mean (Angelopoulos et al. 2023; tuned: PPI++ 2024) of scores or of paired differences.

    `y` are people's scores and `f` the judge's on the same results, `u` the judge's on the others. `weights` are
    1/probability of being labelled where that was not equal for all.

    :raises ValueError: with fewer than two labelled or other results.
    """
    if len(u) < 2:
        raise ValueError("prediction-powered inference needs two labelled and two other results")
    found, others = labelled(y, f), Moments.of(u)
    n = found.n
    tuning = tuned(found, others) if tune else 1.0
    total = math.fsum(weights) if weights is not None else float(n)
    share = [weight / total for weight in weights] if weights is not None else [1 / n] * n
    residual = [a - tuning * b for a, b in zip(y, f, strict=True)]
    centre = math.fsum(part * value for part, value in zip(share, residual, strict=True))
    spread = (
        math.fsum((part * (value - centre)) ** 2 for part, value in zip(share, residual, strict=True)) * n / (n - 1)
    )
    error = math.sqrt(tuning**2 * others.variance / others.n + spread)
    made = powered(
        tuning * others.mean + centre, error, tuning, n + others.n, n, name="PPI++" if tune else "PPI", level=level
    )
    labels_only, raw = means.t_mean(list(map(float, y)), level=level), means.t_mean(list(map(float, u)), level=level)
    reasons = _too_few(n, ENOUGH_LABELS)
    return _narrower(Corrected(raw, made, labels_only, not reasons, reasons, se=error, tuning=tuning))


def ppi_mover(y: Sequence[int], f: Sequence[int], u: Sequence[int], *, level: float = 0.95) -> Corrected:
    """Pass/fail judge and labels: Tango's interval of the judge's error and Wilson's of its rate, put together.

    :raises ValueError: without labelled or other results.
    """
    n, count = len(y), len(u)
    if not n or not count:
        raise ValueError("needs labelled and other results")
    wins = sum(1 for label, verdict in zip(y, f, strict=True) if label > verdict)
    losses = sum(1 for label, verdict in zip(y, f, strict=True) if label < verdict)
    error = paired.tango(wins, losses, n, quantiles.normal(level), level=level)
    passes = sum(u)
    judged = rates.wilson(passes, count, level)
    q, d = passes / count, (wins - losses) / n
    low = q + d - math.hypot(d - error.low, q - judged.low)
    high = q + d + math.hypot(error.high - d, judged.high - q)
    found = Estimate(q + d, Interval(low, high, level, "MOVER"), n + count, None, n, method="Tango and Wilson by MOVER",
                     source="Tango 1998; Zou & Donner 2008")  # fmt: skip
    labels_only = Estimate(sum(y) / n, rates.wilson(sum(y), n, level), n, float(n), n, method="Wilson",
                           source="Wilson 1927")  # fmt: skip
    raw = Estimate(q, judged, count, float(count), count, method="Wilson", source="Wilson 1927")
    return Corrected(raw, found, labels_only, True, (), tuning=1.0)


def ppi_rate(y: Sequence[int], f: Sequence[int], u: Sequence[int], *, level: float = 0.95) -> Corrected:
    """A pass rate from few labels and many verdicts, by the method that keeps its level at so many labels.

    Below 20 labels they stand alone, below 100 it is `ppi_mover`, from there PPI++. Where the judge narrows nothing the
    labels stand alone too, with the reason.
    """
    found = ppi_mover(y, f, u, level=level)
    if len(y) < FEWEST_LABELS:
        reasons = (f"only {len(y)} labels; a correction needs {FEWEST_LABELS}",)
        return replace(found, corrected=found.labels_only or found.corrected, usable=False, reasons=reasons)
    if len(y) >= ENOUGH_LABELS:
        tuned = ppi_mean(y, f, u, level=level)
        found = replace(found, corrected=tuned.corrected, se=tuned.se, tuning=tuned.tuning)
    return _narrower(found)


def _narrower(found: Corrected) -> Corrected:
    """Labels alone where the judge does not narrow their interval."""
    mine, theirs = found.corrected.interval, found.labels_only.interval if found.labels_only else None
    if mine is None or theirs is None or mine.high - mine.low < theirs.high - theirs.low:
        return found
    return replace(found, usable=False, reasons=(*found.reasons, "the judge adds nothing yet"))


def tuned(found: Labelled, others: Moments) -> float:
    """How much the judge weighs, from 0 to 1: the weight of PPI++ that makes the interval shortest."""
    spread = found.judge.joined(others).variance
    if spread <= 0:
        return 0.0
    return min(max(found.covariance / ((1 + found.n / others.n) * spread), 0.0), 1.0)


def powered(value: float, error: float, tuning: float, n: int, units: int, *, name: str, level: float) -> Estimate:
    """The estimate around `value`, with t over the labelled units; no interval from one unit."""
    notes = () if tuning > UNINFORMATIVE else ("the judge is uninformative",)
    interval = None
    if units > 1:
        half = quantiles.student(level, units - 1) * error
        interval = Interval(value - half, value + half, level, name)
    return Estimate(value, interval, n, None, units, method=name, source=SOURCE, notes=notes)


def _of_labels(found: Labelled, level: float) -> Estimate:
    return _t_mean(found.human, level, "labels alone", found.units, found.deff)


def _t_mean(of: Moments, level: float, method: str, units: int | None = None, deff: float = 1.0) -> Estimate:
    units = of.n if units is None else units
    interval = None
    if units > 1:
        half = quantiles.student(level, units - 1) * math.sqrt(deff * of.variance / of.n)
        interval = Interval(of.mean - half, of.mean + half, level, method)
    return Estimate(of.mean, interval, of.n, None, units, method=method, source="Student 1908")


def _too_few(n: int, needed: int) -> tuple[str, ...]:
    return () if n >= needed else (f"only {n} labels; numeric scores need {needed}",)
