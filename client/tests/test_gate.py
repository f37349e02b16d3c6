"""Gates: what a file may say, and what follows from intervals and words."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops_client import gate, reports
from llmops_client.errors import Problem
from llmops_client.evaluation import Evaluation
from llmops_client.gate import Gate, Outcome, Rule


def score(mean: float | None = 0.8, low: float | None = 0.7, high: float | None = 0.9, **more: int) -> dict[str, Any]:
    return {"mean": mean, "low": low, "high": high, "n": 50, "unscored": 0, "failed": 0, "passed": 40, **more}


def run(**scores: dict[str, Any]) -> dict[str, Any]:
    return {
        "prompt": "p", "version": 2, "dataset": "d", "dataset_version": 1, "scores": scores, "cost_usd": 0.5,
        "latency_ms": {"p50": 100, "p95": 900}, "done": 50, "failed": 0, "from_cache": 0, "page": "https://x/run",
    }  # fmt: skip


def compared(word: str, high: float = 0.1, *, is_same: bool = True) -> dict[str, Any]:
    one = {
        "name": "e", "same_configuration": is_same, "word": word, "sentence": "because", "a": 0.7,
        "difference": {"value": 0.02, "interval": {"low": -0.05, "high": high}},
    }  # fmt: skip
    return {"evaluators": [one]}


def decided(rule: Rule, found: dict[str, Any], comparison: Any = None) -> list[str]:
    wanted = Gate(rules=(rule,))
    return [str(one.outcome) for one in gate.decide(wanted, run(e=found), {rule.margin: comparison})]


def test_a_whole_gate_is_read() -> None:
    text = (
        "evaluators:\n  a: {min: 0.8, no_worse_than: 0.03}\n  b: {better: true, max: 2}\n"
        "max_cost_usd: 1\nmax_p95_ms: 20\n"
    )
    assert gate.read(text, "gate.yaml") == Gate(
        rules=(Rule("a", at_least=0.8, margin=0.03), Rule("b", at_most=2.0, better=True)),
        max_cost_usd=1.0,
        max_p95_ms=20.0,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "gate.yaml:1: a gate is a mapping"),
        ("- a", "gate.yaml:1: a gate is a mapping"),
        ("evaluators:\n  a: {minn: 1}", "gate.yaml:2: “minn” is not known here; known are min, max"),
        ("evaluators:\n  a:\n    min: high", "gate.yaml:3: a.min must be a number, not 'high'"),
        ("evaluators:\n  a:\n    min: .nan", "gate.yaml:3: a.min must be a number"),
        ("evaluators:\n  a:\n    min: true", "gate.yaml:3: a.min must be a number"),
        ("evaluators:\n  a:\n    no_worse_than: 0", "gate.yaml:3: a.no_worse_than must be greater than 0"),
        ("evaluators:\n  a:\n    no_worse_than: 3", "gate.yaml:3: a.no_worse_than is a share of the range"),
        ("evaluators:\n  a:\n    better: yes please", "gate.yaml:3: a: better must be true or false"),
        ("evaluators:\n  a: {better: false}", "gate.yaml:2: a: “better: false” asks for nothing"),
        ("evaluators:\n  a:", "gate.yaml:2: a: give at least one of"),
        ("evaluators: [a]", "gate.yaml:1: evaluators must be a mapping"),
        ("evaluators: {}", "gate.yaml:1: the gate asks for nothing"),
        ("max_cost_usd: -1", "gate.yaml:1: max_cost_usd must be at least 0"),
        ("a: [", "gate.yaml:1: "),
    ],
)
def test_a_bad_gate_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        gate.read(text, "gate.yaml")
    assert said in str(caught.value)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Problem) as caught:
        gate.read("evaluators:\n  a:\n    min: x\n  b:\n    max: y\nmax_p95: 1\n", "g")
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == ["g:3:", "g:5:", "g:6:"]


@pytest.mark.parametrize(
    ("limit", "found", "outcome"),
    [
        (0.7, score(), "pass"),
        (0.71, score(), "inconclusive"),
        (0.9, score(), "inconclusive"),
        (0.91, score(), "fail"),
        (0.5, score(None, None, None, n=0), "inconclusive"),
        (0.7, score(unscored=2), "pass"),
        (0.7, score(unscored=3), "inconclusive"),
    ],
)
def test_a_minimum_is_held_against_the_whole_interval(limit: float, found: Any, outcome: str) -> None:
    assert decided(Rule("e", at_least=limit), found) == [outcome]


@pytest.mark.parametrize(("limit", "outcome"), [(0.9, "pass"), (0.8, "inconclusive"), (0.69, "fail")])
def test_a_maximum_is_its_mirror(limit: float, outcome: str) -> None:
    assert decided(Rule("e", at_most=limit), score()) == [outcome]


@pytest.mark.parametrize(
    ("word", "no_worse", "better"),
    [
        ("better", "pass", "pass"),
        ("no worse", "pass", "inconclusive"),
        ("worse", "fail", "fail"),
        ("not known yet", "inconclusive", "inconclusive"),
    ],
)
def test_the_servers_word_decides_the_comparison(word: str, no_worse: str, better: str) -> None:
    assert decided(Rule("e", margin=0.03), score(), compared(word)) == [no_worse]
    assert decided(Rule("e", better=True), score(), compared(word)) == [better]


def test_better_fails_when_even_the_upper_limit_is_no_gain() -> None:
    assert decided(Rule("e", better=True), score(), compared("no worse", high=0.0)) == ["fail"]
    assert decided(Rule("e", better=True), score(), compared("not known yet", high=-0.01)) == ["fail"]
    assert decided(Rule("e", margin=0.03), score(), compared("no worse", high=-0.01)) == ["pass"]


def test_nothing_passes_against_another_evaluator_of_the_same_name_or_none() -> None:
    assert decided(Rule("e", margin=0.03), score(), compared("better", is_same=False)) == ["inconclusive"]
    assert decided(Rule("e", margin=0.03), score(), {"evaluators": []}) == ["inconclusive"]


@pytest.mark.parametrize(
    ("change", "outcomes"),
    [
        ({}, ["pass", "pass"]),
        ({"cost_usd": 1.01}, ["fail", "pass"]),
        ({"cost_usd": None}, ["inconclusive", "pass"]),
        ({"latency_ms": {"p95": 1001}}, ["pass", "fail"]),
        ({"latency_ms": {"p95": None}}, ["pass", "inconclusive"]),
    ],
)
def test_cost_and_latency_are_held_against_their_limits(change: dict[str, Any], outcomes: list[str]) -> None:
    found = gate.decide(Gate(max_cost_usd=1.0, max_p95_ms=1000.0), run() | change, {})
    assert [str(one.outcome) for one in found] == outcomes


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the first draw reads all loaded modules
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_minimum_never_turns_a_worse_outcome_into_a_better_one(
    a: float, b: float, m: float, n: float
) -> None:
    low, high = sorted((a, b))
    order = ["fail", "inconclusive", "pass"]
    easy, strict = (decided(Rule("e", at_least=limit), score((low + high) / 2, low, high)) for limit in sorted((m, n)))
    assert order.index(strict[0]) <= order.index(easy[0])


def test_fail_beats_inconclusive_beats_pass() -> None:
    one = {outcome: gate.Decision("e", "r", outcome, "s") for outcome in Outcome}
    assert gate.overall([]) is Outcome.PASS
    assert gate.overall([one[Outcome.PASS], one[Outcome.INCONCLUSIVE]]) is Outcome.INCONCLUSIVE
    assert gate.overall([one[Outcome.INCONCLUSIVE], one[Outcome.FAIL]]) is Outcome.FAIL


def test_reports_stay_whole_with_hostile_names() -> None:
    name = 'e|<b>`\x1b[31m\x00]]>&"'
    found = Evaluation(run(**{name: score()}), run(), comparisons={None: compared("better")})
    found.decisions = [gate.Decision(name, "min 1", Outcome.FAIL, f"because {name}")]
    case = ElementTree.fromstring(reports.junit(found))[0][0]
    assert case.get("classname") == 'gate.e|<b>`\ufffd[31m\ufffd]]>&"'
    assert "\x1b" not in reports.table(found) + reports.markdown(found)
    assert "\\|\\<b\\>" in reports.markdown(found)
    assert json.loads(json.dumps(reports.as_json(found)))["exit_code"] == 1
