"""Modifiers on any metric, and several metrics as one score."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import metrics
from evals.metrics import METRICS, Score, Unscored, expressions
from llmops.common.errors import Invalid


def score(spec: dict[str, Any], output: str, expected: Any = None) -> Any:
    return metrics.score(spec, output, expected)


def contains(text: str, **modifiers: Any) -> dict[str, Any]:
    return {"metric": "contains", "params": {"value": text}, **modifiers}


def combination(expression: str | None = None, threshold: float | None = None, **parts: Any) -> dict[str, Any]:
    given_ = {"metric": "combination", "params": {"parts": parts, "expression": expression}}
    return given_ if threshold is None else given_ | {"threshold": threshold}


def test_negation_turns_value_and_verdict_around() -> None:
    found = score(contains("x", negate=True), "a")
    assert (found.value, found.passed) == (1.0, True)
    bleu = score({"metric": "bleu", "negate": True}, "a b c d", "a b c d")
    assert (bleu.value, bleu.passed) == (0.0, None)


def test_a_threshold_decides_by_the_metrics_direction() -> None:
    like = {"metric": "levenshtein", "threshold": 0.5}
    assert [score(like, text, "abcd").passed for text in ("abcd", "abxx", "axxx")] == [True, True, False]
    far = {"metric": "levenshtein_distance", "threshold": 2}
    assert [score(far, text, "abcd").passed for text in ("abcd", "abxx", "axxx")] == [True, True, False]
    negated = score(like | {"negate": True}, "axxx", "abcd")
    assert (negated.value, negated.passed) == (0.75, True)


def test_unscored_stays_unscored_whatever_is_added() -> None:
    assert isinstance(score({"metric": "levenshtein", "threshold": 0.5, "negate": True}, "a"), Unscored)


def test_the_older_name_of_the_threshold_is_still_read() -> None:
    old = {"metric": "levenshtein", "params": {"pass_at": 0.6}}
    assert metrics.checked(old) == {"v": 1, "metric": "levenshtein", "params": {}, "threshold": 0.6}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (contains("a", negate="yes"), "negate"),
        (contains("a", weight=-1), "weight"),
        (contains("a", weight=True), "weight"),
        (contains("a", threshold="1"), "threshold"),
        (contains("a", threshold=2), "threshold"),
        (contains("a", threshold=float("nan")), "threshold"),
        ({"metric": "length", "negate": True}, "negate"),
        (combination(), "params.parts"),
        (combination(a=contains("a", threshold=3)), "params.parts.a.threshold"),
        (combination(a={"metric": "nope"}), "params.parts.a.metric"),
        (combination(a="contains"), "params.parts.a.metric"),
        (combination(**{"not": contains("a")}), "params.parts.not"),
        (combination(**{"a b": contains("a")}), "params.parts.a b"),
        (combination(a={"metric": "length"}), "params.parts"),
        (combination("a and", a=contains("a")), "params.expression"),
        (combination("b", a=contains("a")), "params.expression"),
        (combination(**{f"p{n}": contains("a") for n in range(21)}), "params.parts"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_its_field(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked(spec)
    assert field in refused.value.fields


def test_combinations_nest_three_levels_and_no_more() -> None:
    spec = contains("a")
    for _ in range(3):
        spec = combination(inner=spec)
    assert score(spec, "a").passed
    with pytest.raises(Invalid):
        metrics.checked(combination(inner=spec))


def test_the_mean_weighs_parts_and_scales_their_ranges() -> None:
    parts = {"a": contains("a", weight=3), "b": contains("b"), "c": {"metric": "bleu", "params": {}, "weight": 4}}
    found = score(combination(**parts), "a", "a")
    assert found.value == pytest.approx((3 * 1 + 1 * 0 + 4 * 1) / 8)
    assert found.passed is False
    assert score(combination(threshold=0.8, **parts), "a", "a").passed is True


def test_a_part_without_weight_still_passes_or_fails() -> None:
    short = {"metric": "word_count", "params": {"at_most": 2}, "weight": 0}
    assert score(combination(a=contains("a"), short=short), "a b").passed is True
    found = score(combination(a=contains("a"), short=short), "a b c")
    assert (found.value, found.passed) == (1.0, False)


def test_a_part_without_a_score_leaves_the_whole_without_one() -> None:
    found = score(combination("a or e", a=contains("a"), e={"metric": "exact_match"}), "a")
    assert isinstance(found, Unscored)
    assert found.reason.startswith("e:")


@pytest.mark.parametrize(
    ("expression", "value", "passed"),
    [
        ("a", 1.0, True),
        ("a and not b", 1.0, True),
        ("b or n >= 4", 0.0, False),
        ("not (b or n >= 4)", 1.0, True),
        ("n == 3 and min(a, b) < max(a, b)", 1.0, True),
        ("mean(a, b, 0.5)", 0.5, None),
        ("0.7 * a + 0.3 * b", 0.7, None),
        ("1 - n / 10", 0.7, None),
        ("-n + 3.5", 0.5, None),
        ("1 - 2 - -1.5", 0.5, None),
        ("a + b * 2 >= 1", 1.0, True),
        ("n != 3", 0.0, False),
    ],
)
def test_expressions(expression: str, value: float, passed: bool | None) -> None:
    parts = {"a": contains("a"), "b": contains("zzz"), "n": {"metric": "word_count"}}
    found = score(combination(expression, **parts), "a b c")
    assert isinstance(found, Score), found
    assert (found.value, found.passed) == (pytest.approx(value), passed)


@pytest.mark.parametrize("expression", ["n / b", "n", "n and a", "not (a + b)", "1 or a"])
def test_expressions_without_a_score_say_why(expression: str) -> None:
    parts = {"a": contains("a"), "b": contains("zzz"), "n": {"metric": "word_count"}}
    found = score(combination(expression, **parts), "a b c")
    assert isinstance(found, Unscored)
    assert found.reason


@pytest.mark.parametrize(
    "text",
    [
        "", "a b", "a +", "(a", "a)", "min()", "min", "a < b < c", "a.b", "a[0]", "__import__('os')", "a; b",
        "lambda: a", "a ** 2", "a if b else c", "(" * 30 + "a" + ")" * 30, "-" * 30 + "a", "not " * 30 + "a", "a" * 501,
        "1e999", "1_0",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(expressions.NotAnExpression):
        expressions.parsed(text)


@given(st.text(alphabet="ab01 .+-*/<>=!(),andortmixe", max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        found = expressions.parsed(text)
    except expressions.NotAnExpression:
        return
    scores = {name: Score(0.5, True, "") for name in found.names}
    try:
        expressions.number(found.of(scores))
    except expressions.NoValue:
        pass


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 50))
def test_arithmetic_is_that_of_numbers(a: int, b: int, c: int) -> None:
    scores = {name: Score(float(value), None, "") for name, value in (("a", a), ("b", b), ("c", c))}
    assert expressions.parsed("a + b * -c - (a - b) / c").of(scores) == pytest.approx(a + b * -c - (a - b) / c)


def test_every_metric_names_a_family_and_a_range_that_forms_can_show() -> None:
    assert {metric.family for metric in METRICS.values()} == set(metrics.FAMILIES)
