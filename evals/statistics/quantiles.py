"""Quantiles and p values of the normal and the t distribution."""

from __future__ import annotations

from statistics import NormalDist

_NORMAL = NormalDist()


def normal(level: float) -> float:
    """Two-sided: 1.959964 for 0.95."""
    return _NORMAL.inv_cdf(1 - (1 - level) / 2)


def student(level: float, df: float) -> float:
    """Two-sided quantile of t."""
    from scipy.special import stdtrit  # noqa: PLC0415 - only processes that compute load scipy

    return float(stdtrit(df, 1 - (1 - level) / 2))


def student_p(t: float, df: float) -> float:
    """Two-sided p value of t."""
    from scipy.special import stdtr  # noqa: PLC0415

    return 2 * float(stdtr(df, -abs(t)))


def phi(z: float) -> float:
    """Distribution function of the normal distribution."""
    return _NORMAL.cdf(z)


def phi_inverse(p: float) -> float:
    return _NORMAL.inv_cdf(p)
