"""Judges that give numbers, and labels that come in groups: against scipy, and by listing every resample."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from evals.statistics import agreement, numeric_judges, prediction, resampling
from evals.statistics.prediction import Moments

HUMAN = [1.0, 1.0, 0.5, 0.75, 0.25, 0.0, 0.5, 0.75, 0.25, 1.0, 0.0, 0.5]
JUDGE = [1.0, 0.75, 0.5, 1.0, 0.5, 0.25, 0.5, 0.75, 0.5, 1.0, 0.0, 0.75]
NUMBERS = st.lists(st.integers(0, 8).map(lambda one: one / 8), min_size=2, max_size=30)


def ends(interval: Any) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_the_correlation_and_its_interval_are_scipys() -> None:
    found, oracle = numeric_judges.correlation(HUMAN, JUDGE), stats.pearsonr(HUMAN, JUDGE)
    assert found.value == pytest.approx(oracle.statistic, abs=1e-12)
    assert ends(found.interval) == pytest.approx(tuple(oracle.confidence_interval()), abs=1e-9)


def test_a_side_that_never_varies_has_no_correlation() -> None:
    found = numeric_judges.correlation([0.5] * 6, [0.0, 1.0] * 3)
    assert (found.value, found.interval, found.notes) == (None, None, ("one side never varies",))
    assert numeric_judges.correlation([0.0, 1.0, 1.0], [0.0, 1.0, 1.0]).interval is None
    with pytest.raises(ValueError, match="same length"):
        numeric_judges.correlation([1.0], [])


def test_the_bias_and_the_error_are_means_of_differences_with_intervals_that_hold_them() -> None:
    off, wrong = numeric_judges.bias(HUMAN, JUDGE), numeric_judges.error(HUMAN, JUDGE)
    assert off.value == pytest.approx(np.mean(np.subtract(JUDGE, HUMAN)))
    assert wrong.value == pytest.approx(np.mean(np.abs(np.subtract(JUDGE, HUMAN))))
    for one in (off, wrong):
        low, high = ends(one.interval)
        assert low < (one.value or 0) < high


@given(NUMBERS, NUMBERS)
def test_samples_are_joined_and_taken_apart_as_numpy_counts_them(first: list[float], second: list[float]) -> None:
    one, other, both = Moments.of(first), Moments.of(second), Moments.of(first + second)
    assert (both.mean, both.variance) == pytest.approx((np.mean(first + second), np.var(first + second, ddof=1)))
    joined = one.joined(other)
    assert (joined.n, joined.mean, joined.variance) == pytest.approx((both.n, both.mean, both.variance))
    rest = both.without(one)
    assert rest is not None
    assert (rest.n, rest.mean, rest.variance) == pytest.approx((other.n, other.mean, other.variance), abs=1e-12)
    assert one.without(one) is None


def drawn(seed: int, n: int, *, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """People's numbers, and a judge's that are a tenth too high and noisy."""
    random = np.random.default_rng(seed)
    human = np.clip(random.normal(0.5 + shift, 0.12, n), 0, 1)
    return human, human + 0.1 + random.normal(0, 0.06, n)


def test_sums_give_the_same_corrected_mean_as_the_numbers_themselves() -> None:
    human, judge = drawn(1, 520)
    y, f, u = human[:120].tolist(), judge[:120].tolist(), judge[120:].tolist()
    direct = prediction.ppi_mean(y, f, u)
    found = prediction.corrected_mean(prediction.labelled(y, f), Moments.of(u), is_sample=True)
    assert found.corrected.method == "PPI++"
    assert found.corrected.value == pytest.approx(direct.corrected.value, abs=1e-12)
    assert ends(found.corrected.interval) == pytest.approx(ends(direct.corrected.interval), abs=1e-12)
    assert (found.tuning, found.usable, found.reasons) == (pytest.approx(direct.tuning), True, ())


def test_labels_of_another_run_carry_over_what_the_judge_is_wrong_by_and_nothing_else() -> None:
    """A better version: tuned weights would pull its mean to that of the labelled run and miss it almost always."""
    covered = tuned_covers = 0
    for seed in range(200):
        human, judge = drawn(seed, 120)
        truth, scores = drawn(10_000 + seed, 400, shift=0.2)
        labelled = prediction.labelled(human.tolist(), judge.tolist())
        found = prediction.corrected_mean(labelled, Moments.of(scores.tolist()), is_sample=False)
        expected = 0.7  # clipping at 1 moves it by less than a thousandth
        low, high = ends(found.corrected.interval)
        covered += low < expected < high
        pulled = prediction.corrected_mean(labelled, Moments.of(scores.tolist()), is_sample=True)
        low, high = ends(pulled.corrected.interval)
        tuned_covers += low < expected < high
        assert found.labels_only is None
        assert found.tuning == 1.0
        assert abs((found.corrected.value or 0) - truth.mean()) < 0.05
    assert 180 <= covered <= 200
    assert tuned_covers < 120


@pytest.mark.parametrize(
    ("n", "rest", "method", "usable", "reason"),
    [
        (10, 100, "labels alone", False, "only 10 labels; numeric scores need 20"),
        (60, 100, "labels alone", True, None),
        (60, 0, "labels alone", True, None),
        (150, 400, "PPI++", True, None),
    ],
)
def test_few_labels_of_the_same_run_stand_alone(n: int, rest: int, method: str, usable: bool, reason: str) -> None:
    human, judge = drawn(3, n + rest)
    others = Moments.of(judge[n:].tolist()) if rest else None
    labelled = prediction.labelled(human[:n].tolist(), judge[:n].tolist())
    found = prediction.corrected_mean(labelled, others, is_sample=True)
    assert (found.corrected.method, found.usable) == (method, usable)
    assert found.reasons == ((reason,) if reason else ())
    if method == "labels alone":
        assert found.corrected.value == pytest.approx(human[:n].mean())
        oracle = stats.t.interval(0.95, n - 1, human[:n].mean(), stats.sem(human[:n]))
        assert ends(found.corrected.interval) == pytest.approx(oracle)


def test_few_labels_of_another_run_correct_nothing() -> None:
    human, judge = drawn(4, 60)
    labelled = prediction.labelled(human.tolist(), judge.tolist())
    found = prediction.corrected_mean(labelled, Moments.of(judge.tolist()), is_sample=False)
    assert (found.usable, found.reasons) == (False, ("only 60 labels; numeric scores need 100",))
    assert not prediction.corrected_mean(labelled, None, is_sample=False).usable


def test_labels_in_groups_make_a_wider_interval() -> None:
    human, judge = drawn(5, 60)
    y, f = np.repeat(human, 2).tolist(), np.repeat(judge, 2).tolist()
    groups = [str(place // 2) for place in range(120)]
    others = Moments.of(drawn(6, 400)[1].tolist())
    alone = prediction.corrected_mean(prediction.labelled(y, f), others, is_sample=False)
    found = prediction.corrected_mean(prediction.labelled(y, f, groups), others, is_sample=False)
    once = prediction.corrected_mean(prediction.labelled(human.tolist(), judge.tolist()), others, is_sample=False)
    assert found.corrected.units == 60
    assert found.corrected.value == pytest.approx(once.corrected.value)
    assert found.se == pytest.approx(once.se, rel=1e-6)
    assert (alone.se or 0) < (found.se or 0)


# Groups of labels: the cluster bootstrap

PARTS = [[[3, 0], [1, 0]], [[0, 1], [0, 3]], [[2, 0], [0, 2]], [[1, 1], [1, 1]]]


def confusions(parts: Any) -> list[agreement.Confusion]:
    return [agreement.of_table(part, ("pass", "fail")) for part in parts]


def test_kappa_over_groups_is_the_percentile_of_all_resamples_of_groups() -> None:
    table = np.sum(PARTS, axis=0).tolist()
    found = agreement.kappa(table, seed=3, groups=confusions(PARTS))
    every = [
        agreement._kappas(np.sum([PARTS[place] for place in places], axis=0, dtype=float)[None], np.eye(2))[0][0]
        for places in itertools.product(range(4), repeat=4)
    ]
    low, high = np.quantile(every, [0.025, 0.975])
    assert ends(found.interval) == pytest.approx((low, high), abs=0.03)
    assert (found.units, found.n, found.value) == (4, 16, agreement.kappa(table).value)
    assert found.notes == ("9,999 resamples of 4 groups", "only 4 groups: the interval is too narrow")


def test_two_equal_labels_in_each_group_say_as_much_as_one() -> None:
    cells = [([[1, 0], [0, 0]], 44), ([[0, 1], [0, 0]], 4), ([[0, 0], [1, 0]], 6), ([[0, 0], [0, 1]], 21)]
    once = [[44, 4], [6, 21]]
    twice = [(np.asarray(cell) * 2).tolist() for cell, count in cells for _ in range(count)]
    grouped = agreement.kappa((np.asarray(once) * 2).tolist(), seed=1, groups=confusions(twice))
    plain, naive = agreement.kappa(once, seed=1), agreement.kappa((np.asarray(once) * 2).tolist(), seed=1)
    assert ends(grouped.interval) == pytest.approx(ends(plain.interval), abs=0.015)
    low, high = ends(naive.interval)
    wide_low, wide_high = ends(grouped.interval)
    assert wide_high - wide_low > 1.25 * (high - low)
    assert len(grouped.notes) == 1
    whole = agreement.of_table((np.asarray(once) * 2).tolist(), ("pass", "fail"))
    single = agreement.of_table(once, ("pass", "fail"))
    over_groups = agreement.mcc_interval(whole, 1, groups=confusions(twice))
    assert ends(over_groups) == pytest.approx(ends(agreement.mcc_interval(single, 1)), abs=0.015)


def test_one_group_has_no_interval_and_unreadable_verdicts_are_drawn_too() -> None:
    found = agreement.kappa([[5, 1], [1, 5]], groups=confusions([[[5, 1], [1, 5]]]))
    assert (found.interval, found.units, found.notes) == (None, 1, ("all labels are of one group",))
    lost = [agreement.of_table([[3, 0], [0, 3]], ("pass", "fail"), [2, 0])] * 6
    with_lost = agreement.kappa([[18, 0], [0, 18]], no_verdict=[12, 0], groups=lost)
    assert with_lost.value == agreement.kappa([[18, 0], [0, 18]], no_verdict=[12, 0]).value
    assert ends(with_lost.interval) == pytest.approx((with_lost.value, with_lost.value))


def test_a_correlation_over_groups_is_wider_where_groups_repeat_themselves() -> None:
    y, f = HUMAN * 4, JUDGE * 4
    groups = [str(place % 12) for place in range(48)]
    grouped = numeric_judges.correlation(y, f, groups=groups, seed=2)
    low, high = ends(numeric_judges.correlation(y, f).interval)
    wide = ends(grouped.interval)
    assert grouped.units == 12
    assert wide[1] - wide[0] > 1.3 * (high - low)
    assert numeric_judges.correlation(y, f, groups=["one"] * 48).interval is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_resampled_groups_keep_their_number(parts: list[tuple[int, int]]) -> None:
    assume(len(parts) > 1)
    ones = [[1, *part] for part in parts]
    assert set(resampling.of_groups(ones, 1, 50)[:, 0]) == {float(len(parts))}
