"""Margins: how sure “no worse by more than so much” and “the same within so much” are, for paired pass/fail."""

from __future__ import annotations

from evals.statistics import paired, quantiles
from evals.statistics.types import Test

SOURCE = "ICH E9 1998; Tango 1998"


def no_worse(b: float, c: float, n: float, margin: float) -> Test:
    """One-sided p of “worse by the margin or more”, from b wins, c losses and n pairs; compare it with 0.025.

    :raises ValueError: unless 0 < margin < 1 and n > 0.
    """
    if not (0 < margin < 1 and n > 0):
        raise ValueError(f"no margin: {margin} of {n}")
    z = paired.tango_z(b, c, n, -margin)
    return Test(quantiles.phi(-z), z, f"difference above −{margin:g}", "Tango, one-sided")


def equivalent(b: float, c: float, n: float, margin: float) -> Test:
    """The larger of both one-sided p-values (TOST, Schuirmann 1987): at most 0.025 means the same within the margin.

    :raises ValueError: unless 0 < margin < 1 and n > 0.
    """
    lower, upper = no_worse(b, c, n, margin), no_worse(c, b, n, margin)
    larger = max(lower, upper, key=lambda test: test.p)
    return Test(larger.p, larger.statistic, f"difference within ± {margin:g}", "Tango, two one-sided tests")
