from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals import metrics
from evals.metrics import METRICS, Score, Unscored, parameters
from llmops.common.errors import Invalid

GSM8K = {"metric": "exact_match", "params": {"extract": "A:\\s*(.*)", "normalizer": "number"}}


def score(metric: str, output: str, expected: Any = None, **params: Any) -> Any:
    return metrics.score({"metric": metric, "params": params}, output, expected)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_follows_the_last_mark_reproduces_the_published_flags_of_5276_solutions(shared_data: Path) -> None:
    scorer = metrics.scorer(GSM8K)
    right: Counter[str] = Counter()
    for row in rows(shared_data / "labelled" / "gsm8k_model_solutions_4systems.jsonl"):
        outcome = scorer(row["output"], row["expected"])
        assert isinstance(outcome, Score)
        assert outcome.passed is row["is_correct_by_authors"], row
        right[row["system"]] += int(outcome.value)
    assert right == {
        "6b_finetuning": 286,
        "6b_verification": 515,
        "175b_finetuning": 458,
        "175b_verification": 742,
    }


@pytest.mark.parametrize("name", ["squad_official_edge_cases", "squad_normalisation_tricky_300"])
def test_exact_match_and_token_f1_agree_with_the_official_squad_script(shared_data: Path, name: str) -> None:
    exact = metrics.scorer({"metric": "exact_match", "params": {"normalizer": "squad"}})
    f1 = metrics.scorer({"metric": "token_f1"})
    for row in rows(shared_data / "metrics" / f"{name}.jsonl"):
        gold = row.get("gold_answers", row.get("gold"))
        assert exact(row["prediction"], gold).value == row["em"], row
        assert f1(row["prediction"], gold).value == pytest.approx(row["f1"], abs=5e-9), row


@pytest.mark.parametrize(
    ("output", "expected", "normalizer", "passed"),
    [
        ("Paris", "Paris", "none", True),
        ("paris", "Paris", "none", False),
        ("  PARIS \n", "Paris", "casefold", True),
        ("STRASSE", "straße", "casefold", True),
        ("The Eiffel Tower!", "eiffel tower", "squad", True),
        ("$1,234.50", "1234.5", "number", True),
        ("18.", "18.0", "number", True),
        ("−5", "-5", "number", True),
        ("1e3", "1000", "number", True),
        ("-0", "0", "number", True),
        ("12 apples", "12", "number", False),
        ("(B)", "b", "choice", True),
        ("B) Paris", "B", "choice", True),
        ("Answer: C", "(c)", "choice", True),
        ("The answer is B.", "B", "choice", True),
        ("**A**", "A", "choice", True),
        ("Apple pie", "A", "choice", False),
        ("x", ["y", "x"], "none", True),
        ("3", 3, "none", True),
    ],
)
def test_exact_match_after_a_named_normaliser(output: str, expected: Any, normalizer: str, passed: bool) -> None:
    assert score("exact_match", output, expected, normalizer=normalizer).passed is passed


def test_the_last_match_counts_and_a_pattern_without_groups_gives_its_whole_match() -> None:
    assert score("exact_match", "A: 1\nA: 2", "2", extract=r"A:\s*(.*)").passed
    assert score("exact_match", "12 then 34", "34", extract=r"\d+").passed
    missing = score("exact_match", "no mark here", "2", extract=r"A:\s*(.*)")
    assert (missing.value, missing.passed) == (0.0, False)
    assert "nothing in the output matches" in missing.reason


@pytest.mark.parametrize(
    ("metric", "output", "expected", "params", "passed"),
    [
        ("contains", "The answer is 42", None, {"value": "42"}, True),
        ("contains", "The Answer", "answer", {}, False),
        ("icontains", "The Answer", "answer", {}, True),
        ("contains", "b", ["a", "b"], {}, True),
        ("contains_any", "red", None, {"values": ["blue", "red"]}, True),
        ("contains_all", "red", ["blue", "red"], {}, False),
        ("icontains_all", "RED and Blue", ["blue", "red"], {}, True),
        ("icontains_any", "RED", ["blue", "red"], {}, True),
        ("starts_with", "  Dear Ms Lee,", "Dear", {}, True),
        ("starts_with", "  Dear Ms Lee,", "Dear", {"ignore_space": False}, False),
        ("ends_with", "Thanks.\n", "THANKS.", {"ignore_case": True}, True),
        ("regex", "order G-20077", None, {"pattern": r"\bG-\d{5}\b"}, True),
        ("regex", "Order", None, {"pattern": "^order$", "ignore_case": True}, True),
        ("numeric", "3.14", "3.14159", {"tolerance": 0.01}, True),
        ("numeric", "0.3", "0.2", {"tolerance": 0.1}, True),
        ("numeric", "95", 100, {"relative": 0.05}, True),
        ("numeric", "94", 100, {"relative": 0.05}, False),
        ("numeric", "First 7, then $1,200 in all", 1200, {"find": "last"}, True),
        ("numeric", "First 7, then 1,200", 7, {"find": "first"}, True),
        ("numeric", "none at all", 7, {"find": "last"}, False),
        ("json_valid", '{"a": 1}', None, {}, True),
        ("json_valid", "100", None, {}, True),
        ("json_valid", "[1,]", None, {}, False),
        ("json_valid", "NaN", None, {}, False),
        ("json_valid", "100", None, {"kind": "object"}, False),
        ("json_valid", "```json\n{}\n```", None, {"allow_fence": True}, True),
        ("json_valid", "```json\n{}\n```", None, {}, False),
    ],
)
def test_right_or_wrong(metric: str, output: str, expected: Any, params: dict[str, Any], passed: bool) -> None:
    outcome = score(metric, output, expected, **params)
    assert outcome.passed is passed, outcome
    assert outcome.value == float(passed)
    assert outcome.reason


def test_levenshtein_similarity_is_one_minus_edits_by_the_longer_length() -> None:
    assert score("levenshtein", "kitten", "sitting").value == pytest.approx(1 - 3 / 7)
    assert score("levenshtein", "", "").value == 1.0
    assert score("levenshtein", "abc", ["xyz", "abd"], pass_at=0.6).passed is True
    assert score("levenshtein", "abc", "xyz").passed is None


@pytest.mark.parametrize("name", ["exact_match", "contains", "numeric", "token_f1", "levenshtein", "starts_with"])
def test_an_example_without_expected_value_is_unscored(name: str) -> None:
    assert isinstance(score(name, "anything"), Unscored)


def test_a_number_is_not_expected_from_words() -> None:
    assert isinstance(score("numeric", "3", "three"), Unscored)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ("exact_match", "metric"),
        ({"metric": "nope"}, "metric"),
        ({"metric": ["a"]}, "metric"),
        ({"metric": "regex"}, "params.pattern"),
        ({"metric": "exact_match", "extra": 1}, "extra"),
        ({"metric": "exact_match", "v": 2}, "v"),
        ({"metric": "exact_match", "params": [1]}, "params"),
        ({"metric": "exact_match", "params": {"normaliser": "none"}}, "params.normaliser"),
        ({"metric": "exact_match", "params": {"normalizer": "loud"}}, "params.normalizer"),
        ({"metric": "exact_match", "params": {"extract": "(?=a)"}}, "params.extract"),
        ({"metric": "numeric", "params": {"tolerance": "1"}}, "params.tolerance"),
        ({"metric": "numeric", "params": {"tolerance": True}}, "params.tolerance"),
        ({"metric": "numeric", "params": {"tolerance": -1}}, "params.tolerance"),
        ({"metric": "numeric", "params": {"tolerance": float("inf")}}, "params.tolerance"),
        ({"metric": "contains_any", "params": {"values": "text"}}, "params.values"),
        ({"metric": "json_schema", "params": {"schema": {"type": "nope"}}}, "params.schema"),
        ({"metric": "json_schema", "params": {"schema": []}}, "params.schema"),
        ({"metric": "starts_with", "params": {"ignore_case": 1}}, "params.ignore_case"),
    ],
)
def test_a_bad_configuration_is_refused_field_by_field(spec: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked(spec)
    assert field in refused.value.fields


def test_equal_settings_have_one_spelling() -> None:
    plain = metrics.checked({"metric": "exact_match"})
    assert plain == {"v": 1, "metric": "exact_match", "params": {}}
    assert (
        metrics.checked({"v": 1, "metric": "exact_match", "params": {"normalizer": "none", "extract": None}}) == plain
    )


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_says_what_it_means_and_what_its_parameters_do(name: str) -> None:
    metric = METRICS[name]
    assert metric.meaning
    assert metric.low < metric.high
    assert all(field.meaning for field in parameters.fields_of(metric.params))


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?=a)", "(?<!a)b", "a{1001}", "((a{100}){100}){100}", "(" * 900, "x" * 1_001, "\ud800"]
)
def test_patterns_that_would_cost_too_much_are_refused_with_words(pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        metrics.checked({"metric": "regex", "params": {"pattern": pattern}})
    assert refused.value.fields["params.pattern"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)(.*)(.*)(.*)x", "a.*b|a", "(a+a+)+y", ".*.*=.*"])
def test_patterns_that_hang_other_engines_answer(pattern: str) -> None:
    score("regex", "a" * 200_000 + "!", pattern=pattern)
    score("exact_match", "a" * 200_000 + "!", "x", extract=pattern)


texts = st.text(max_size=40)
REQUIRED: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "a+"},
    "no_words": {"words": ["a b", "c"]},
    "combination": {"parts": {"a": {"metric": "contains"}, "b": {"metric": "levenshtein"}}},
}


@settings(deadline=None)  # the first use of some libraries takes longer
@given(st.sampled_from(sorted(METRICS)), texts, st.one_of(st.none(), texts, st.lists(texts, max_size=3), st.integers()))
def test_every_metric_answers_every_text_within_its_range(name: str, output: str, expected: Any) -> None:
    params = REQUIRED.get(name, {})
    outcome = score(name, output, expected, **params)
    metric = METRICS[name]
    assert isinstance(outcome, Unscored) or metric.low <= outcome.value <= metric.high
    assert outcome.reason


def test_half_surrogates_in_an_output_do_not_stop_a_pattern() -> None:
    assert score("regex", "ok \ud800", pattern="ok").passed
    assert score("exact_match", "A: \ud800", "x", extract="A: (.*)").passed is False


def test_texts_that_are_too_long_to_compare_are_unscored() -> None:
    long = "a" * 100_001
    assert isinstance(score("levenshtein", long, "a"), Unscored)
    assert isinstance(score("token_f1", "a", long), Unscored)
    assert isinstance(score("token_f1", "a" * 1_000_000, "a", extract="a.*b|a"), Unscored)
    assert isinstance(score("exact_match", "a" * 1_000_000, "a", extract="a.*b|a"), Unscored)
    assert isinstance(score("numeric", "1" * 1_000_000, "1", extract="1.*b|1"), Unscored)
    assert score("levenshtein", "x", "a", extract="A: (.*)", pass_at=0.5).passed is False


def test_parameters_have_limits() -> None:
    for params in (
        {"value": "x" * 20_001},
        {"value": 3},
    ):
        with pytest.raises(Invalid):
            metrics.checked({"metric": "contains", "params": params})
    for values in (["x"] * 201, [1], None):
        with pytest.raises(Invalid):
            metrics.checked({"metric": "contains_any", "params": {"values": values}})
    with pytest.raises(Invalid):
        metrics.checked({"metric": "numeric", "params": {"tolerance": 10**400}})
