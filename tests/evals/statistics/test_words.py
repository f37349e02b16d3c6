from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from evals.statistics import clusters, means, paired, paired_tests, quantiles, rates, scores, verdicts
from evals.statistics.scales import Scale


@pytest.mark.parametrize(
    ("b", "c", "n", "margin", "interval", "p", "word", "part"),
    [
        (30, 12, 400, 0.03, (0.013861, 0.078724), 0.005402, "better", "better by 4.5 points (1.4 to 7.9)"),
        (14, 10, 600, 0.03, (-0.010037, 0.024166), 0.424356, "no worse", "the same within 3 points"),
        (
            2,
            14,
            900,
            0.03,
            (-0.023980, -0.005350),
            0.002350,
            "no worse",
            "slightly lower (0.5 to 2.4 points), inside the 3 points you allow",
        ),
        (8, 25, 300, 0.03, (-0.097020, -0.020320), 0.002935, "worse", "worse by 5.7 points (2 to 9.7)"),
        (
            6,
            4,
            80,
            0.03,
            (-0.059893, 0.113442),
            0.548828,
            "not known yet",
            "between 6 lower and 11 points higher; about 1,300 more examples would tell",
        ),
        (
            4,
            0,
            50,
            None,
            (0.002945, 0.188382),
            0.0625,
            "not known yet",
            "too few examples on which the two differ (4); about 320 more",
        ),
    ],
)
def test_the_words(
    b: int, c: int, n: int, margin: float, interval: tuple[float, float], p: float, word: str, part: str
) -> None:
    found = paired.pass_fail(b, c, n)
    assert found.difference.interval is not None
    assert (found.difference.interval.low, found.difference.interval.high) == pytest.approx(interval, abs=1.5e-6)
    assert found.tests[0].p == pytest.approx(p, abs=1.5e-6)
    verdict = verdicts.decide(found, margin=margin)
    assert verdict.word == word
    assert part in verdict.sentence


def test_nothing_is_known_from_too_little() -> None:
    assert verdicts.decide(paired.bounded([])).word == "not known yet"
    assert verdicts.decide(paired.bounded([1.0])).sentence == "only one example"
    assert verdicts.decide(paired.bounded([1.0] * 4)).sentence == "only 4 examples"
    one_document = paired.bounded([1.0, 0.5, 1.0, 1.0, 1.0], clusters=[0] * 5)
    assert verdicts.decide(one_document).word == "not known yet"


def test_a_correction_that_turns_the_word_is_named() -> None:
    found = paired.pass_fail(30, 12, 400)
    assert "several metrics" in verdicts.decide(found, p_adjusted=0.08).sentence


def test_unscored_examples_that_could_turn_the_word_make_it_unknown() -> None:
    found = scores.comparison(dict.fromkeys(range(40), 0.0), dict.fromkeys(range(40), 1.0), unscored=31)
    for_it, against_it = paired.pass_fail(60, 0, 71), paired.pass_fail(30, 31, 71)
    verdict = verdicts.decide(found, unscored_worst=against_it, unscored_best=for_it)
    assert (verdict.word, verdict.sentence) == ("not known yet", "31 of 71 were not scored")
    assert verdicts.decide(found, unscored_worst=for_it, unscored_best=for_it).word == "better"


def test_repeats_of_an_example_are_one_unit() -> None:
    once = scores.summary([1, 0, 1, 1, 0, 1], range(6))
    thrice = scores.summary([1, 0, 1, 1, 0, 1] * 3, list(range(6)) * 3)
    assert (once.n, once.method) == (6, "Wilson")
    assert (thrice.n, thrice.units, thrice.value, thrice.interval) == (6, 6, once.value, once.interval)
    assert thrice.notes[0] == "3 repeats each"
    mixed = scores.summary([1, 0, 1, 1], ["a", "a", "b", "c"], unscored=2)
    assert (mixed.n, mixed.unscored, mixed.value, mixed.method) == (3, 2, pytest.approx(2.5 / 3), "effective Wilson")


def test_what_cannot_be_computed_says_so() -> None:
    assert scores.summary([], []).notes == ("no scores",)
    assert means.bounded_mean([0.5]).interval is None
    assert means.bounded_mean([1.0]).interval is not None  # one pass of one: 21 to 100 %
    assert means.bounded_mean([0.5, 0.5, 1], clusters=["a", "a", "a"]).interval is None
    assert means.bounded_mean([0.2, 0.7, 0.1]).notes == ("very few",)
    for bad in (1.5, -0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="outside"):
            means.bounded_mean([bad, 0.5])
    with pytest.raises(ValueError, match="outside"):
        paired.bounded([float("nan")])
    with pytest.raises(ValueError, match="not finite"):
        scores.example_means([float("nan")], ["a"])
    with pytest.raises(ValueError, match="finite"):
        means.bca([float("inf")])


def test_latency_and_cost_have_no_range() -> None:
    latencies = [0.5 + 0.01 * (7 * place % 31) for place in range(40)]
    found = scores.summary(latencies, range(40), low=None, high=None, seed=scores.seed_of("run", "latency"))
    assert found.method == "BCa, expanded"
    assert found == scores.summary(latencies, range(40), low=None, high=None, seed=scores.seed_of("run", "latency"))
    slower = scores.comparison(
        dict(enumerate(latencies)),
        {k: v + 0.3 for k, v in enumerate(latencies)},
        low=None,
        high=None,
        higher_is_better=False,
    )
    assert slower.difference.value == pytest.approx(-0.3)
    assert slower.losses == 40
    same = scores.comparison(dict(enumerate(latencies)), dict(enumerate(latencies)), low=None, high=None)
    assert same.difference.notes == ("identical on all 40 examples",)
    assert means.bca([3.0] * 20).notes == ("no spread seen",)
    assert means.bca([1, 2, 3]).method == "t"


def test_quantiles_have_intervals_of_order_statistics() -> None:
    median = means.quantile(list(range(1, 102)), 0.5)
    assert (median.value, median.interval and (median.interval.low, median.interval.high)) == (51, (41, 61))
    assert means.quantile(list(range(30)), 0.95).interval is None
    assert means.quantile(list(range(200)), 0.95).interval is not None
    assert means.quantile([], 0.5).value is None


counts = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)).filter(lambda each: sum(each) > 0)
unit = st.floats(0, 1).map(lambda x: round(x, 3))


@given(counts)
def test_swapping_the_versions_mirrors_everything(each: tuple[int, int, int]) -> None:
    b, c, ties = each
    one, other = paired.pass_fail(b, c, b + c + ties), paired.pass_fail(c, b, b + c + ties)
    assert one.difference.interval is not None
    assert other.difference.interval is not None
    assert one.difference.interval.low == pytest.approx(-other.difference.interval.high, abs=1e-9)
    assert one.tests[0].p == pytest.approx(other.tests[0].p)
    mirrored = {"better": "worse", "worse": "better"}
    word = verdicts.decide(one).word
    assert verdicts.decide(other).word == mirrored.get(word, word)


@given(counts)
def test_tangos_interval_is_where_its_statistic_is_small(each: tuple[int, int, int]) -> None:
    b, c, ties = each
    n, z = b + c + ties, quantiles.normal(0.95)
    assume(b + c > 0)
    interval = paired.tango(b, c, n, z)
    assert interval.low - 1e-9 <= (b - c) / n <= interval.high + 1e-9
    for end, sign in ((interval.low, 1), (interval.high, -1)):
        if abs(end) < 1 - 1e-6:
            assert paired.tango_z(b, c, n, end) == pytest.approx(sign * z, abs=1e-4)


@given(st.lists(unit, min_size=2, max_size=60))
def test_an_interval_holds_its_mean_and_stays_in_the_range(x: list[float]) -> None:
    found = means.bounded_mean(x)
    assert found.interval is not None
    assert found.value is not None
    assert -1e-12 <= found.interval.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.interval.high <= 1 + 1e-12
    on_ten = means.bounded_mean([1 + 9 * value for value in x], low=1, high=10)
    assert on_ten.value == pytest.approx(1 + 9 * found.value)
    assert on_ten.interval is not None
    assert on_ten.interval.low == pytest.approx(1 + 9 * found.interval.low)


@given(st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.1, 0.5, 1.0]), min_size=2, max_size=60))
def test_a_paired_interval_holds_its_difference(d: list[float]) -> None:
    found = paired.bounded(d).difference
    assert found.interval is not None
    assert found.value is not None
    assert found.interval.low - 1e-9 <= found.value <= found.interval.high + 1e-9
    assert found.interval.low >= -1
    assert found.interval.high <= 1


@given(st.integers(1, 300), st.data())
def test_wilson_agrees_with_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    oracle = binomtest(k, n).proportion_ci(method="wilson")
    assert (rates.wilson(k, n).low, rates.wilson(k, n).high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    exact = binomtest(k, n).proportion_ci(method="exact")
    found = rates.clopper_pearson(k, n)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_importing_the_package_loads_neither_numpy_nor_scipy() -> None:
    code = (
        "import sys; from evals.statistics import means, paired, rates, scores, verdicts, families, clusters; "
        "rates.wilson(3, 9); sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_comparing_never_loads_the_slow_half_of_scipy() -> None:
    code = (
        "import sys; from evals.statistics import means, paired; "
        "paired.bounded([0.5, -0.25, 0, 1, 0, 0, 0.1]); paired.pass_fail(3, 1, 9); means.quantile(range(99), 0.5); "
        "means.bounded_mean([0.5, 0.25, 1]); sys.exit('scipy.stats' in sys.modules or 'scipy.optimize' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@given(st.integers(1, 400), st.floats(0.01, 0.99), st.floats(0.001, 0.999))
def test_order_statistics_agree_with_scipy(n: int, q: float, p: float) -> None:
    found = means._binomial_quantile(p, n, q)
    assert binom.cdf(found, n, q) >= p - 1e-9
    assert binom.cdf(found - 1, n, q) <= p + 1e-9


@given(st.lists(unit, min_size=2, max_size=40))
def test_clusters_of_one_are_no_clusters(x: list[float]) -> None:
    alone = clusters.jackknife(x, [1.0] * len(x))
    assert alone.se == pytest.approx(clusters.robust(x, [1.0] * len(x)).se, abs=1e-12)
    plain, clustered = means.bounded_mean(x), means.bounded_mean(x, clusters=range(len(x)))
    assert clustered.value == pytest.approx(plain.value)
    assert clustered.units == plain.units
    if not set(x) <= {0.0, 1.0} and plain.n_eff is not None and plain.n_eff <= len(x) and len(set(x)) > 1:
        assert clustered.n_eff == pytest.approx(plain.n_eff, rel=1e-6)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=5, max_size=30), st.floats(0.1, 10))
def test_equal_weights_are_no_weights(d: list[float], weight: float) -> None:
    plain = paired._effective(d, None, None, 0.95)
    weighted = paired._effective(d, [weight] * len(d), None, 0.95)
    assert weighted.value == pytest.approx(plain.value)
    assert plain.interval is not None
    assert weighted.interval is not None
    assert (weighted.interval.low, weighted.interval.high) == pytest.approx(
        (plain.interval.low, plain.interval.high), abs=1e-6
    )
    x = [(value + 1) / 2 for value in d] + [0.3]
    without, equal = means.bounded_mean(x), means.bounded_mean(x, weights=[weight] * len(x))
    assert without.interval is not None
    assert equal.interval is not None
    assert equal.interval.low == pytest.approx(without.interval.low, abs=1e-6)


def test_weights_and_clusters_together() -> None:
    x, cluster = [1.0, 0.5, 0.0, 1.0, 0.75, 1.0], ["a", "a", "b", "b", "c", "d"]
    plain = means.bounded_mean(x, clusters=cluster)
    weighted = means.bounded_mean([*x, 0.0], clusters=[*cluster, "e"], weights=[2.0] * 6 + [0.0])
    assert weighted.value == pytest.approx(plain.value)
    assert (weighted.n, weighted.units) == (6, 4)
    d = [1.0, -0.5, 0.0, 0.25, 0.0, 0.0]
    assert paired.bounded(d, clusters=cluster, weights=[3.0] * 6).difference.value == pytest.approx(0.125)
    assert paired.bounded(d, clusters=["a"] * 6).difference.interval is None
    assert paired.bounded([0.0, 0.0, 0.0, 0.0, 0.5], clusters=[1, 1, 2, 3, 4]).difference.interval is not None


def test_ten_thousand_units_are_tested_by_t() -> None:
    d = [0.1, -0.05, 0.02] * 4_000
    found = paired.bounded(d)
    assert found.tests[0].method == "paired t"
    assert found.tests[0].p < 0.001
    assert means.bca(d).method == "t"
    assert paired_tests.sign_flip([0.5, 0.5, -0.25], clusters=["a", "a", "b"]).p == 1.0


def test_more_that_cannot_be_computed() -> None:
    for method in (clusters.jackknife, clusters.robust):
        with pytest.raises(ValueError, match="one cluster"):
            method([1.0], [2.0])
    with pytest.raises(ValueError, match="no rate"):
        rates.wilson(1, 0)
    assert means.bounded_mean([]).value is None
    assert means.t_mean([3.0]).interval is None
    assert paired.unbounded([], seed=1).difference.value is None
    assert paired_tests.wilcoxon_pratt([0.0, 0.0]).p == 1.0
    assert scores.example_means([1, 0, 1], ["a", "a", "b"]) == {"a": 0.5, "b": 1.0}
    assert paired.bounded([1.0, 0.5, -0.5, 1.0, 1.0], width=2.0).difference.value == pytest.approx(0.6)
    skewed = means.bca([0.0] * 40 + [1e6], seed=1)
    assert skewed.interval is not None
    unclear = paired.unbounded([1.0] * 3 + [1.0, 1.0], seed=1)
    assert verdicts.decide(unclear).sentence == "no spread seen"
    wide = paired.pass_fail(9, 1, 40)
    assert verdicts.decide(wide, margin=0.05, p_adjusted=0.2).sentence == "no worse than 5 points below"


def test_equal_differences_keep_an_interval_of_honest_width() -> None:
    for value in (-0.1, 0.3, 1 / 3):
        found = paired.bounded([value] * 12).difference.interval
        assert found is not None
        assert found.high - found.low > 0.2


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.0, 0.25, 1.0]), min_size=5, max_size=40))
def test_every_example_twice_narrows_the_interval_and_never_moves_the_estimate(d: list[float]) -> None:
    once, twice = paired.bounded(d).difference, paired.bounded(d * 2).difference
    assert twice.value == pytest.approx(once.value)
    assert once.interval is not None
    assert twice.interval is not None
    assert twice.interval.high - twice.interval.low < once.interval.high - once.interval.low
    x = [(value + 1) / 2 for value in d]
    single, doubled = means.bounded_mean(x), means.bounded_mean(x * 2)
    assert doubled.value == pytest.approx(single.value)
    assert single.interval is not None
    assert doubled.interval is not None
    assert doubled.interval.high - doubled.interval.low < single.interval.high - single.interval.low


def test_identical_outputs_are_no_worse_without_a_margin() -> None:
    found = paired.unbounded([0.0] * 30, seed=1)
    assert verdicts.decide(found).word == "not known yet"
    verdict = verdicts.decide(found, is_identical=True)
    assert (verdict.word, verdict.sentence) == ("no worse", "the outputs are identical on all 30 examples")


def test_a_margin_that_allows_nothing_is_refused() -> None:
    for margin in (0.0, -0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="no difference that could be allowed"):
            verdicts.decide(paired.pass_fail(3, 1, 40), margin=margin)


def test_few_examples_earn_no_decimals_and_other_ranges_have_their_points() -> None:
    assert verdicts.Words(80).points(0.1234) == "12 points"
    assert verdicts.Words(80).points(0.001) == "0.1 points"
    assert verdicts.Words(400).points(-0.1234) == "12.3 points"
    assert verdicts.Words(400).points(0.01) == "1 point"
    assert verdicts.Words(400, Scale(0.0, 100.0, unit="")).points(4.5) == "4.5 points"


def test_without_a_range_differences_are_said_in_the_unit_and_as_better_or_worse() -> None:
    latency, cost = Scale(0.0, math.inf, False, "ms"), Scale(0.0, math.inf, False, "$")
    assert verdicts.Words(400, latency).points(1234.4) == "1,234 ms"
    assert verdicts.Words(400, cost).points(-0.000123) == "$0.000123"
    assert verdicts.Words(400, Scale(0.0, math.inf, False)).points(0.12) == "12 points"
    clear = verdicts.decide(paired.unbounded([100.0, 120.0, 90.0, 130.0] * 5, 1), scale=latency)
    assert clear.sentence == "better by 110 ms (102 to 118)"
    unclear = verdicts.decide(paired.unbounded([30.0, -20.0, 25.0, -35.0] * 5, 1), scale=latency, smallest=20.0)
    assert unclear.sentence.startswith("between 13.5 worse and 13.0 ms better; ")


def test_ten_thousand_equal_differences_have_a_test_too() -> None:
    assert paired_tests.paired_t([0.5] * 12).p == 0
    assert paired_tests.paired_t([0.0] * 12).p == 1
    with pytest.raises(ValueError, match="no spread"):
        paired_tests.paired_t([0.5])
