"""Figures of a whole run, against sacrebleu and scikit-learn over all rows at once."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sacrebleu
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from evals import metrics
from evals.metrics.over_runs import OverRun

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "and", "quickly", "red"]
DICE = random.Random(3)
OUTPUTS = [" ".join(DICE.choices(WORDS, k=DICE.randrange(4, 15))) + "." for _ in range(60)]
REFERENCES = [" ".join(DICE.choices(line.split(), k=len(line.split()))) for line in OUTPUTS]


def found(metric: str, pairs: list[tuple[str, Any]], **params: Any) -> OverRun:
    measure = metrics.measure({"metric": metric, "params": params})
    assert measure is not None
    for output, expected in pairs:
        measure.add(output, expected)
    return measure.found()


PAIRS = list(zip(OUTPUTS, REFERENCES, strict=True))


@pytest.mark.parametrize(
    ("metric", "params", "whole"),
    [
        ("bleu", {}, sacrebleu.BLEU()),
        ("bleu", {"tokenize": "char", "lowercase": True}, sacrebleu.BLEU(tokenize="char", lowercase=True)),
        ("chrf", {}, sacrebleu.CHRF()),
        ("chrf", {"word_order": 2}, sacrebleu.CHRF(word_order=2)),
        ("ter", {}, sacrebleu.TER()),
    ],
)
def test_sums_give_what_sacrebleu_gives_over_all_sentences(metric: str, params: dict[str, Any], whole: Any) -> None:
    [figure] = found(metric, PAIRS, **params).figures
    assert figure.value == pytest.approx(whole.corpus_score(OUTPUTS, [REFERENCES]).score, abs=1e-9)
    assert (figure.n, figure.name.startswith("corpus ")) == (60, True)


def test_corpus_bleu_is_not_the_mean_of_sentence_bleu_and_is_named_apart() -> None:
    [figure] = found("bleu", PAIRS).figures
    scores = [metrics.score({"metric": "bleu"}, output, reference) for output, reference in PAIRS]
    mean = sum(one.value for one in scores if isinstance(one, metrics.Score)) / len(scores)
    assert figure.name == "corpus BLEU"
    assert abs(figure.value - mean) > 1


def test_several_references_and_rows_without_one_are_taken_as_sacrebleu_takes_them() -> None:
    others = [" ".join(reversed(line.split())) for line in REFERENCES]
    pairs = [(output, [one, other]) for output, one, other in zip(OUTPUTS, REFERENCES, others, strict=True)]
    [figure] = found("bleu", [*pairs, ("not expected", None), ("nor this", [])]).figures
    assert figure.value == pytest.approx(sacrebleu.corpus_bleu(OUTPUTS, [REFERENCES, others]).score, abs=1e-9)
    assert figure.n == 60
    assert found("bleu", [("a", None)]).figures == ()


def test_a_failed_output_shortens_the_corpus_and_a_long_one_is_left_out() -> None:
    emptied = [("", reference) for _, reference in PAIRS[:30]] + PAIRS[30:]
    assert found("bleu", emptied).figures[0].value < found("bleu", PAIRS).figures[0].value
    long = found("ter", [*PAIRS, ("a " * 2_000, "b")])
    assert (long.left_out, long.figures[0].n) == (1, 60)


def test_error_rates_weigh_long_texts_more() -> None:
    pairs = [("a", "b"), ("x y z", "x y z"), ("p", ["q", "p"])]
    [figure] = found("wer", pairs).figures
    assert (figure.value, figure.n) == (1 / 5, 3)
    [characters] = found("cer", [("ab", "ax"), ("abcdefgh", "abcdefgh")]).figures
    assert characters.value == 1 / 10


def test_outputs_that_name_a_label_are_classified_as_scikit_learn_does() -> None:
    labels = ["delivery", "order", "refund"]
    expected = [DICE.choice(labels) for _ in range(200)]
    given = [one if DICE.random() < 0.7 else DICE.choice([*labels, "something else"]) for one in expected]
    pairs: list[tuple[str, Any]] = [
        (f"Answer: {one.upper()}", wanted) for one, wanted in zip(given, expected, strict=True)
    ]
    report = found("exact_match", pairs, extract="Answer: (.*)", ignore_case=True).classes
    assert report is not None
    assert report.labels == tuple(labels)
    assert report.accuracy == pytest.approx(accuracy_score(expected, given))
    whole = confusion_matrix(expected, given, labels=[*labels, "something else"])
    assert [list(row) for row in report.matrix] == whole[:3, :3].tolist()
    for average in ("macro", "micro", "weighted"):
        wanted = f1_score(expected, given, labels=labels, average=average)
        assert getattr(report, average).f == pytest.approx(wanted)


def test_answers_that_do_not_come_back_are_no_classes() -> None:
    assert found("exact_match", [(f"{n}", f"{n}") for n in range(25)]).classes is None
    assert found("exact_match", [(f"{n}", f"{n % 31}") for n in range(400)]).classes is None
    assert found("exact_match", [("yes", "yes")] * 10).classes is None
    assert metrics.measure({"metric": "exact_match", "params": {"value": "yes"}}) is None
    assert metrics.measure({"metric": "rouge_l"}) is None
