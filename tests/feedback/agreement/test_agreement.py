"""Known answers: the collected facts, Krippendorff's own example, and the labels of a real crowd."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.statistics import agreement as judges
from feedback import agreement


def counts_of(raters: list[list[Any]]) -> tuple[list[list[int]], list[Any]]:
    """Rows of people into rows of items."""
    values = sorted({answer for row in raters for answer in row if answer is not None})
    return agreement.counted(zip(*raters, strict=True), values), values


def counts_by_item(data: list[list[Any]]) -> list[list[int]]:
    """Some facts give counts, some the answers of each item."""
    if len({sum(row) for row in data}) == 1:
        return data
    return agreement.counted(data, sorted({answer for row in data for answer in row}))


def alpha_of(fact: dict[str, Any]) -> float | None:
    counts, values = counts_of(fact["data"])
    return agreement.alpha(counts, fact["level"], values).value


KNOWN: dict[str, Any] = {
    "krippendorff_alpha": alpha_of,
    "fleiss_kappa": lambda fact: agreement.fleiss(counts_by_item(fact["data"])).value,
    "randolph_free_marginal_kappa": lambda fact: agreement.randolph(counts_by_item(fact["data"])).value,
    "cohen_kappa": lambda fact: judges.kappa(fact["data"]).value,
}


def test_the_collected_facts_about_agreement_are_met(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    met: Counter[str] = Counter()
    for line in (shared_data / "metrics" / "statistics_agreement_dev.jsonl").read_text().splitlines():
        fact = json.loads(line)
        if fact["statistic"] in KNOWN:
            found = KNOWN[fact["statistic"]](fact)
            assert found == pytest.approx(fact["expected"], abs=fact["tolerance"]), fact["id"]
            met[fact["statistic"]] += 1
    with capsys.disabled():
        print(f"\n{met.total()} of {met.total()} facts about agreement are met: {dict(met)}")
    assert set(met) == set(KNOWN)


KRIPPENDORFF: list[list[Any]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@pytest.mark.parametrize(
    ("level", "expected"), [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)]
)
def test_alpha_gives_krippendorffs_own_example(level: str, expected: float) -> None:
    counts, values = counts_of(KRIPPENDORFF)
    found = agreement.alpha(counts, level, values)
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert found.interval is not None
    assert found.interval.low < expected < found.interval.high


def test_where_everyone_says_the_same_there_is_no_alpha_and_one_answer_is_no_agreement() -> None:
    assert agreement.alpha([[3, 0], [2, 0]]).notes == ("everyone gave the same answer",)
    assert agreement.alpha([[1, 0], [0, 1]]).notes == ("no item has two answers",)
    assert agreement.fleiss([[2, 0], [1, 0]]).value is None
    assert agreement.percent([[2, 0], [1, 1], [1, 0]]).value == 0.5
    assert agreement.words(agreement.alpha([[2, 0], [0, 2]] * 20)) == "reliable"
    assert agreement.words(agreement.alpha([[2, 0], [1, 1]] * 20)) == "do not build on this question"


def test_each_two_people_have_a_kappa() -> None:
    both = agreement.pairs([{1: "a", 2: "a"}, {1: "b", 2: "a"}, {2: "b", 3: "b"}])
    assert both == {(1, 2): [("a", "a"), ("b", "a")], (2, 3): [("b", "b")]}
    table = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    assert agreement.cohen(table, ("a", "b")).value == pytest.approx(0.4)


def crowd(shared_data: Path) -> tuple[list[dict[str, str]], dict[str, str]]:
    folder = shared_data / "labelled"
    labels = [json.loads(line) for line in (folder / "crowd_barzanmozafari_labels.jsonl").read_text().splitlines()]
    gold = [json.loads(line) for line in (folder / "crowd_barzanmozafari_gold.jsonl").read_text().splitlines()]
    return labels, {row["item"]: row["gold"] for row in gold}


def test_the_crowds_labels_give_the_published_figures(shared_data: Path) -> None:
    labels, gold = crowd(shared_data)
    items: dict[str, list[str]] = {}
    for row in labels:
        items.setdefault(row["item"], []).append(row["label"])
    counts = agreement.counted(items.values(), ("0", "1"))
    alpha, fleiss = agreement.alpha(counts), agreement.fleiss(counts)
    assert fleiss.value == pytest.approx(0.405818, abs=1e-6)
    assert alpha.value == pytest.approx(0.405937, abs=1e-6)
    assert judges.gwet_ac1(counts).value == pytest.approx(0.596809, abs=1e-6)
    assert alpha.interval is not None
    assert (alpha.interval.low, alpha.interval.high) == pytest.approx((0.370, 0.440), abs=0.004)
    columns = [[row[name] for row in labels] for name in ("item", "worker", "label")]
    found = agreement.estimate(*columns, classes=("0", "1"), demand=False)
    assert sum(found.labels[item] == answer for item, answer in gold.items()) == 712
    assert max(found.prior) == pytest.approx(0.697271, abs=5e-4)
    assert found.log_likelihood == pytest.approx(-2095.515, abs=0.05)


def test_an_estimate_is_refused_where_labels_are_few_or_contradict_each_other() -> None:
    thin = agreement.estimate(["a", "a", "b", "b"], [1, 2, 1, 2], ["x", "x", "y", "y"], classes=("x", "y"))
    assert thin.reasons == ("an item has fewer than 3 labels",)
    assert set(thin.labels.values()) == {None}
    items = [n for n in range(40) for _ in range(3)]
    good = agreement.estimate(items, [0, 1, 2] * 40, ["xy"[n % 2] for n in items], classes=("x", "y"))
    assert good.reasons == ()
    assert good.labels == {n: "xy"[n % 2] for n in range(40)}


def test_more_labels_pay_until_they_do_not() -> None:
    few, many = agreement.percent([[2, 0], [1, 1]] * 10), agreement.percent([[2, 0], [1, 1]] * 2_000)
    assert not agreement.worth(few).is_enough  # type: ignore[union-attr]
    assert agreement.worth(many).is_enough  # type: ignore[union-attr]
    assert agreement.worth(agreement.percent([[2, 0]])) is None


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=2, max_size=12), st.permutations(range(3))
)
@settings(max_examples=40, deadline=None)
def test_renaming_the_answers_and_repeating_every_item_move_nothing_nominal(
    counts: list[list[int]], order: list[int]
) -> None:
    first = agreement.alpha(counts).value
    renamed = agreement.alpha([[row[place] for place in order] for row in counts]).value
    assert (first is None) == (renamed is None)
    assert first is None or first == pytest.approx(renamed)
    assert agreement.percent(counts).value == pytest.approx(agreement.percent(counts * 2).value)


def test_one_shared_item_says_nothing_about_how_sure_kappa_is() -> None:
    found = agreement.cohen([("a", "b")], ("a", "b"))
    assert (found.value, found.interval) == (0.0, None)
    assert agreement.cohen([("a", "b"), ("b", "b")], ("a", "b")).interval is not None
