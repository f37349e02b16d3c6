from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import forecasts, paired, paired_tests, power, verdicts

EXACT = 1.5e-6


@pytest.mark.parametrize(
    ("discordance", "difference", "n"), [(0.15, 0.05, 468.567980), (0.1, 0.03, 869.736146), (0.2, 0.1, 154.598570)]
)
def test_paired_rates(discordance: float, difference: float, n: float) -> None:
    found = power.paired_rate(discordance, difference)
    assert found.exact == pytest.approx(n, abs=EXACT)
    assert found.n == math.ceil(n)
    assert power.paired_rate(discordance, -difference).n == found.n
    assert power.paired_rate(discordance, difference, deff=2).exact == pytest.approx(2 * n, abs=2 * EXACT)


@pytest.mark.parametrize(
    ("discordance", "difference", "n"),
    [(0.1, 0.1, 77), (0.3, 0.1, 234), (0.1, 0.05, 312), (0.3, 0.05, 940), (0.1, 0.03, 870), (0.3, 0.03, 2614),
     (0.1, 0.01, 7847), (0.3, 0.01, 23545)],
)  # fmt: skip
def test_the_figures_of_the_sentences(discordance: float, difference: float, n: int) -> None:
    assert power.paired_rate(discordance, difference).n == n


def test_other_designs() -> None:
    assert power.no_worse(0.1, 0.05).exact == pytest.approx(313.955190, abs=EXACT)
    assert power.paired_mean(0.25, 0.05).exact == pytest.approx(198.142723, abs=EXACT)
    assert power.precision(0.85, 0.03).n == 545
    assert power.half_width_at(0.85, 545) <= 0.03 < power.half_width_at(0.85, 544)


def test_the_design_has_the_power_it_promises() -> None:
    """By enumeration of all outcomes at n = 469, discordance 0.15, difference 0.05."""
    n, discordance, share = 469, 0.15, 0.10 / 0.15
    reached = dict.fromkeys(("score", "mid", "exact"), 0.0)
    for k in range(25, 130):
        of_k = math.comb(n, k) * discordance**k * (1 - discordance) ** (n - k)
        for b in range(k + 1):
            chance = of_k * math.comb(k, b) * share**b * (1 - share) ** (k - b)
            if chance < 1e-12:
                continue
            c = k - b
            reached["score"] += chance * ((b - c) ** 2 / k > 3.841458820694124)
            reached["mid"] += chance * (paired_tests.mcnemar(b, c).p <= 0.05)
            reached["exact"] += chance * (paired_tests.mcnemar(b, c, kind="exact").p <= 0.05)
    assert reached["score"] == pytest.approx(0.809583, abs=1e-5)
    assert reached["mid"] == pytest.approx(0.806598, abs=1e-5)
    assert reached["exact"] == pytest.approx(0.775579, abs=1e-5)


def test_how_many_more_are_needed_does_not_hang_on_the_difference_seen() -> None:
    one, other = paired.pass_fail(10, 0, 100), paired.pass_fail(5, 5, 100)
    assert power.still_needed(one).n == power.still_needed(other).n
    # Pilots of 100 at the lower and upper tenth of what a discordance of 0.15 gives.
    assert power.still_needed(paired.pass_fail(5, 5, 100)).n == pytest.approx(400, abs=2)
    assert power.still_needed(paired.pass_fail(10, 10, 100)).n == pytest.approx(738, abs=2)
    none = power.still_needed(paired.pass_fail(0, 0, 100))
    assert none.assumptions[0].startswith("the versions differ on 5%")
    assert power.still_needed(paired.pass_fail(40, 40, 4_000)).more == 0
    graded = paired.bounded([0.5, -0.25, 0.0, 1.0, 0.0, 0.25, -0.5, 0.0])
    assert power.still_needed(graded).n == power.paired_mean(graded.sd or 0, 0.05).n


def test_the_words_for_more_examples() -> None:
    assert verdicts.decide(paired.pass_fail(6, 4, 80)).needed == 420
    alike = verdicts.decide(paired.pass_fail(100, 100, 10_000))
    assert (alike.needed, alike.sentence.rpartition("; ")[2]) == (
        None,
        "the versions are too alike to tell apart at this size",
    )
    hopeless = verdicts.decide(paired.pass_fail(20, 25, 100), smallest=0.01)
    assert hopeless.needed is None
    assert "more examples will not settle this" in hopeless.sentence


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: power.paired_rate(0.1, 0.2),
        lambda: power.paired_rate(0.1, 0.0),
        lambda: power.no_worse(0.1, 0.0),
        lambda: power.no_worse(0.1, 0.05, -0.05),
        lambda: power.paired_mean(0.0, 0.1),
        lambda: power.precision(0.5, 0.0),
        lambda: power.still_needed(paired.pass_fail(1, 1, 9), 0.0),
        lambda: power.still_needed(paired.bounded([])),
        lambda: forecasts.precision(0),
        lambda: forecasts.unseen(0),
    ],
)
def test_designs_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"no |nothing"):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("examples", "half"), [(100, "± 7 points"), (200, "± 5 points"), (500, "± 3 points"), (1000, "± 2 points")]
)
def test_sentences_for_people_who_are_no_statisticians(examples: int, half: str) -> None:
    assert forecasts.precision(examples) == (
        f"With {examples:,} examples a pass rate near 85 % is known to about {half}."
    )


def test_more_sentences() -> None:
    assert forecasts.unseen(100) == "If nothing fails in 100 examples, up to 3 in 100 may still fail."
    assert forecasts.change(0.05) == "To see a change of 5 points you need about 310 to 940 examples."
    assert forecasts.change(0.01) == "To see a change of 1 point you need about 7,800 to 24,000 examples."
    assert forecasts.no_worse(0.05) == "To show no worse by 5 points you need about 160 to 630 examples."
    assert "buy examples first" in forecasts.of_run(60, 5)[-1]
    assert "do not count as more examples" in forecasts.of_run(600, 5)[-1]
    assert len(forecasts.of_run(600, 1)) == 3
    assert "too few" in forecasts.tellable(20)
    assert "only a large change: of 30 points" in forecasts.tellable(30)
    assert "5 points if two versions differ on one answer in ten" in forecasts.tellable(312)


@given(st.floats(0.02, 1), st.floats(0.01, 0.5))
def test_more_power_and_smaller_differences_need_more_examples(discordance: float, difference: float) -> None:
    if difference > discordance:
        return
    found = power.paired_rate(discordance, difference)
    assert power.paired_rate(discordance, difference, power=0.9).exact > found.exact
    assert power.paired_rate(discordance, difference / 2).exact > found.exact


@given(st.floats(0, 1), st.floats(0.005, 0.5))
def test_precision_is_the_smallest_number_that_is_enough(p: float, half_width: float) -> None:
    n = power.precision(p, half_width).n
    assert power.half_width_at(p, n) <= half_width
    assert n == 1 or power.half_width_at(p, n - 1) > half_width
