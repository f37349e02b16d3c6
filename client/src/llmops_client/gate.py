"""A gate: what a candidate must reach. Read from YAML, decided from the server's intervals and words.

```yaml
evaluators:
  exact_match:
    min: 0.80             # the lower limit of the interval must reach it
    no_worse_than: 0.03   # the loss against the baseline that is allowed, as a share of the range
  helpful:
    better: true          # clearly better than the baseline
max_cost_usd: 0.50        # of the candidate's run
max_p95_ms: 2000
```
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Exit, Problem

Json = Any
# More than this share of results without a verdict, and what was scored may not stand for the rest.
MANY_UNSCORED = 0.05
KEYS = ("evaluators", "max_cost_usd", "max_p95_ms")
RULES = ("min", "max", "no_worse_than", "better")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one evaluator must reach; None and False mean that it is not asked for."""

    evaluator: str
    at_least: float | None = None
    at_most: float | None = None
    margin: float | None = None
    better: bool = False

    @property
    def compares(self) -> bool:
        return self.better or self.margin is not None


@dataclass(frozen=True, slots=True)
class Gate:
    rules: tuple[Rule, ...] = ()
    max_cost_usd: float | None = None
    max_p95_ms: float | None = None

    @property
    def compares(self) -> bool:
        """Whether a baseline is needed."""
        return any(rule.compares for rule in self.rules)

    @property
    def margins(self) -> set[float | None]:
        """The margins under which the runs must be compared."""
        return {rule.margin for rule in self.rules if rule.compares}


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - a word of the report, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


EXITS = {Outcome.PASS: Exit.PASS, Outcome.FAIL: Exit.FAIL, Outcome.INCONCLUSIVE: Exit.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class Decision:
    """One rule, decided. `subject` is the evaluator, or `run` for cost and latency."""

    subject: str
    rule: str
    outcome: Outcome
    sentence: str


def read(text: str, file: str) -> Gate:
    """The gate of a YAML text.

    :raises Problem: naming file and line of everything that is not acceptable.
    """
    data, lines = yamls.load(text, file)
    return _Reader(file, lines).gate(data)


class _Reader:
    def __init__(self, file: str, lines: yamls.Lines) -> None:
        self.file, self.lines = file, lines
        self.wrong: list[tuple[int, str]] = []

    def gate(self, data: Json) -> Gate:
        if not isinstance(data, dict) or not data:
            raise Problem(f"{self.file}:1: a gate is a mapping with {', '.join(KEYS)}")
        self.unknown(data, (), KEYS)
        rules = self.rules(data.get("evaluators"))
        gate = Gate(
            rules=rules,
            max_cost_usd=self.number(data, ("max_cost_usd",), low=0.0),
            max_p95_ms=self.number(data, ("max_p95_ms",), low=0.0, strict=True),
        )
        if not self.wrong and gate == Gate():
            self.say((), "the gate asks for nothing: name evaluators, max_cost_usd or max_p95_ms")
        if self.wrong:
            raise Problem("\n".join(f"{self.file}:{line}: {reason}" for line, reason in sorted(self.wrong)))
        return gate

    def rules(self, data: Json) -> tuple[Rule, ...]:
        if data is None:
            return ()
        if not isinstance(data, dict):
            self.say(("evaluators",), "evaluators must be a mapping from names to what each must reach")
            return ()
        return tuple(self.rule(name, value) for name, value in data.items())

    def rule(self, name: str, data: Json) -> Rule:
        place = ("evaluators", name)
        if not isinstance(data, dict) or not data:
            self.say(place, f"{name}: give at least one of {', '.join(RULES)}")
            return Rule(name)
        self.unknown(data, place, RULES)
        better = data.get("better", False)
        if not isinstance(better, bool):
            self.say((*place, "better"), f"{name}: better must be true or false, not {better!r}")
        rule = Rule(
            evaluator=name,
            at_least=self.number(data, (*place, "min")),
            at_most=self.number(data, (*place, "max")),
            margin=self.share(data, (*place, "no_worse_than")),
            better=better is True,
        )
        if data.keys() <= {"better"} and better is False:
            self.say(place, f"{name}: “better: false” asks for nothing")
        return rule

    def number(
        self, data: Mapping[str, Json], path: yamls.Path, *, low: float = -math.inf, strict: bool = False
    ) -> float | None:
        value = data.get(str(path[-1]))
        if str(path[-1]) not in data:
            return None
        name = ".".join(str(step) for step in path[-2:] if step != "evaluators")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.say(path, f"{name} must be a number, not {value!r}")
            return None
        if value < low or (strict and value == low):
            self.say(path, f"{name} must be {'greater than' if strict else 'at least'} {low:g}, not {value!r}")
            return None
        return float(value)

    def share(self, data: Mapping[str, Json], path: yamls.Path) -> float | None:
        value = self.number(data, path, low=0.0, strict=True)
        if value is not None and value >= 1:
            self.say(path, f"{path[-2]}.{path[-1]} is a share of the range, below 1: 3 points are 0.03, not {value:g}")
            return None
        return value

    def unknown(self, data: Mapping[str, Json], place: yamls.Path, known: Sequence[str]) -> None:
        for key in data.keys() - set(known):
            self.say((*place, key), f"“{key}” is not known here; known are {', '.join(known)}")

    def say(self, place: yamls.Path, reason: str) -> None:
        self.wrong.append((self.lines.at(*place), reason))


def missing(gate: Gate, names: Iterable[str]) -> list[str]:
    """The gate's evaluators that a run with evaluators of these names does not have."""
    known = set(names)
    return [rule.evaluator for rule in gate.rules if rule.evaluator not in known]


def decide(gate: Gate, candidate: Mapping[str, Json], comparisons: Mapping[float | None, Json]) -> list[Decision]:
    """Every rule of the gate, decided.

    :param candidate: the run as `GET /runs/{id}` answers it, with every evaluator of the gate.
    :param comparisons: for each of `gate.margins`, what `GET /runs/compare` answers under that margin.
    """
    found: list[Decision] = []
    for rule in gate.rules:
        score = candidate["scores"][rule.evaluator]
        if rule.at_least is not None:
            found.append(_limit(rule.evaluator, f"min {rule.at_least:g}", score, rule.at_least, 1))
        if rule.at_most is not None:
            found.append(_limit(rule.evaluator, f"max {rule.at_most:g}", score, rule.at_most, -1))
        if rule.compares:
            found.append(_against(rule, score, comparisons[rule.margin]))
    if gate.max_cost_usd is not None:
        found.append(_cost(candidate["cost_usd"], gate.max_cost_usd))
    if gate.max_p95_ms is not None:
        found.append(_latency(candidate["latency_ms"]["p95"], gate.max_p95_ms))
    return found


def overall(decisions: Iterable[Decision]) -> Outcome:
    """Fail if anything fails, else inconclusive if anything is, else pass."""
    outcomes = {decision.outcome for decision in decisions}
    return next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in outcomes), Outcome.PASS)


def _limit(name: str, rule: str, score: Mapping[str, Json], limit: float, sign: int) -> Decision:
    """Passes when all of the interval is on the right side of the limit, and fails when all of it is on the other."""
    mean, low, high = score["mean"], score["low"], score["high"]
    if mean is None or low is None or high is None:
        return Decision(name, rule, Outcome.INCONCLUSIVE, f"no interval: {score['n']} scored, {score['unscored']} not")
    sentence = f"{mean:.3f}, interval {low:.3f} to {high:.3f}, n = {score['n']}"
    worst, best = (low, high) if sign > 0 else (high, low)
    if sign * best < sign * limit:
        return Decision(name, rule, Outcome.FAIL, f"{sentence}: all of the interval is on the wrong side")
    if sign * worst < sign * limit:
        return Decision(
            name, rule, Outcome.INCONCLUSIVE, f"{sentence}: too wide to tell; more examples make it narrower"
        )
    if doubt := _unscored(score):
        return Decision(name, rule, Outcome.INCONCLUSIVE, f"{sentence}, but {doubt}")
    return Decision(name, rule, Outcome.PASS, sentence)


def _against(rule: Rule, score: Mapping[str, Json], comparison: Mapping[str, Json]) -> Decision:
    asked = "better" if rule.better else f"no worse than {rule.margin:g} below"
    one = next((one for one in comparison["evaluators"] if one["name"] == rule.evaluator), None)
    if one is None:
        return Decision(rule.evaluator, asked, Outcome.INCONCLUSIVE, "the baseline has no such evaluator")
    word, sentence = one["word"], f"{one['word']}: {one['sentence']}"
    if not one["same_configuration"]:
        doubt = f"{sentence}; but it was configured differently in the two runs"
        return Decision(rule.evaluator, asked, Outcome.INCONCLUSIVE, doubt)
    # A gain is out of reach when even the upper limit of the difference is none.
    interval = one["difference"]["interval"]
    is_hopeless = rule.better and interval is not None and interval["high"] <= 0
    if word == "worse" or is_hopeless:
        return Decision(rule.evaluator, asked, Outcome.FAIL, sentence)
    if word == "better" or (word == "no worse" and not rule.better):
        if doubt := _unscored(score):
            return Decision(rule.evaluator, asked, Outcome.INCONCLUSIVE, f"{sentence}, but {doubt}")
        return Decision(rule.evaluator, asked, Outcome.PASS, sentence)
    return Decision(rule.evaluator, asked, Outcome.INCONCLUSIVE, sentence)


def _unscored(score: Mapping[str, Json]) -> str:
    count, all_of_them = score["unscored"], score["n"] + score["unscored"]
    return f"{count} of {all_of_them} were not scored" if count > MANY_UNSCORED * all_of_them else ""


def _cost(spent: float | None, limit: float) -> Decision:
    rule = f"max_cost_usd {limit:g}"
    if spent is None:
        return Decision("run", rule, Outcome.INCONCLUSIVE, "no price is known for the model")
    return Decision("run", rule, Outcome.PASS if spent <= limit else Outcome.FAIL, f"the run cost ${spent:.6g}")


def _latency(p95: float | None, limit: float) -> Decision:
    rule = f"max_p95_ms {limit:g}"
    if p95 is None:
        why = "no call was timed, every answer came from the cache; --no-cache asks the model again"
        return Decision("run", rule, Outcome.INCONCLUSIVE, why)
    return Decision("run", rule, Outcome.PASS if p95 <= limit else Outcome.FAIL, f"95 % of calls took up to {p95:g} ms")
