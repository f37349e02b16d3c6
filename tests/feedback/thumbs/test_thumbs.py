"""Satisfaction against known answers, and what a page may show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback import thumbs

# Eight people's ups and votes; the figures were worked out apart from this code.
PEOPLE = [(1, 1), (0, 1), (3, 4), (0, 2), (10, 10), (1, 1), (2, 3), (0, 1)]


def test_the_worked_example() -> None:
    found = thumbs.satisfaction(PEOPLE, anonymous=(2, 5))
    assert found.rate == pytest.approx(0.739130, abs=1e-6)
    assert found.standard_error == pytest.approx(0.204694, abs=1e-6)
    assert found.design_effect == pytest.approx(4.997972, abs=1e-6)
    assert found.effective_n == pytest.approx(4.601867, abs=1e-6)
    assert (found.low, found.high) == (pytest.approx(0.257281, abs=1e-6), pytest.approx(0.958634, abs=1e-6))
    assert found.per_user == pytest.approx(0.552083, abs=1e-6)
    assert found.top_share == pytest.approx(10 / 23)
    assert (found.ups, found.votes, found.all_ups, found.all_votes, found.users) == (17, 23, 19, 28, 8)
    assert (found.shown, found.is_heavy, found.is_skewed) == ("doubtful", True, True)


@pytest.mark.parametrize(
    ("ups", "votes", "low", "high"),
    [(0, 10, 0, 0.277533), (1, 1, 0.206549, 1), (18, 20, 0.698966, 0.972134), (847, 1000, 0.823363, 0.867981)],
)
def test_wilson_against_known_answers(ups: int, votes: int, low: float, high: float) -> None:
    assert thumbs.wilson(ups / votes, votes, 1.959963984540054) == (
        pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6),
    )  # fmt: skip


def test_the_difference_of_two_rates_against_a_known_answer() -> None:
    intervals = [(k / 200, *thumbs.wilson(k / 200, 200, 1.959963984540054)) for k in (170, 150)]
    assert thumbs.difference(*intervals[0], *intervals[1]) == pytest.approx((0.1, 0.021525, 0.177312), abs=1e-6)


@pytest.mark.parametrize(
    ("voters", "shown"),
    [
        ([], "count"),
        ([(9, 9)], "count"),
        ([(1, 1)] * 9, "count"),
        ([(5, 5), (5, 5), (5, 5), (5, 5)], "count"),
        ([(1, 1), (0, 1)] * 10, "doubtful"),
        ([(1, 1)] * 170 + [(0, 1)] * 30, "rate"),
    ],
)
def test_a_rate_is_shown_only_when_it_means_something(voters: list[tuple[int, int]], shown: str) -> None:
    assert thumbs.satisfaction(voters).shown == shown


people = st.lists(st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=40)


@given(people)
def test_the_interval_holds_the_rate_and_is_never_narrower_than_wilsons(voters: list[tuple[int, int]]) -> None:
    found = thumbs.satisfaction(voters)
    if found.low is None or found.high is None or found.rate is None:
        assert len(voters) < 2
        return
    assert 0 <= found.low <= found.rate <= found.high <= 1
    low, high = thumbs.wilson(found.rate, found.votes, 1.959963984540054)
    assert found.high - found.low >= high - low - 1e-9
