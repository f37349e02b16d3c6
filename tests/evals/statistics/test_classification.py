"""Classification figures against scikit-learn, and their properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.statistics import classification

labels = st.sampled_from(["a", "b", "c", "d"])
pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=60)


@pytest.mark.filterwarnings("ignore:A single label")  # a one-by-one matrix is what we ask for
@settings(deadline=None)
@given(pairs, st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 1.0]))
def test_every_figure_is_that_of_scikit_learn(rows: list[tuple[str, str]], beta: float, nothing: float) -> None:
    from sklearn import metrics

    expected, found = [one for one, _ in rows], [other for _, other in rows]
    report = classification.report(expected, found, beta=beta, zero_division=nothing)
    assert report.accuracy == pytest.approx(metrics.accuracy_score(expected, found))
    assert [list(row) for row in report.matrix] == metrics.confusion_matrix(
        expected, found, labels=list(report.labels)
    ).tolist()
    for average in ("macro", "micro", "weighted"):
        precision, recall, f, _ = metrics.precision_recall_fscore_support(
            expected, found, beta=beta, average=average, zero_division=nothing
        )
        ours = getattr(report, average)
        assert (ours.precision, ours.recall, ours.f) == pytest.approx((precision, recall, f))
    theirs = metrics.precision_recall_fscore_support(
        expected, found, beta=beta, labels=list(report.labels), zero_division=nothing
    )
    for one, precision, recall, f, support in zip(report.by_label, *theirs, strict=True):
        figures = one.figures
        assert (figures.precision, figures.recall, figures.f) == pytest.approx((precision, recall, f))
        assert figures.support == support


def test_the_figures_of_a_small_table_by_hand() -> None:
    expected = ["cat"] * 5 + ["dog"] * 3
    given_ = ["cat"] * 4 + ["dog", "dog", "dog", "cat"]
    report = classification.report(expected, given_)
    assert report.matrix == ((4, 1), (1, 2))
    assert report.accuracy == 6 / 8
    assert report.of("cat").precision == 4 / 5
    assert report.of("dog").recall == pytest.approx(2 / 3)
    assert report.balanced_accuracy == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert report.micro.f == report.accuracy


def test_labels_may_be_told_in_order_and_others_count_as_misses() -> None:
    report = classification.report(["a", "b", "c"], ["a", "x", "c"], labels=["c", "a"])
    assert report.labels == ("c", "a")
    assert report.matrix == ((1, 0), (0, 1))
    assert report.accuracy == pytest.approx(2 / 3)
    assert report.macro.recall == 1.0
    with pytest.raises(KeyError):
        report.of("b")


def test_nothing_to_compare_has_no_accuracy() -> None:
    report = classification.report([], [])
    assert (report.n, report.accuracy, report.balanced_accuracy, report.matrix) == (0, None, None, ())
    assert report.macro.f == 0.0


@pytest.mark.parametrize(
    "bad",
    [
        {"expected": ["a"], "given": []},
        {"expected": ["a"], "given": ["a"], "labels": ["a", "a"]},
        {"expected": ["a"], "given": ["a"], "beta": 0.0},
        {"expected": ["a"], "given": ["a"], "beta": float("nan")},
    ],
)
def test_what_cannot_be_compared_is_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match=r"labels|twice|beta"):
        classification.report(**bad)
