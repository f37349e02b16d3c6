"""The Pareto front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import pareto

POINTS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30)


def test_a_point_is_kept_unless_another_is_as_good_for_less() -> None:
    assert pareto.front([(0.9, 10), (0.8, 2), (0.8, 5), (0.95, 40), (0.9, 12)]) == [True, True, False, True, False]


def test_equal_points_stay_together_and_nothing_gives_nothing() -> None:
    assert pareto.front([(0.5, 1), (0.5, 1), (0.4, 1)]) == [True, True, False]
    assert pareto.front([]) == []


@given(POINTS)
def test_the_front_is_what_the_definition_says(points: list[tuple[int, int]]) -> None:
    def dominated(one: tuple[int, int]) -> bool:
        return any(other[0] >= one[0] and other[1] <= one[1] and other != one for other in points)

    assert pareto.front([(float(a), float(b)) for a, b in points]) == [not dominated(point) for point in points]
