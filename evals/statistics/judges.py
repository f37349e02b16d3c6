"""What people would say of a rate, from what a judge said: certificates, and pass rates corrected by them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from evals.statistics import quantiles, rates
from evals.statistics.agreement import ENOUGH_OF_A_CLASS, Confusion
from evals.statistics.types import Estimate, Interval

ENOUGH_LABELS = 50
LOWEST_YOUDEN = 0.1
STALE_AFTER = timedelta(days=180)
FEWEST_GROUPS = 5
RESAMPLES = 9_999


@dataclass(frozen=True, slots=True)
class Corrected:
    """The judge's own figure, the corrected one, and whether the corrected one may be believed.

    `labels_only` is what the labels say without the judge; `se` the standard error behind the textbook's interval
    (`alternatives`); `tuning` how much the judge weighs in prediction-powered inference, from 0 to 1.
    """

    raw: Estimate
    corrected: Estimate
    labels_only: Estimate | None
    usable: bool
    reasons: tuple[str, ...]
    se: float | None = None
    tuning: float | None = None
    alternatives: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whether a judge's verdicts may be built upon, and if not, why. `youden` is TPR + TNR − 1 with its interval."""

    usable: bool
    reasons: tuple[str, ...]
    youden: Estimate | None


def certificate(
    found: Confusion,
    *,
    kappa: Estimate | None = None,
    groups: int | None = None,
    measured_at: datetime | None = None,
    now: datetime | None = None,
) -> Certificate:
    """Enough labels, enough of each class, and a judge that can tell pass from fail.

    With more than two classes it is `kappa` that must be above chance. `groups` are the documents or conversations
    that the labels come from, where they are not independent.
    """
    reasons = []
    if found.n < ENOUGH_LABELS:
        reasons.append(f"only {found.n} label{'' if found.n == 1 else 's'}; a certificate needs {ENOUGH_LABELS}")
    for name, count in zip(found.classes, found.labels, strict=True):
        if count < ENOUGH_OF_A_CLASS and len(found.classes) == 2:
            reasons.append(f"too few “{name}” examples ({count}) to know")
    if groups is not None and groups < FEWEST_GROUPS:
        reasons.append(f"the labels come from only {groups} group{'' if groups == 1 else 's'}")
    youden = _youden(found)
    if youden is not None and youden.interval is not None and youden.interval.low <= LOWEST_YOUDEN:
        reasons.append("this judge cannot tell pass from fail")
    if len(found.classes) > 2 and (kappa is None or kappa.interval is None or kappa.interval.low <= 0):
        reasons.append("this judge agrees with people no better than chance")
    if measured_at is not None and now is not None and now - measured_at > STALE_AFTER:
        reasons.append(f"measured {(now - measured_at).days} days ago")
    return Certificate(not reasons, tuple(reasons), youden)


def rogan_gladen(
    passes: int, n: int, found: Confusion, *, n_eff: float | None = None, seed: int = 0, level: float = 0.95
) -> Corrected:
    """The true pass rate behind a judge's `passes` of `n` (Rogan, Gladen 1978), interval by Lang, Reiczigel 2014.

    Unreadable verdicts are left out on both sides: they are in neither `n` nor the rates used here. `n_eff` takes the
    place of `n` where results are clustered. The delta and the bootstrap interval are `alternatives`.

    :raises ValueError: unless the table is of pass and fail, and 0 ≤ passes ≤ n with n > 0.
    """
    size = n_eff or float(n)
    raw = Estimate(passes / n if n else None, rates.wilson(passes / n * size if n else 0, size, level), n, size, n,
                   method="Wilson", source="Wilson 1927")  # fmt: skip
    if len(found.table) != 2:
        raise ValueError("only verdicts of pass and fail can be corrected")
    (tp, fn), (fp, tn) = found.table
    positives, negatives = tp + fn, fp + tn
    method, source = "Rogan–Gladen", "Rogan & Gladen 1978; Lang & Reiczigel 2014"
    decided = certificate(found)
    reasons = list(decided.reasons)
    tpr, tnr = _share(tp, positives), _share(tn, negatives)
    if tpr is None or tnr is None or tpr + tnr - 1 <= 0:
        reasons = reasons or ["this judge cannot tell pass from fail"]
        none = Estimate(None, None, n, size, n, method=method, source=source, notes=tuple(reasons))
        return Corrected(raw, none, None, False, tuple(reasons))
    q, youden = passes / n, tpr + tnr - 1
    theta = (q + tnr - 1) / youden
    error = math.sqrt(
        q * (1 - q) / size + theta**2 * tpr * (1 - tpr) / positives + (1 - theta) ** 2 * tnr * (1 - tnr) / negatives
    ) / abs(youden)  # fmt: skip
    half = quantiles.normal(level) * error
    if theta < -half or theta > 1 + half:
        reasons.append("the certificate does not fit this run")
    interval = _lang_reiczigel(q * size, size, tp, positives, tn, negatives, level)
    delta = Interval(theta - half, theta + half, level, "delta")
    drawn = _bootstrap(q, n, tpr, positives, tnr, negatives, seed, level)
    value = min(max(theta, 0.0), 1.0)
    corrected = Estimate(value, interval, n, size, n, method=method, source=source, notes=tuple(reasons))
    return Corrected(raw, corrected, None, not reasons, tuple(reasons), se=error, alternatives=(delta, drawn))


def _youden(found: Confusion) -> Estimate | None:
    """TPR + TNR − 1, limits from the two Wilson intervals (Zou, Donner 2008)."""
    if found.tpr is None or found.tnr is None or found.tpr.value is None or found.tnr.value is None:
        return None
    (tpr, first), (tnr, second) = (found.tpr.value, found.tpr.interval), (found.tnr.value, found.tnr.interval)
    assert first is not None
    assert second is not None
    value = tpr + tnr - 1
    low = value - math.hypot(tpr - first.low, tnr - second.low)
    high = value + math.hypot(first.high - tpr, second.high - tnr)
    return Estimate(
        value, Interval(low, high, first.level, "MOVER"), found.n, method="Youden's J", source="Youden 1950"
    )


def _lang_reiczigel(
    passes: float, n: float, tp: int, positives: int, tn: int, negatives: int, level: float
) -> Interval:
    z = quantiles.normal(level)
    q = (passes + z * z / 2) / (n + z * z)
    tpr, tnr = (tp + 1) / (positives + 2), (tn + 1) / (negatives + 2)
    youden = tpr + tnr - 1
    if youden <= 0:
        return Interval(0.0, 1.0, level, "Lang–Reiczigel")
    theta = (q + tnr - 1) / youden
    first, second = tpr * (1 - tpr) / (positives + 2), tnr * (1 - tnr) / (negatives + 2)
    shift = 2 * z * z * (theta * first - (1 - theta) * second)
    half = z * math.sqrt(q * (1 - q) / (n + z * z) + theta**2 * first + (1 - theta) ** 2 * second) / youden
    low, high = (min(max(theta + shift + side * half, 0.0), 1.0) for side in (-1, 1))
    return Interval(low, high, level, "Lang–Reiczigel")


def _bootstrap(
    q: float, n: int, tpr: float, positives: int, tnr: float, negatives: int, seed: int, level: float
) -> Interval:
    """Draws the run and the certificate afresh; a draw in which the judge is blind says nothing and is left out."""
    import numpy as np  # noqa: PLC0415

    random = np.random.default_rng(seed)
    rate = random.binomial(n, q, RESAMPLES) / n
    right = random.binomial(positives, tpr, RESAMPLES) / positives
    wrong = random.binomial(negatives, tnr, RESAMPLES) / negatives
    youden = right + wrong - 1
    kept = youden > 0
    drawn = np.clip((rate[kept] + wrong[kept] - 1) / youden[kept], 0, 1)
    low, high = np.quantile(drawn, [(1 - level) / 2, 1 - (1 - level) / 2])
    return Interval(float(low), float(high), level, "parametric bootstrap")


def _share(k: int, n: int) -> float | None:
    return k / n if n else None
