"""Known answers about judges, agreement and ranking: papers, R packages and second derivations by brute force."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from evals.statistics import agreement, boards, judges, pairwise, prediction, ranking

EXACT = 1.5e-6
FIVES = [[20, 5], [10, 15]]
THREE = [[30, 6, 1], [5, 22, 7], [0, 4, 25]]
RARE = [[118, 5], [2, 0]]
JUDGED = [[88, 7], [12, 43]]


def ends(interval: Any) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("table", "weights", "value", "error"),
    [
        (FIVES, "identity", 0.4, 0.126996),
        (THREE, "identity", 0.654655, 0.062997),
        (THREE, "linear", 0.730216, 0.052382),
        (THREE, "quadratic", 0.805506, 0.044468),
        (RARE, "identity", -0.023392, 0.012287),
        (JUDGED, "identity", 0.721951, 0.059233),
    ],
)
def test_kappa_and_its_standard_error(table: list[list[int]], weights: str, value: float, error: float) -> None:
    assert agreement.kappa(table, weights).value == pytest.approx(value, abs=EXACT)
    assert agreement.kappa_error(table, weights) == pytest.approx(error, abs=EXACT)


@pytest.mark.parametrize(
    ("table", "value", "error"), [(FIVES, 0.405941, 0.131473), (RARE, 0.940776, 0.023057)]
)  # fmt: skip
def test_ac1_stays_sensible_when_one_class_dominates(table: list[list[int]], value: float, error: float) -> None:
    items = agreement.pair_counts(table)
    found = agreement.gwet_ac1(items, 2)
    assert found.value == pytest.approx(value, abs=EXACT)
    assert found.interval is not None
    assert found.interval.low < value < found.interval.high
    assert agreement.ac1_error(items, 2) == pytest.approx(error, abs=EXACT)


def test_ac1_of_krippendorffs_data_with_missing_annotations() -> None:
    coders = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    counts = [[column.count(k) for k in range(1, 6)] for column in zip(*coders, strict=True)]
    assert agreement.gwet_ac1(counts, 5).value == pytest.approx(0.775444, abs=EXACT)


def test_ac1_of_the_crowd_file(shared_data: Path) -> None:
    labels: dict[str, list[int]] = {}
    for line in (shared_data / "labelled" / "crowd_barzanmozafari_labels.jsonl").read_text().splitlines():
        row = json.loads(line)
        item = next(row[name] for name in ("item", "object", "item_id", "id") if name in row)
        labels.setdefault(str(item), [0, 0])[int(str(row["label"]) in ("1", "true", "True"))] += 1
    assert len(labels) == 1_000
    assert agreement.gwet_ac1(list(labels.values()), 2).value == pytest.approx(0.596809, abs=EXACT)


def test_the_confusion_of_a_judge_that_passes_and_fails() -> None:
    found = agreement.of_table(JUDGED, ("pass", "fail"))
    assert found.tpr is not None
    assert found.tnr is not None
    assert found.tpr.value == pytest.approx(0.926316, abs=EXACT)
    assert ends(found.tpr.interval) == pytest.approx((0.855643, 0.963851), abs=EXACT)
    assert found.tnr.value == pytest.approx(0.781818, abs=EXACT)
    assert ends(found.tnr.interval) == pytest.approx((0.656300, 0.870540), abs=EXACT)
    assert found.mcc == pytest.approx(0.723892, abs=EXACT)
    assert ends(agreement.mcc_interval(found, 1)) == pytest.approx((0.603, 0.834), abs=0.005)
    assert ends(agreement.kappa(JUDGED, seed=1).interval) == pytest.approx((0.598, 0.832), abs=0.005)
    assert judges.certificate(found).usable


def test_unreadable_verdicts_are_wrong_in_every_rate() -> None:
    human = ["pass"] * 30 + ["fail"] * 30
    judge = ["pass"] * 25 + [None] * 5 + ["fail"] * 24 + ["pass"] * 3 + [None] * 3
    found = agreement.confusion(human, judge, ("pass", "fail"))
    assert found.table == ((25, 0), (3, 24))
    assert found.no_verdict == (5, 3)
    assert found.n == 60
    assert found.tpr is not None
    assert found.tnr is not None
    assert (found.tpr.value, found.tnr.value) == (25 / 30, 24 / 30)
    assert found.mcc == pytest.approx(matthews_corrcoef(
        [1] * 30 + [0] * 30, [1] * 25 + [0] * 5 + [0] * 24 + [1] * 6))  # fmt: skip
    filled = [one or "none" for one in judge]
    value = agreement.kappa(found.table, no_verdict=found.no_verdict).value
    assert value == pytest.approx(cohen_kappa_score(human, filled))
    assert value < (agreement.kappa(found.table).value or 0)


def test_everyone_using_one_answer_has_no_kappa_and_no_mcc() -> None:
    found = agreement.confusion(["pass"] * 9, ["pass"] * 9, ("pass", "fail"))
    assert found.mcc is None
    assert agreement.mcc_interval(found, 1) is None
    assert agreement.kappa(found.table).value is None
    assert agreement.kappa(found.table).notes == ("everyone used one answer",)
    assert found.tnr is not None
    assert found.tnr.value is None
    decided = judges.certificate(found)
    assert not decided.usable
    assert "only 9 labels; a certificate needs 50" in decided.reasons
    with pytest.raises(ValueError, match="is none of"):
        agreement.confusion(["maybe"], ["pass"], ("pass", "fail"))


def test_a_certificate_is_refused_with_its_reasons() -> None:
    few = agreement.of_table([[50, 3], [2, 5]], ("pass", "fail"))
    assert judges.certificate(few).reasons == ("too few “fail” examples (7) to know",)
    blind = agreement.of_table([[30, 30], [28, 30]], ("pass", "fail"))
    assert judges.certificate(blind).reasons == ("this judge cannot tell pass from fail",)
    good = agreement.of_table(JUDGED, ("pass", "fail"))
    then = datetime(2026, 1, 1, tzinfo=UTC)
    assert judges.certificate(good, measured_at=then, now=then + timedelta(days=30)).usable
    assert judges.certificate(good, measured_at=then, now=then + timedelta(days=200)).reasons == (
        "measured 200 days ago",
    )


def test_a_judged_rate_is_corrected_by_the_judges_certificate() -> None:
    found = judges.rogan_gladen(410, 500, agreement.of_table(JUDGED, ("pass", "fail")), seed=1)
    assert found.raw.value == 0.82
    assert ends(found.raw.interval) == pytest.approx((0.783925, 0.851195), abs=EXACT)
    assert found.corrected.value == pytest.approx(0.849865, abs=EXACT)
    assert found.se == pytest.approx(0.041988, abs=EXACT)
    assert ends(found.corrected.interval) == pytest.approx((0.769940, 0.943444), abs=EXACT)
    delta, drawn = found.alternatives
    assert ends(delta) == pytest.approx((0.767571, 0.932159), abs=EXACT)
    assert ends(drawn) == pytest.approx((0.769, 0.938), abs=0.003)
    assert found.usable
    youden = judges.certificate(agreement.of_table(JUDGED, ("pass", "fail"))).youden
    assert youden is not None
    assert youden.value == pytest.approx(0.708134, abs=EXACT)


def test_a_correction_that_cannot_be_made_says_why() -> None:
    blind = judges.rogan_gladen(40, 50, agreement.of_table([[25, 25], [25, 25]], ("pass", "fail")))
    assert (blind.usable, blind.corrected.value) == (False, None)
    assert blind.reasons == ("this judge cannot tell pass from fail",)
    unfit = judges.rogan_gladen(1, 500, agreement.of_table([[95, 5], [40, 60]], ("pass", "fail")))
    assert "the certificate does not fit this run" in unfit.reasons
    assert unfit.corrected.value == 0.0


Y, F = [1, 1, 0, 1, 0, 1, 1, 0], [0.9, 0.8, 0.3, 0.7, 0.4, 0.95, 0.6, 0.2]
U = [0.85, 0.9, 0.2, 0.7, 0.6, 0.95, 0.8, 0.3, 0.75, 0.9, 0.4, 0.65]


def bits(text: str) -> list[int]:
    return [int(one) for one in text]


def test_prediction_powered_inference_of_scores() -> None:
    found = prediction.ppi_mean(Y, F, U)
    assert (found.tuning, found.usable) == (1.0, False)
    assert found.corrected.value == pytest.approx(0.685417, abs=EXACT)
    assert found.se == pytest.approx(0.125126, abs=EXACT)
    equal = prediction.ppi_mean(Y, F, U, weights=[3.0] * 8)
    assert equal.corrected.value == pytest.approx(0.685417, abs=EXACT)
    assert equal.se == pytest.approx(0.125126, abs=EXACT)


@pytest.mark.parametrize(("tune", "tuning", "value", "error"), [
    (False, 1.0, 0.2, 0.175052), (True, 0.268519, None, 0.126833),
])  # fmt: skip
def test_prediction_powered_inference_of_differences(tune: bool, tuning: float, value: float, error: float) -> None:
    y = [b - a for a, b in zip(bits("1011010110"), bits("1111011110"), strict=True)]
    f = [b - a for a, b in zip(bits("1011110100"), bits("1111110110"), strict=True)]
    u = [b - a for a, b in zip(bits("11010110110101101101"), bits("11110111110111101111"), strict=True)]
    found = prediction.ppi_mean(y, f, u, tune=tune)
    assert found.tuning == pytest.approx(tuning, abs=EXACT)
    assert found.se == pytest.approx(error, abs=EXACT)
    if value is not None:
        assert found.corrected.value == pytest.approx(value, abs=EXACT)


def test_prediction_powered_inference_on_real_verdicts(shared_data: Path) -> None:
    lines = (shared_data / "labelled" / "openqa_nq301_human_and_judges.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    human = [int(row["human_final"] == "Yes") for row in rows]
    judge = [int(row["judge_gpt4"] == "Yes") for row in rows]
    labelled = set(range(0, len(rows), 10))
    y, f = [human[place] for place in sorted(labelled)], [judge[place] for place in sorted(labelled)]
    u = [verdict for place, verdict in enumerate(judge) if place not in labelled]
    assert (len(y), len(u)) == (149, 1_341)
    plain, tuned, mover = (
        prediction.ppi_mean(y, f, u, tune=False),
        prediction.ppi_mean(y, f, u),
        prediction.ppi_mover(y, f, u),
    )
    assert plain.corrected.value == pytest.approx(0.558538, abs=EXACT)
    assert plain.se == pytest.approx(0.037362, abs=EXACT)
    assert tuned.tuning == pytest.approx(0.560107, abs=EXACT)
    assert tuned.corrected.value == pytest.approx(0.575596, abs=EXACT)
    assert tuned.se == pytest.approx(0.032231, abs=EXACT)
    assert ends(mover.corrected.interval) == pytest.approx((0.484045, 0.635236), abs=EXACT)
    assert mover.labels_only is not None
    assert ends(mover.labels_only.interval) == pytest.approx((0.517079, 0.672660), abs=EXACT)
    chosen = prediction.ppi_rate(y, f, u)
    assert chosen.corrected.method == "PPI++"
    low, high = ends(chosen.corrected.interval)
    assert low < 0.547651 < high  # what all 1,490 people's labels say


def test_few_labels_stand_alone_and_a_judge_that_narrows_nothing_is_said_to_add_nothing() -> None:
    few = prediction.ppi_rate([1, 0] * 5, [1, 0] * 5, [1, 0] * 50)
    assert (few.usable, few.corrected) == (False, few.labels_only)
    useless = prediction.ppi_rate([1, 0] * 15, [1, 0, 0, 1, 1, 1] * 5, [1, 0] * 50)
    assert not useless.usable
    assert useless.reasons == ("the judge adds nothing yet",)
    good = prediction.ppi_rate([1, 0] * 15, [1, 0] * 15, [1, 0] * 500)
    assert good.usable
    assert good.corrected.method == "Tango and Wilson by MOVER"


# Ranking

WINS = [[0, 18, 25], [9, 0, 16], [4, 10, 0]]
TIES = [[0, 8, 6], [8, 0, 9], [6, 9, 0]]
NONE = [[0] * 3] * 3


def test_bradley_terry_with_ties() -> None:
    found = ranking.bradley_terry(WINS, TIES)
    assert found.strengths == pytest.approx((0.827467, -0.083281, -0.744185), abs=EXACT)
    assert found.tie == pytest.approx(0.646822, abs=EXACT)
    assert -found.log_likelihood == pytest.approx(101.437476, abs=EXACT)
    assert found.chances(0, 1) == pytest.approx((0.551741, 0.226336, 0.221923), abs=EXACT)
    assert (found.boards, found.shrunk, found.n) == (((0, 1, 2),), False, 105)


def test_bradley_terry_without_ties() -> None:
    found = ranking.bradley_terry(WINS, NONE)
    assert found.strengths == pytest.approx((0.808862, -0.076640, -0.732222), abs=EXACT)
    assert found.tie == 0
    assert found.chances(0, 1)[1] == 0


def test_an_unbeaten_version_is_pulled_towards_the_middle_and_strangers_have_boards_of_their_own() -> None:
    unbeaten = ranking.bradley_terry([[0, 5], [0, 0]], [[0, 0], [0, 0]])
    assert unbeaten.shrunk
    assert unbeaten.strengths[0] == pytest.approx(math.log(5.5 / 0.5) / 2)
    wins = [[0, 3, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 4, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    apart = ranking.bradley_terry(wins, [[0] * 5] * 5)
    assert apart.boards == ((0, 1), (2, 3))
    assert apart.strengths[4] is None
    assert apart.strengths[0] == pytest.approx(math.log(3 / 2) / 2)
    assert apart.strengths[2] == pytest.approx(math.log(4) / 2)
    with pytest.raises(ValueError, match="never compared"):
        apart.chances(0, 2)
    assert ranking.components([[0, 1], [0, 0]], [[0, 0], [0, 0]]) == (((0, 1), False),)
    assert ranking.bradley_terry([[0, 0], [0, 0]], [[0, 0], [0, 0]]).boards == ()


def test_ranks_are_drawn_over_examples() -> None:
    outcomes = []
    for i, j in itertools.combinations(range(3), 2):
        results = [1.0] * WINS[i][j] + [0.0] * TIES[i][j] + [-1.0] * WINS[j][i]
        outcomes += [(f"{i}{j}-{n}", i, j, result) for n, result in enumerate(results)]
    found = boards.bootstrap(outcomes, seed=7, resamples=400)
    assert found.strengths == pytest.approx((0.827467, -0.083281, -0.744185), abs=EXACT)
    assert found.ranks[0] == (1, 1)
    assert found.ranks[2] is not None
    assert found.ranks[2][1] == 3
    assert {(0, 1), (0, 2)} <= found.told_apart
    assert boards.bootstrap(outcomes, seed=7, resamples=400) == found


def test_intervals_of_a_board_come_from_the_same_draws_and_hold_its_strengths() -> None:
    outcomes = []
    for i, j in itertools.combinations(range(3), 2):
        results = [1.0] * WINS[i][j] + [0.0] * TIES[i][j] + [-1.0] * WINS[j][i]
        outcomes += [(f"{i}{j}-{n}", i, j, result) for n, result in enumerate(results)]
    found = boards.bootstrap(outcomes, seed=7, resamples=300, against=1)
    for strength, interval in zip(found.strengths, found.intervals, strict=True):
        low, high = ends(interval)
        assert low < strength < high
        assert 0.2 < high - low < 1.2
    first, same, third = found.shares
    assert first is not None
    assert first.value == pytest.approx(0.551741 + 0.226336 / 2, abs=EXACT)
    assert ends(first.interval)[0] > 0.5
    assert same is not None
    assert (same.value, same.interval) == (pytest.approx(0.5), None)
    assert third is not None
    assert (third.value or 1) < 0.5
    # Asked the other way round and with versions renamed it is the same board.
    mirrored = [(key, 2 - j, 2 - i, -result) for key, i, j, result in outcomes]
    other = boards.bootstrap(mirrored, seed=7, resamples=300, against=1)
    assert other.strengths == pytest.approx(found.strengths[::-1], abs=1e-9)
    assert ends(other.intervals[0]) == pytest.approx(ends(found.intervals[2]), abs=0.12)


def test_examples_that_decide_all_pairs_alike_count_once_however_many_pairs_they_decide() -> None:
    """Two of three examples favour the first in each of four repeats: that is three examples, not twelve."""
    few = [(f"e{n}", 0, 1, 1.0 if n % 3 else -1.0) for n in range(30)]
    repeated = [one for one in few for _ in range(4)]
    once, again = (boards.bootstrap(one, seed=1, resamples=300) for one in (few, repeated))
    assert again.strengths == pytest.approx(once.strengths)
    assert ends(again.intervals[0]) == pytest.approx(ends(once.intervals[0]), abs=0.1)
    alone = boards.bootstrap([(0, 0, 1, 1.0)] * 5, seed=1)
    assert (alone.intervals, alone.n) == ((), 5)
    with pytest.raises(ValueError, match="with another one"):
        boards.bootstrap([("a", 1, 1, 0.0)], seed=1)


def test_versions_on_another_board_have_no_share_against_this_one() -> None:
    outcomes = [(n, 0, 1, [1.0, -1.0][n % 2]) for n in range(20)] + [
        (n, 2, 3, [1.0, 0.0, -1.0][n % 3]) for n in range(20)
    ]
    found = boards.bootstrap(outcomes, seed=1, resamples=50, against=3)
    assert found.boards == ((0, 1), (2, 3))
    assert found.shares[:2] == (None, None)
    assert found.shares[2] is not None


def test_a_win_rate_is_half_and_half_the_paired_difference() -> None:
    rate, difference = pairwise.win_rate(18, 8, 9)
    assert rate.value == pytest.approx(0.628571, abs=EXACT)
    assert ends(difference.difference.interval) == pytest.approx((-0.034164, 0.504723), abs=EXACT)
    assert ends(rate.interval) == pytest.approx(((1 - 0.034164) / 2, (1 + 0.504723) / 2), abs=EXACT)
    assert pairwise.win_rate(0, 0, 0)[0].value is None


@pytest.mark.parametrize(
    ("as_is", "swapped", "value"),
    [("win", "win", 1.0), ("loss", "loss", 0.0), ("win", "loss", 0.5), ("tie", "win", 0.5), ("tie", "tie", 0.5),
     (None, "win", None), ("loss", None, None), (None, None, None)],
)  # fmt: skip
def test_disagreeing_orders_are_a_tie_and_a_missing_order_is_unscored(
    as_is: str | None, swapped: str | None, value: float | None
) -> None:
    assert pairwise.outcome(as_is, swapped) == value


def test_order_bias_is_the_share_of_votes_for_the_first_place() -> None:
    fair, biased = pairwise.order_bias(52, 48), pairwise.order_bias(140, 60)
    assert (fair.value, fair.notes) == (0.52, ())
    assert biased.notes == ("the judge prefers a place",)
    assert biased.interval is not None
    assert biased.interval.low > 0.5
    assert pairwise.order_bias(0, 0).value is None


def test_agreement_agrees_with_the_collected_facts(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = 0
    lines = (shared_data / "metrics" / "statistics_agreement_dev.jsonl").read_text().splitlines()
    facts = [json.loads(line) for line in lines]
    for fact in facts:
        if fact["statistic"] == "cohen_kappa":
            found = agreement.kappa(fact["data"]).value
            assert found == pytest.approx(fact["expected"], abs=fact["tolerance"])
            checked += 1
    with capsys.disabled():
        print(f"\n{checked} of {checked} facts about the agreement of two are met, of {len(facts)} collected")
    assert checked == 2


# Properties

TABLES = st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3)


@given(TABLES, st.permutations(range(3)))
@settings(max_examples=60, deadline=None)
def test_renaming_the_classes_changes_no_kappa(table: list[list[int]], order: list[int]) -> None:
    assume(sum(map(sum, table)) > 1)
    renamed = [[table[i][j] for j in order] for i in order]
    first, second = agreement.kappa(table).value, agreement.kappa(renamed).value
    assert (first is None) == (second is None)
    assert first is None or first == pytest.approx(second)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_weighted_kappa_is_scikit_learns(table: list[list[int]]) -> None:
    human = [i for i in range(3) for j in range(3) for _ in range(table[i][j])]
    judge = [j for i in range(3) for j in range(3) for _ in range(table[i][j])]
    assume(len(set(human)) > 1 and len(set(judge)) > 1)
    for weights in ("linear", "quadratic"):
        found = agreement.kappa(table, weights).value
        assert found == pytest.approx(cohen_kappa_score(human, judge, weights=weights, labels=[0, 1, 2]), abs=1e-9)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(1, 40))
@settings(deadline=None)
def test_mcc_is_scikit_learns(tp: int, fn: int, fp: int, tn: int) -> None:
    human, judge = [1] * (tp + fn) + [0] * (fp + tn), [1] * tp + [0] * fn + [1] * fp + [0] * tn
    assert agreement.mcc([[tp, fn], [fp, tn]]) == pytest.approx(matthews_corrcoef(human, judge))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_a_corrected_rate_stays_between_0_and_1(tp: int, fn: int, fp: int, tn: int, passes: int) -> None:
    found = judges.rogan_gladen(passes, 99, agreement.of_table([[tp, fn], [fp, tn]], ("pass", "fail")))
    assert found.corrected.value is None or 0 <= found.corrected.value <= 1
    if found.corrected.interval is not None:
        assert 0 <= found.corrected.interval.low <= found.corrected.interval.high <= 1
    assert found.usable or found.reasons


@given(st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_strengths_add_up_to_nothing_and_turning_all_outcomes_turns_them(wins: list[list[int]]) -> None:
    for place in range(4):
        wins[place][place] = 0
    none = [[0] * 4] * 4
    found = ranking.bradley_terry(wins, none)
    turned = ranking.bradley_terry([list(row) for row in zip(*wins, strict=True)], none)
    for members in found.boards:
        strengths = [found.strengths[place] or 0 for place in members]
        assert sum(strengths) == pytest.approx(0, abs=1e-6)
        assert [-(turned.strengths[place] or 0) for place in members] == pytest.approx(strengths, abs=1e-5)
