"""Two versions' thumbs: known answers, and words that claim no more than is known."""

from __future__ import annotations

import pytest

from evals.statistics import quantiles
from feedback import thumbs
from feedback.thumbs import comparing


def people(ups: int, votes: int, start: int = 0) -> dict[int, tuple[int, int]]:
    """So many people with one vote each."""
    return {start + number: (int(number < ups), 1) for number in range(votes)}


def test_the_response_rate_and_its_bounds_against_known_answers() -> None:
    found = thumbs.response(23, 180, 17 / 23)
    assert (found.low, found.high) == (pytest.approx(0.086675, abs=1e-6), pytest.approx(0.184436, abs=1e-6))
    assert (found.lowest, found.highest) == (pytest.approx(0.094444, abs=1e-6), pytest.approx(0.966667, abs=1e-6))
    assert not found.is_rare
    assert thumbs.response(4, 100, 1.0).is_rare
    assert thumbs.response(0, 0, None).rate is None


def test_different_people_are_compared_by_mover_and_the_score_test() -> None:
    """At 200 people of one vote t is nearly z, so the interval is nearly that of 170/200 against 150/200."""
    found = comparing.compare(people(170, 200), people(150, 200, start=1000))
    assert found.delta == pytest.approx(0.1)
    assert (found.low, found.high) == (pytest.approx(0.021525, abs=2e-3), pytest.approx(0.177312, abs=2e-3))
    # The pooled two-sample z test of 170/200 and 150/200: z = 2.5, p = 0.0124.
    assert found.p == pytest.approx(0.0124, abs=1e-3)
    assert (found.word, found.shared) == ("changed", 0)


def test_people_on_both_sides_are_compared_with_themselves() -> None:
    """Everybody tries both: a person who likes nothing weighs on both sides and drops out of the difference."""
    grumblers = dict.fromkeys(range(15), (0, 10))
    first = grumblers | dict.fromkeys(range(15, 30), (9, 10))
    second = grumblers | dict.fromkeys(range(15, 30), (7, 10))
    together = comparing.compare(first, second)
    apart = comparing.compare(first, {number + 1000: votes for number, votes in second.items()})
    assert together.delta == apart.delta == pytest.approx(0.1)
    assert together.shared == 30
    assert together.word == "changed"
    assert apart.word == "not known yet"


def test_the_jackknife_of_one_vote_people_is_nearly_the_paired_standard_error() -> None:
    """Of 40 people 10 change from down to up and 2 the other way: SE of the mean difference is s / sqrt(n)."""
    differences = [1] * 10 + [-1] * 2 + [0] * 28
    first = {n: (int(d == 1 or (d == 0 and n % 2 == 0)), 1) for n, d in enumerate(differences)}
    second = {n: (int(d == -1 or (d == 0 and n % 2 == 0)), 1) for n, d in enumerate(differences)}
    found = comparing.compare(first, second)
    mean = sum(differences) / 40
    error = (sum((d - mean) ** 2 for d in differences) / 39 / 40) ** 0.5
    assert found.delta == pytest.approx(mean)
    assert found.high is not None
    assert found.high - mean == pytest.approx(quantiles.student(0.95, 39) * error, rel=1e-9)


def test_too_few_votes_compare_to_nothing() -> None:
    found = comparing.compare(people(5, 9), people(50, 100))
    assert (found.word, found.delta) == ("too few votes", None)


@pytest.mark.parametrize("swap", [False, True])
def test_swapping_the_sides_mirrors_the_difference_and_keeps_the_word(swap: bool) -> None:
    sides = [people(80, 100), people(60, 90, start=500) | {3: (1, 2)}]
    found = comparing.compare(*(reversed(sides) if swap else sides))
    other = comparing.compare(*(sides if swap else reversed(sides)))
    assert found.delta == pytest.approx(-(other.delta or 0))
    assert (found.low, found.p) == (pytest.approx(-(other.high or 0)), pytest.approx(other.p))
    assert found.word == other.word


def test_response_rates_that_differ_are_told() -> None:
    responses = (thumbs.response(100, 200, 0.8), thumbs.response(100, 2000, 0.6))
    found = comparing.compare(people(80, 100), people(60, 100, start=500), responses)
    assert found.different_people
    same = comparing.compare(people(80, 100), people(60, 100, start=500), (responses[0], responses[0]))
    assert not same.different_people


def test_sides_without_a_single_difference_are_not_known_to_differ() -> None:
    found = comparing.compare(people(20, 20), people(20, 20))
    assert (found.word, found.delta) == ("not known yet", 0.0)


def test_an_adjusted_p_can_take_the_word_back() -> None:
    found = comparing.compare(people(170, 200), people(150, 200, start=1000))
    assert comparing.with_p(found, 0.08).word == "not known yet"
