"""Known answers from papers, R documentation and second derivations, in the order of docs/metrics.md."""

from __future__ import annotations

from typing import Any

import pytest

from evals.statistics import clusters, families, margins, means, paired, paired_tests, quantiles, rates

Z = quantiles.normal(0.95)
EXACT = 1.5e-6


def ends(interval: Any) -> tuple[float, float]:
    return interval.low, interval.high


# One rate


@pytest.mark.parametrize(
    ("k", "n", "wilson", "clopper_pearson"),
    [
        (0, 10, (0, 0.277533), (0, 0.308497)),
        (1, 1, (0.206549, 1), (0.025000, 1)),
        (18, 20, (0.698966, 0.972134), (0.683017, 0.987651)),
        (847, 1000, (0.823363, 0.867981), (0.823171, 0.868765)),
    ],
)
def test_one_rate(k: int, n: int, wilson: tuple[float, float], clopper_pearson: tuple[float, float]) -> None:
    assert ends(rates.wilson(k, n)) == pytest.approx(wilson, abs=EXACT)
    assert ends(rates.clopper_pearson(k, n)) == pytest.approx(clopper_pearson, abs=EXACT)


def test_one_rate_named_alternatives() -> None:
    assert ends(rates.agresti_coull(4, 20)) == pytest.approx((0.074912, 0.421764), abs=EXACT)
    assert rates.zero_failures(100).high == pytest.approx(1 - 0.05**0.01)
    assert rates.wald(1, 10).low < 0  # unclipped on purpose
    with pytest.raises(ValueError, match="no rate"):
        rates.clopper_pearson(3, 2)


# One mean


@pytest.mark.parametrize(
    ("x", "weights", "mean", "n_eff", "interval"),
    [
        ([1, 0.75, 1, 0.5, 1, 1, 0.25, 1, 0.75, 1], None, 0.825, 20.584158, (0.578814, 0.941766)),
        ([1, 0, 1, 1], [1, 1, 2, 4], 0.875, 2.181818, (0.136138, 0.996794)),
        ([1.0] * 99 + [0.99], None, 0.9999, 200, (0.980499, 0.999999)),
    ],
)
def test_one_mean_effective_wilson(
    x: list[float], weights: list[float] | None, mean: float, n_eff: float, interval: tuple[float, float]
) -> None:
    found = means.bounded_mean(x, weights=weights)
    assert found.value == pytest.approx(mean)
    assert found.n_eff == pytest.approx(n_eff, abs=EXACT)
    assert found.interval is not None
    assert ends(found.interval) == pytest.approx(interval, abs=EXACT)


def test_one_mean_all_equal() -> None:
    # Ten times 1 as scores of repeats: t in place of z; as plain passes it is Wilson's.
    found = means.bounded_mean([1.0] * 10, clusters=list(range(10)))
    assert found.interval is not None
    assert ends(found.interval) == pytest.approx((0.661491, 1), abs=EXACT)
    t = means.t_mean([1, 0.75, 1, 0.5, 1, 1, 0.25, 1, 0.75, 1])
    assert t.interval is not None
    assert ends(t.interval) == pytest.approx((0.635547, 1.014453), abs=EXACT)


SIXTEEN = [10, 12, 12.5, 12.5, 13.9, 15, 21, 22, 23, 34, 50, 81, 89, 121, 134, 213]


def test_one_mean_bca_of_a_skewed_sample() -> None:
    t = means.t_mean(SIXTEEN)
    assert t.value == pytest.approx(53.993750)
    assert t.interval is not None
    assert ends(t.interval) == pytest.approx((22.653616, 85.333884), abs=EXACT)
    plain = means.bca(SIXTEEN, seed=1, resamples=400_000, expand=False)
    assert plain.interval is not None
    assert ends(plain.interval) == pytest.approx((32.3, 91.4), abs=0.3)
    expanded = means.bca(SIXTEEN, seed=1, resamples=400_000)
    assert expanded.interval is not None
    assert ends(expanded.interval) == pytest.approx((30.2, 97.1), abs=0.3)


@pytest.mark.parametrize(
    ("x", "plain", "expanded"),
    [
        ([1, 2, 4, 8, 9], (2.2, 7.6), (1.293639, 8.8)),
        ([0, 0, 1, 2, 5, 9], (0.833333, 6.333333), (0.333333, 7.833333)),
    ],
)
def test_one_mean_bca_over_all_resamples(x: list[float], plain: Any, expanded: Any) -> None:
    for expand, expected in ((False, plain), (True, expanded)):
        found = means.bca(x, exhaustive=True, expand=expand).interval
        assert found is not None
        assert ends(found) == pytest.approx(expected, abs=EXACT)


def test_one_mean_bca_agrees_with_scipy() -> None:
    import numpy as np
    from scipy.stats import bootstrap

    oracle = bootstrap((np.array(SIXTEEN),), np.mean, method="BCa", n_resamples=9_999, random_state=1)
    ours = means.bca(SIXTEEN, seed=1, expand=False).interval
    assert ours is not None
    assert ends(ours) == pytest.approx(tuple(oracle.confidence_interval), abs=1.0)
    median = means.bca(SIXTEEN, lambda sample: float(np.median(sample)), seed=1, expand=False)
    assert median.value == 22.5


def test_one_mean_bca_over_clusters_of_one_is_the_plain_one() -> None:
    plain = means.bca(SIXTEEN, seed=1, resamples=100_000)
    clustered = means.bca(SIXTEEN, clusters=range(16), seed=2, resamples=100_000)
    assert plain.interval is not None
    assert clustered.interval is not None
    assert (clustered.n, clustered.units) == (16, 16)
    assert ends(clustered.interval) == pytest.approx(ends(plain.interval), abs=0.4)
    doubled = means.bca([*SIXTEEN, *SIXTEEN], clusters=[*range(16), *range(16)], seed=2, resamples=100_000)
    assert doubled.interval is not None
    assert ends(doubled.interval) == pytest.approx(ends(clustered.interval))
    with pytest.raises(ValueError, match="mean only"):
        means.bca(SIXTEEN, max, clusters=range(16))
    few = means.bca([1.0, 2.0, 4.0, 9.0], clusters=["a", "a", "b", "c"])
    assert (few.method, few.units) == ("t", 3)
    assert means.bca([1.0, 2.0], clusters=["a", "a"]).interval is None


# Clusters

EIGHT = [[1, 1, 0], [1, 1, 1, 1], [0, 0], [1], [0, 1, 1], [1, 1], [0, 0, 0], [1, 0]]


def flat(groups: list[list[float]]) -> tuple[list[float], list[int]]:
    return [x for group in groups for x in group], [g for g, group in enumerate(groups) for _ in group]


def test_clustered_mean() -> None:
    x, cluster = flat(EIGHT)
    sums, sizes = clusters.totals(x, cluster)
    assert clusters.robust(sums, sizes).se == pytest.approx(0.152690, abs=EXACT)
    jackknife = clusters.jackknife(sums, sizes)
    assert (jackknife.mean, jackknife.units) == (pytest.approx(0.6), 8)
    assert jackknife.se == pytest.approx(0.157845, abs=EXACT)
    assert jackknife.deff == pytest.approx(2.076252, abs=EXACT)
    found = means.bounded_mean(x, clusters=cluster)
    assert found.n_eff == pytest.approx(9.632742, abs=EXACT)
    assert found.interval is not None
    assert ends(found.interval) == pytest.approx((0.264116, 0.862429), abs=EXACT)
    cr1 = quantiles.student(0.95, 7) * clusters.robust(sums, sizes).se
    assert (0.6 - cr1, 0.6 + cr1) == pytest.approx((0.238945, 0.961055), abs=EXACT)
    se, interval = clusters.cluster_bootstrap(sums, sizes, seed=1, resamples=200_000)
    assert se == pytest.approx(0.1426, abs=0.001)
    assert ends(interval) == pytest.approx((0.300, 0.857), abs=0.01)
    with pytest.raises(ValueError, match="one cluster"):
        clusters.cluster_bootstrap([1.0], [2.0], seed=1)


def test_clustered_mean_that_is_all_right() -> None:
    x, cluster = flat(EIGHT)
    found = means.bounded_mean([1.0] * len(x), clusters=cluster)
    assert found.n_eff == pytest.approx(7.142857, abs=EXACT)
    assert found.interval is not None
    assert ends(found.interval) == pytest.approx((0.560915, 1), abs=EXACT)


# Paired


@pytest.mark.parametrize(
    ("table", "tango", "newcombe", "agresti_min"),
    [
        ((1, 1, 7, 12), (-0.517232, -0.026003), (-0.506920, -0.025559), (-0.493226, -0.028513)),
        ((80, 40, 20, 20), (0.030865, 0.218064), (0.030459, 0.216519), (0.030896, 0.216017)),
        ((36, 12, 2, 0), (0.061112, 0.344709), (0.056930, 0.340428), None),
        ((0, 10, 0, 0), (0.444934, 1), None, None),
        ((60, 0, 0, 40), (-0.036993, 0.036993), None, None),
        ((100, 0, 0, 100), (-0.018845, 0.018845), None, None),
    ],
)
def test_paired_rates(table: tuple[int, int, int, int], tango: Any, newcombe: Any, agresti_min: Any) -> None:
    a, b, c, e = table
    assert ends(paired.tango(b, c, a + b + c + e, Z)) == pytest.approx(tango, abs=EXACT)
    assert ends(paired.tango(c, b, a + b + c + e, Z)) == pytest.approx((-tango[1], -tango[0]), abs=EXACT)
    if newcombe:
        assert ends(paired.newcombe_paired(a, b, c, e)) == pytest.approx(newcombe, abs=EXACT)
    if agresti_min:
        assert ends(paired.agresti_min(b, c, a + b + c + e)) == pytest.approx(agresti_min, abs=EXACT)


@pytest.mark.parametrize(
    ("b", "c", "exact", "mid"),
    [
        (12, 3, 0.035156, 0.021271),
        (5, 5, 1, 0.876953),
        (4, 0, 0.125, 0.0625),
        (1, 0, 1, 0.5),
        (0, 0, 1, 1),
        (40, 20, 0.013489, 0.009853),
    ],
)
def test_paired_mcnemar(b: int, c: int, exact: float, mid: float) -> None:
    assert paired_tests.mcnemar(b, c, kind="exact").p == pytest.approx(exact, abs=EXACT)
    assert paired_tests.mcnemar(b, c).p == pytest.approx(mid, abs=EXACT)
    assert paired_tests.sign_flip([1.0] * b + [-1.0] * c, resamples=99).p == pytest.approx(
        exact, abs=0.1 if b + c > 20 else EXACT
    )


def test_paired_mcnemar_chi2() -> None:
    assert paired_tests.mcnemar(15, 19, kind="chi2").p == pytest.approx(0.606905, abs=EXACT)
    with pytest.raises(ValueError, match="no such kind"):
        paired_tests.mcnemar(1, 1, kind="loud")


@pytest.mark.parametrize(
    ("wins", "losses", "exact", "interval"),
    [
        (152, 209, 0.003150657, (-0.071458, -0.015052)),
        (499, 43, 1.656933e-99, (0.316582, 0.374862)),
    ],
)
def test_paired_systems_of_gsm8k(wins: int, losses: int, exact: float, interval: Any) -> None:
    found = paired.pass_fail(wins, losses, 1319)
    assert found.difference.interval is not None
    assert ends(found.difference.interval) == pytest.approx(interval, abs=EXACT)
    assert paired_tests.mcnemar(wins, losses, kind="exact").p == pytest.approx(exact, rel=1e-5)


TWENTY = [0.1, 0, 0.3, -0.2, 0.4, 0, 0.25, -0.1, 0.05, 0.15, 0.5, -0.05, 0.2, 0, 0.1, 0.35, -0.15, 0.2, 0.05, 0.3]


def test_paired_differences_between_minus_one_and_one() -> None:
    found = paired.bounded(TWENTY)
    assert found.difference.value == pytest.approx(0.1225)
    assert found.difference.n_eff == pytest.approx(20 / 0.226367, rel=1e-5)
    assert found.difference.interval is not None
    assert ends(found.difference.interval) == pytest.approx((0.034958, 0.223221), abs=EXACT)
    assert (found.wins, found.losses, found.ties) == (13, 4, 3)
    assert paired_tests.sign_flip(TWENTY).p == pytest.approx(0.011078, abs=EXACT)
    wilcoxon = paired_tests.wilcoxon_pratt(TWENTY)
    assert wilcoxon.statistic == pytest.approx(167.5)
    assert wilcoxon.p == pytest.approx(0.012497, abs=EXACT)
    assert paired_tests.wilcoxon_pratt(TWENTY, exact=False).p == pytest.approx(0.014116, abs=EXACT)
    assert paired_tests.wilcoxon_pratt(TWENTY, exact=False, zeros="drop").p == pytest.approx(0.013647, abs=EXACT)
    assert paired_tests.paired_t(TWENTY).p == pytest.approx(0.009150, abs=EXACT)
    assert found.sd == pytest.approx(0.188816, abs=EXACT)
    t = means.t_mean(TWENTY)
    assert t.interval is not None
    assert ends(t.interval) == pytest.approx((0.034132, 0.210868), abs=EXACT)
    bca = means.bca(TWENTY, seed=3, resamples=200_000)
    assert bca.interval is not None
    assert ends(bca.interval) == pytest.approx((0.0375, 0.215), abs=0.003)


@pytest.mark.parametrize(
    ("d", "deff", "interval"),
    [
        ([0.0] * 30, 1.0, (-0.122370, 0.122370)),
        ([0, 0, 0, 0.5, 0, 0, -0.25, 0, 1, 0, 0, 0], 0.796258, (-0.183534, 0.389993)),
        ([0.0] * 99 + [0.01], 0.5, (-0.019207, 0.019501)),
    ],
)
def test_paired_differences_that_are_mostly_zero(d: list[float], deff: float, interval: Any) -> None:
    # One cluster each: the way in which thirty zeros are not taken for plain pass/fail.
    found = paired._effective(d, None, None, 0.95)
    assert found.interval is not None
    assert found.n_eff == pytest.approx(len(d) / deff, rel=1e-5)
    assert ends(found.interval) == pytest.approx(interval, abs=EXACT)


def test_paired_differences_in_clusters() -> None:
    d, cluster = flat([[1, 0, 0], [0, -1], [1, 1, 0, 0], [0, 0], [1, 0, 0], [0, -1, 0], [1, 1], [0]])
    found = paired.bounded(d, clusters=cluster)
    assert found.difference.value == pytest.approx(0.2)
    assert found.difference.n_eff == pytest.approx(20 / 1.465413, rel=1e-5)
    assert found.sd == pytest.approx(0.162411 * 20**0.5, abs=1e-5)
    assert found.difference.interval is not None
    assert ends(found.difference.interval) == pytest.approx((-0.231521, 0.561192), abs=EXACT)


def test_wilcoxon_with_many_values_uses_the_normal_distribution() -> None:
    from scipy.stats import wilcoxon

    d = [((7 * place) % 31 - 12) / 10 for place in range(40)]
    oracle = wilcoxon(d, zero_method="pratt", correction=False, method="asymptotic")
    assert paired_tests.wilcoxon_pratt(d).p == pytest.approx(oracle.pvalue, rel=1e-6)


# Margins


@pytest.mark.parametrize(
    ("b", "c", "n", "margin", "lower", "upper"),
    [
        (12, 9, 400, 0.03, 0.001907, None),
        (5, 9, 200, 0.05, 0.071433, 0.000836),
        (40, 20, 160, 0.05, 0.000184, None),
        (0, 0, 100, 0.05, 0.010891, None),
    ],
)
def test_margins(b: int, c: int, n: int, margin: float, lower: float, upper: float | None) -> None:
    found = margins.no_worse(b, c, n, margin)
    assert found.p == pytest.approx(lower, abs=EXACT)
    if upper is not None:
        assert margins.no_worse(c, b, n, margin).p == pytest.approx(upper, abs=EXACT)
        assert margins.equivalent(b, c, n, margin).p == pytest.approx(lower, abs=EXACT)
    interval = paired.tango(b, c, n, Z)
    assert (found.p < 0.025) == (interval.low > -margin)


def test_margins_that_are_none() -> None:
    assert margins.no_worse(0, 0, 100, 0.05).statistic == pytest.approx(2.294157, abs=EXACT)
    assert ends(paired.tango(12, 9, 400, Z)) == pytest.approx((-0.016185, 0.032134), abs=EXACT)
    assert ends(paired.tango(5, 9, 200, Z)) == pytest.approx((-0.061991, 0.018759), abs=EXACT)
    for margin, n in ((0.0, 10), (1.0, 10), (float("nan"), 10), (0.1, 0)):
        with pytest.raises(ValueError, match="no margin"):
            margins.no_worse(1, 1, n, margin)


# Several metrics


def test_families() -> None:
    assert families.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert families.benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    many = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]
    assert families.holm(many) == pytest.approx([0.008, 0.056, *[0.234] * 6])
    assert families.benjamini_hochberg(many) == pytest.approx(
        [0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.084571, 0.205], abs=EXACT
    )
    assert families.holm([None, 0.5]) == [None, 0.5]
