from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import sequential
from evals.statistics.sequential import Evidence

EXACT = 1.5e-6
TEN = [0.5, -0.25, 1, 0, 0.75, 0.5, 0.25, -0.1, 0.6, 0.4]
differences = st.lists(st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.25, 1.0]), max_size=40)


def evidence(d: list[float]) -> Evidence:
    found = Evidence()
    for one in d:
        found = found.add(one)
    return found


@pytest.mark.parametrize(
    ("counts", "mu", "side", "log_e"),
    [
        ((20, 5, 75), 0.0, 1, 3.038716),
        ((20, 5, 75), -0.05, 1, 5.901416),
        ((20, 5, 75), 0.0, -1, -1.144980),
        ((40, 5, 55), 0.0, 1, 12.585469),
        ((1, 0, 0), 0.0, 1, math.log(1.225000)),
    ],
)
def test_evidence_of_counts(counts: tuple[int, int, int], mu: float, side: int, log_e: float) -> None:
    assert Evidence.counts(*counts).log_e(mu, side) == pytest.approx(log_e, abs=EXACT)


def test_evidence_of_fractions_and_intervals() -> None:
    assert evidence(TEN).log_e(0.0) == pytest.approx(1.065716, abs=EXACT)
    found = Evidence.counts(20, 5, 75).interval(0.05)
    assert (found.low, found.high) == pytest.approx((-0.012728, 0.318293), abs=EXACT)
    ties = Evidence.counts(0, 0, 200).interval(0.05)
    assert (ties.low, ties.high) == pytest.approx((-0.031907, 0.031907), abs=EXACT)
    nothing = Evidence().interval(0.05)
    assert (nothing.low, nothing.high) == (-1, 1)


def test_looks() -> None:
    assert sequential.look(Evidence()).word is None
    assert sequential.look(Evidence.counts(20, 5, 75)).word is None
    better = sequential.look(Evidence.counts(40, 5, 55))
    assert (better.word, better.used) == ("better", 100)
    assert better.threshold == pytest.approx(5.298317, abs=EXACT)
    assert better.interval.low > 0
    assert sequential.look(Evidence.counts(5, 40, 55)).word == "worse"
    assert sequential.look(Evidence.counts(1, 1, 600), 0.05).word == "no worse"
    assert sequential.look(Evidence.counts(1, 1, 600), 0.05, wants_better=True).word is None
    # Slightly lower but inside the margin is not worse, however clear.
    assert sequential.look(Evidence.counts(0, 40, 4_000), 0.05).word == "no worse"
    # Several metrics share the budget.
    clear = Evidence.counts(30, 5, 65)
    assert (sequential.look(clear).word, sequential.look(clear, metrics=20).word) == ("better", None)


def test_what_is_no_evidence_is_refused() -> None:
    for wrong in (1.5, float("nan")):
        with pytest.raises(ValueError, match="no difference"):
            Evidence().add(wrong)
    with pytest.raises(ValueError, match="not negative"):
        Evidence.counts(-1, 0, 0)
    with pytest.raises(ValueError, match="other bets"):
        Evidence().merge(Evidence(fractions=(0.5,)))
    with pytest.raises(ValueError, match="no evidence"):
        Evidence().log_e(1.0)
    with pytest.raises(ValueError, match="no level"):
        Evidence().interval(0.0)
    with pytest.raises(ValueError, match="no margin"):
        sequential.look(Evidence(), 0.0)
    with pytest.raises(ValueError, match="no budget"):
        sequential.look(Evidence(), metrics=0)


@given(differences, st.randoms())
def test_evidence_does_not_hang_on_order_or_on_who_merged_it(d: list[float], shuffler: random.Random) -> None:
    shuffled = list(d)
    shuffler.shuffle(shuffled)
    place = shuffler.randint(0, len(d))
    one, other = evidence(shuffled[:place]), evidence(shuffled[place:])
    assert one.merge(other).log_e(0.1) == other.merge(one).log_e(0.1) == evidence(d).log_e(0.1)


@given(differences)
def test_evidence_falls_as_the_supposed_mean_rises_and_mirrors(d: list[float]) -> None:
    found, mirrored = evidence(d), evidence([-one for one in d])
    along = [found.log_e(mu) for mu in (-0.9, -0.5, -0.1, 0.0, 0.1, 0.5, 0.9)]
    assert along == sorted(along, reverse=True)
    assert mirrored.log_e(-0.2, -1) == pytest.approx(found.log_e(0.2))
    interval, other = found.interval(0.05), mirrored.interval(0.05)
    assert interval.low == pytest.approx(-other.high, abs=1e-8)
    assert interval.low - 1e-8 <= found.mean <= interval.high + 1e-8


def test_peeking_after_every_example_finds_nothing_where_there_is_nothing() -> None:
    """A run of a thousand pairs without a difference: at most one in a hundred may ever be called."""
    random_ = random.Random(7)
    called = 0
    for _ in range(150):
        wins = losses = 0
        for seen in range(1, 401):
            draw = random_.random()
            wins, losses = wins + (draw < 0.15), losses + (draw > 0.85)
            if seen % 20 == 0 and sequential.look(Evidence.counts(wins, losses, seen - wins - losses)).word:
                called += 1
                break
    assert called <= 5  # 1.5 are expected at the bound itself
