from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from evals.statistics import Estimate, means, scores, unpaired, verdicts

EXACT = 1.5e-6


def rate(passes: int, n: int) -> Estimate:
    return means.bounded_mean([1.0] * passes + [0.0] * (n - passes))


@pytest.mark.parametrize(
    ("first", "second", "difference", "interval"),
    [
        ((56, 70), (48, 80), 0.2, (0.052431, 0.333873)),
        ((847, 1000), (820, 1000), 0.027, (-0.005684, 0.059654)),
        ((10, 10), (0, 10), 1.0, (0.607509, 1.0)),
    ],
)
def test_two_rates(
    first: tuple[int, int], second: tuple[int, int], difference: float, interval: tuple[float, float]
) -> None:
    found = unpaired.rates(rate(*first), rate(*second))
    assert found.difference.value == pytest.approx(difference)
    assert found.difference.interval is not None
    assert (found.difference.interval.low, found.difference.interval.high) == pytest.approx(interval, abs=EXACT)


def test_the_p_value_is_the_level_at_which_the_interval_touches_zero() -> None:
    found = unpaired.rates(rate(56, 70), rate(48, 80))
    at_p = unpaired.rates(rate(56, 70), rate(48, 80), level=1 - found.tests[0].p).difference.interval
    assert at_p is not None
    assert at_p.low == pytest.approx(0, abs=1e-9)


def test_two_means_by_welch() -> None:
    x, y = [3.1, 2.8, 3.6, 4.0, 2.2, 3.3], [2.5, 2.9, 2.0, 3.1, 1.8, 2.6, 2.4, 2.2]
    found = unpaired.welch(x, y)
    assert found.difference.value == pytest.approx(0.729167, abs=EXACT)
    assert found.tests[0].statistic == pytest.approx(2.434833, abs=EXACT)
    assert found.tests[0].p == pytest.approx(0.039207, abs=EXACT)
    assert unpaired.degrees_of_freedom(x, y) == pytest.approx(8.493487, abs=EXACT)
    assert found.difference.interval is not None
    assert (found.difference.interval.low, found.difference.interval.high) == pytest.approx(
        (0.045503, 1.412830), abs=EXACT
    )


@given(
    st.lists(st.floats(-10, 10).map(lambda v: round(v, 2)), min_size=2, max_size=20),
    st.lists(st.floats(-10, 10).map(lambda v: round(v, 2)), min_size=2, max_size=20),
)
def test_welch_agrees_with_scipy(x: list[float], y: list[float]) -> None:
    if len(set(x)) == 1 or len(set(y)) == 1:
        return
    oracle = ttest_ind(x, y, equal_var=False)
    found = unpaired.welch(x, y)
    assert found.tests[0].p == pytest.approx(oracle.pvalue, abs=1e-9)
    interval = oracle.confidence_interval()
    assert found.difference.interval is not None
    assert (found.difference.interval.low, found.difference.interval.high) == pytest.approx(
        (interval.low, interval.high), abs=1e-8
    )


def test_what_has_no_interval_says_so() -> None:
    assert unpaired.welch([1.0], [2.0, 3.0]).difference.interval is None
    assert unpaired.welch([1.0, 1.0], [2.0, 2.0]).difference.notes == ("no spread seen",)
    with pytest.raises(ValueError, match="both sides"):
        unpaired.welch([], [1.0])
    with pytest.raises(ValueError, match="no score"):
        unpaired.rates(means.bounded_mean([]), rate(1, 2))
    assert unpaired.rates(means.bounded_mean([0.5]), rate(1, 2)).difference.interval is None
    empty = scores.unpaired_comparison({}, {"a": 1.0})
    assert verdicts.decide(empty).word == "not known yet"


passes = st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n + 5), st.just(n + 5)))


@given(passes, passes)
def test_swapping_the_sides_mirrors_difference_test_and_word(one: tuple[int, int], other: tuple[int, int]) -> None:
    found, mirrored = unpaired.rates(rate(*one), rate(*other)), unpaired.rates(rate(*other), rate(*one))
    assert found.difference.interval is not None
    assert mirrored.difference.interval is not None
    assert found.difference.interval.low == pytest.approx(-mirrored.difference.interval.high)
    assert found.tests[0].p == pytest.approx(mirrored.tests[0].p, rel=1e-6)
    word, other_word = verdicts.decide(found).word, verdicts.decide(mirrored).word
    assert {"better": "worse", "worse": "better"}.get(word, word) == other_word


@given(passes, passes)
def test_the_interval_excludes_zero_exactly_when_its_test_is_below_the_level(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    found = unpaired.rates(rate(*one), rate(*other))
    assert found.difference.interval is not None
    excludes = found.difference.interval.low > 0 or found.difference.interval.high < 0
    if abs(found.tests[0].p - 0.05) > 1e-9:
        assert excludes == (found.tests[0].p < 0.05)


def test_scores_on_another_range_and_in_another_direction() -> None:
    before = {key: 20.0 + key for key in range(30)}
    after = {100 + key: 50.0 + key for key in range(30)}
    found = scores.unpaired_comparison(before, after, low=0, high=100)
    assert found.difference.value == pytest.approx(30)
    assert found.difference.interval is not None
    assert 10 < found.difference.interval.low < 30 < found.difference.interval.high < 50
    lower_is_better = scores.unpaired_comparison(before, after, low=0, high=100, higher_is_better=False)
    assert lower_is_better.difference.value == pytest.approx(-30)


def test_runs_on_different_examples_with_many_unscored_keep_both_extremes() -> None:
    before, after = dict.fromkeys(range(40), 1.0), dict.fromkeys(range(100, 130), 1.0)
    found = scores.compared(before, after, (range(40), range(100, 140)), is_paired=False)
    assert found.comparison.difference.unscored == 10
    assert found.worst is not None
    assert found.best is not None
    assert found.worst.difference.value == pytest.approx(-0.25)
    assert found.best.difference.value == pytest.approx(0.0)
    verdict = verdicts.decide(found.comparison, unscored_worst=found.worst, unscored_best=found.best)
    assert verdict.word == "not known yet"
    assert "10 of 80 were not scored" in verdict.sentence
