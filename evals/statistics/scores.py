"""From scores of a run to what its page shows: the right method by what the metric is."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evals.statistics import clusters as clustering
from evals.statistics import means, paired, unpaired, verdicts
from evals.statistics.types import Comparison, Estimate, Interval


def seed_of(*parts: str) -> int:
    """The same page twice draws the same resamples: 64 bits of SHA-256 over what was computed."""
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


def summary(
    values: Sequence[float],
    examples: Sequence[Hashable],
    *,
    low: float | None = 0.0,
    high: float | None = 1.0,
    unscored: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The mean score of a run with its interval; repeats of an example count as one.

    Without a range (`low` or `high` None: latency, cost, length) it is the expanded BCa bootstrap.
    """
    averaged = clustering.average_repeats(values, examples)
    if not averaged.means:
        found = Estimate(None, None, 0, method="none", notes=("no scores",))
    elif low is None or high is None:
        found = means.bca(averaged.means, seed=seed, level=level)
    else:
        found = means.bounded_mean(averaged.means, low=low, high=high, level=level)
    return _counted(found, unscored, _repeat_notes(averaged.repeats))


def comparison(
    baseline: Mapping[Hashable, float],
    candidate: Mapping[Hashable, float],
    *,
    low: float | None = 0.0,
    high: float | None = 1.0,
    higher_is_better: bool = True,
    unscored: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """The paired difference candidate − baseline over the examples that both have, turned so that positive is good.

    The mappings go from an example to its mean score over repeats. `unscored` counts the examples left out because a
    side has no score.
    """
    shared = [key for key in baseline if key in candidate]
    sign = 1.0 if higher_is_better else -1.0
    d = [sign * (candidate[key] - baseline[key]) for key in shared]
    if low is None or high is None:
        found = paired.unbounded(d, seed, level=level)
    else:
        found = paired.bounded(d, width=high - low, seed=seed, level=level)
    return replace(found, difference=replace(found.difference, unscored=unscored))


def unpaired_comparison(
    baseline: Mapping[Hashable, float],
    candidate: Mapping[Hashable, float],
    *,
    low: float | None = 0.0,
    high: float | None = 1.0,
    higher_is_better: bool = True,
    unscored: int = 0,
    level: float = 0.95,
) -> Comparison:
    """The same from different examples: each side's mean with its interval, joined; without a range Welch's t."""
    if low is None or high is None:
        return _welch(baseline, candidate, higher_is_better=higher_is_better, unscored=unscored, level=level)
    sides = [means.bounded_mean(list(side.values()), low=low, high=high) for side in (candidate, baseline)]
    if any(side.value is None for side in sides):
        return Comparison(Estimate(None, None, 0, method="none", notes=("no scores",)), 0, 0, 0, is_paired=False)
    first, second = sides if higher_is_better else reversed(sides)
    found = unpaired.rates(first, second, low=low, high=high, level=level)
    return replace(found, difference=replace(found.difference, unscored=unscored))


def _welch(
    baseline: Mapping[Hashable, float],
    candidate: Mapping[Hashable, float],
    *,
    higher_is_better: bool,
    unscored: int,
    level: float,
) -> Comparison:
    if not baseline or not candidate:
        return Comparison(Estimate(None, None, 0, method="none", notes=("no scores",)), 0, 0, 0, is_paired=False)
    sides = (list(candidate.values()), list(baseline.values()))
    first, second = sides if higher_is_better else sides[::-1]
    found = unpaired.welch(first, second, level=level)
    return replace(found, difference=replace(found.difference, unscored=unscored))


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison; where many examples are unscored also with all of those against and for the candidate.

    `alternatives` are intervals of other names for pass/fail, to compare with other tools.
    """

    comparison: Comparison
    worst: Comparison | None = None
    best: Comparison | None = None
    alternatives: tuple[Interval, ...] = ()


def compared(
    baseline: Mapping[Hashable, float],
    candidate: Mapping[Hashable, float],
    examples: tuple[Collection[Hashable], Collection[Hashable]],
    *,
    is_paired: bool = True,
    low: float | None = 0.0,
    high: float | None = 1.0,
    higher_is_better: bool = True,
    seed: int = 0,
) -> Compared:
    """Baseline against candidate, each a mean score by example, out of the `examples` that each of the two ran on.

    Paired over the examples of both, or unpaired over all. An example without a score counts as unscored; more than a
    twentieth of these, and both extremes are computed too, where the metric has a range (`low` and `high`).
    """
    of_before, of_after = set(examples[0]), set(examples[1])
    if is_paired:
        of_before = of_after = of_before & of_after
    before = {key: baseline[key] for key in baseline if key in of_before}
    after = {key: candidate[key] for key in candidate if key in of_after}
    if is_paired:
        total, missing = len(of_before), len(of_before) - len(before.keys() & after.keys())
    else:
        total = len(of_before) + len(of_after)
        missing = total - len(before) - len(after)

    def against(one: Mapping[Hashable, float], other: Mapping[Hashable, float]) -> Comparison:
        scale: dict[str, Any] = {"low": low, "high": high, "higher_is_better": higher_is_better, "unscored": missing}
        return comparison(one, other, seed=seed, **scale) if is_paired else unpaired_comparison(one, other, **scale)

    found = against(before, after)
    others = _alternatives(before, after, higher_is_better) if is_paired else ()
    if low is None or high is None or missing <= verdicts.MANY_UNSCORED * total:
        return Compared(found, alternatives=others)
    good, bad = (high, low) if higher_is_better else (low, high)
    worst = against({**dict.fromkeys(of_before, good), **before}, {**dict.fromkeys(of_after, bad), **after})
    best = against({**dict.fromkeys(of_before, bad), **before}, {**dict.fromkeys(of_after, good), **after})
    return Compared(found, worst, best, others)


def _alternatives(
    before: Mapping[Hashable, float], after: Mapping[Hashable, float], higher_is_better: bool
) -> tuple[Interval, ...]:
    """Newcombe's and Agresti and Min's interval, where every score is a pass or a fail."""
    pairs = Counter((after[key], before[key]) for key in before if key in after)
    if not pairs or not {value for pair in pairs for value in pair} <= {0.0, 1.0}:
        return ()
    good, bad = (1.0, 0.0) if higher_is_better else (0.0, 1.0)
    wins, losses, n = pairs[good, bad], pairs[bad, good], pairs.total()
    newcombe = paired.newcombe_paired(pairs[good, good], wins, losses, pairs[bad, bad])
    return newcombe, paired.agresti_min(wins, losses, n)


def example_means(values: Sequence[float], examples: Sequence[Hashable]) -> dict[Hashable, float]:
    """One mean per example, for `comparison`; NaN is refused.

    :raises ValueError: for numbers that are not finite.
    """
    if not all(math.isfinite(value) for value in values):
        raise ValueError("a score is not finite")
    averaged = clustering.average_repeats(values, examples)
    return dict(zip(averaged.examples, averaged.means, strict=True))


def _repeat_notes(repeats: Sequence[int]) -> tuple[str, ...]:
    if not repeats or max(repeats) == 1:
        return ()
    few, many = min(repeats), max(repeats)
    return (f"{few} repeats each" if few == many else f"{few} to {many} repeats each",)


def _counted(estimate: Estimate, unscored: int, notes: tuple[str, ...]) -> Estimate:
    return replace(estimate, unscored=unscored, notes=(*notes, *estimate.notes))
