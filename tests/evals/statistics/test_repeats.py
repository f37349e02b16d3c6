from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import repeats

EXACT = 1.5e-6
FOUR = [4, 4, 3, 0, 2, 4]


@pytest.mark.parametrize(
    ("n", "c", "k", "any_passes", "all_pass"), [(5, 2, 3, 0.9, 0), (10, 7, 3, 0.991667, 0.291667), (4, 1, 2, 0.5, 0)]
)
def test_one_example(n: int, c: int, k: int, any_passes: float, all_pass: float) -> None:
    assert repeats.pass_at_k([n], [c], k).value == pytest.approx(any_passes, abs=EXACT)
    assert repeats.pass_hat_k([n], [c], k).value == pytest.approx(all_pass, abs=EXACT)


def test_six_examples_with_four_repeats() -> None:
    n = [4] * 6
    whole = repeats.pass_hat_k(n, FOUR, 1)
    assert whole.value == pytest.approx(0.708333, abs=EXACT)
    assert whole.n_eff == pytest.approx(7.727273, abs=EXACT)
    assert whole.interval is not None
    assert (whole.interval.low, whole.interval.high) == pytest.approx((0.289106, 0.935495), abs=EXACT)
    assert repeats.flake_rate(n, FOUR).value == pytest.approx(0.194444, abs=EXACT)
    assert repeats.mixed_share(n, FOUR) == pytest.approx(0.333333, abs=EXACT)
    assert repeats.pass_at_k(n, FOUR, 2).value == pytest.approx(0.805556, abs=EXACT)
    assert repeats.pass_hat_k(n, FOUR, 2).value == pytest.approx(0.611111, abs=EXACT)
    assert repeats.pass_hat_k(n, FOUR, 4).value == pytest.approx(0.5)


def test_unequal_numbers_of_repeats() -> None:
    assert repeats.flake_rate([5, 5, 5, 2], [5, 4, 2, 1]).value == pytest.approx(0.5)
    found = repeats.pass_at_k([5, 2, 1], [1, 1, 1], 2)
    assert (found.n, found.unscored) == (2, 1)
    assert found.notes[-1] == "1 with too few repeats"
    assert repeats.pass_at_k([2, 3], [1, 1], 4).notes == ("needs at least 4 repeats",)
    assert repeats.flake_rate([1], [1]).value is None
    assert repeats.mixed_share([1], [1]) is None


def test_counts_that_cannot_be_are_refused() -> None:
    for n, c, k in (([3], [4], 1), ([3], [-1], 1), ([3], [1], 0)):
        with pytest.raises(ValueError, match="repeats"):
            repeats.pass_at_k(n, c, k)
    with pytest.raises(ValueError, match="one repeat"):
        repeats.disagreement(1, 1)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_one_example_agrees_with_listing_every_choice(case: tuple[int, int, int]) -> None:
    n, c, k = case
    outcomes = [1] * c + [0] * (n - c)
    chosen = list(itertools.combinations(outcomes, k))
    assert repeats.pass_at_k([n], [c], k).value == pytest.approx(sum(map(any, chosen)) / len(chosen))
    assert repeats.pass_hat_k([n], [c], k).value == pytest.approx(sum(map(all, chosen)) / len(chosen))
    if n > 1:
        pairs = list(itertools.combinations(outcomes, 2))
        assert repeats.disagreement(n, c) == pytest.approx(sum(a != b for a, b in pairs) / len(pairs))


@given(st.integers(0, 400), st.integers(1, 300))
def test_large_counts_do_not_overflow(c: int, k: int) -> None:
    found = repeats.pass_at_k([400], [c], k).value
    assert found == pytest.approx(1 - math.comb(400 - c, k) / math.comb(400, k), abs=1e-12)
