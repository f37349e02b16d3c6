"""A theme against the traffic: published values of the intervals, and the words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.clustering import trends
from feedback.clustering.trends import Week

MONDAY = date(2026, 3, 2)


def weeks(*counts: tuple[int, int]) -> list[Week]:
    return [Week(MONDAY + timedelta(days=7 * place), k, n) for place, (k, n) in enumerate(counts)]


def test_the_interval_of_a_week_is_wilsons() -> None:
    """18 of 20: 0.698966 to 0.972134 (STATISTICS, section 2)."""
    assert Week(MONDAY, 18, 20).interval == pytest.approx((0.698966, 0.972134), abs=1e-6)
    assert Week(MONDAY, 0, 10).interval == pytest.approx((0.0, 0.277533), abs=1e-6)


def test_the_change_is_newcombes() -> None:
    """56 of 70 against 48 of 80: 0.2, 0.052431 to 0.333873 (Newcombe 1998; STATISTICS, section 6)."""
    found = trends.trend(weeks((0, 0), (48, 80), (0, 0), (0, 0), (56, 70)))
    assert found.change == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.052431, 0.333873), abs=1e-6)
    assert found.word == "growing"


@pytest.mark.parametrize(
    ("counts", "word"),
    [
        ([(10, 1000)] * 4 + [(40, 1000)], "growing"),
        ([(40, 1000)] * 4 + [(10, 1000)], "shrinking"),
        ([(10, 1000)] * 4 + [(12, 1000)], "steady"),
        ([(1, 1000)] * 4 + [(0, 1000)], "few"),
        ([(10, 0)] * 4 + [(40, 0)], "unknown"),
        ([(10, 1000)] * 4 + [(40, 30)], "unknown"),  # more complaints than logged calls: no rate to compare
    ],
)
def test_the_word_needs_an_interval_that_excludes_zero(counts: list[tuple[int, int]], word: str) -> None:
    assert trends.trend(weeks(*counts)).word == word


def test_more_traffic_alone_is_no_growth() -> None:
    assert trends.trend(weeks(*[(20, 1000)] * 4, (40, 2000))).word == "steady"


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 5000)), min_size=5, max_size=12))
def test_the_interval_holds_the_change(counts: list[tuple[int, int]]) -> None:
    found = trends.trend(weeks(*[(min(k, n), n) for k, n in counts]))
    assert found.change is not None
    assert found.low is not None
    assert found.high is not None
    assert -1 - 1e-9 <= found.low <= found.change <= found.high <= 1 + 1e-9
