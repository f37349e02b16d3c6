"""Configurations of metrics: read, checked, brought to one spelling, and made into graders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evals.metrics import parameters
from evals.metrics.types import NO_CALL, CallFacts, Grader, Json, Metric, Outcome, Score, Unscored
from llmops.common.errors import Invalid

KEYS = {"v", "metric", "params", "negate", "weight", "threshold"}
MAX_WEIGHT = 1_000.0


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What can be added to any metric.

    A value that reaches `threshold` passes (or stays at or below it, where low values are good); `negate` then turns
    value and verdict around; `weight` is how much the metric counts in a combination.
    """

    negate: bool = False
    weight: float = 1.0
    threshold: float | None = None

    def as_json(self) -> dict[str, Json]:
        given: dict[str, Json] = {"negate": True} if self.negate else {}
        if self.weight != 1.0:
            given["weight"] = self.weight
        if self.threshold is not None:
            given["threshold"] = self.threshold
        return given


@dataclass(frozen=True, slots=True)
class Read:
    """A configuration whose form is right; its patterns and schemas are looked at by `metric.build`."""

    metric: Metric
    params: Any
    modifiers: Modifiers

    def as_json(self) -> dict[str, Json]:
        """The one spelling of the configuration, defaults left out."""
        given = {"v": 1, "metric": self.metric.name, "params": parameters.given(self.params)}
        return given | self.modifiers.as_json()

    def grader(self) -> Grader:
        """:raises Invalid: when the metric refuses its parameters."""
        build: Any = self.metric.build(self.params)
        raw = build if self.metric.needs_call else _without_call(build)
        if self.modifiers.threshold is None and not self.modifiers.negate:
            return raw

        def grade(output: str, expected: Json, call: CallFacts = NO_CALL) -> Outcome:
            return self.finished(raw(output, expected, call))

        return grade

    def finished(self, found: Outcome) -> Outcome:
        """What the metric says, after the threshold and the negation."""
        return _modified(found, self.metric, self.modifiers)


def read(spec: Any, registry: Mapping[str, Metric]) -> Read:
    """:raises Invalid: naming each field that is not acceptable."""
    metric = metric_of(spec, registry)
    raw = {} if spec.get("params") is None else spec["params"]
    given = dict(spec)
    if isinstance(raw, dict) and "pass_at" in raw and _is_older(metric):
        raw = dict(raw)
        given["threshold"] = given.get("threshold", raw["pass_at"])
        del raw["pass_at"]
    return Read(metric, parameters.read(metric.params, raw), _modifiers(given, metric))


def metric_of(spec: Any, registry: Mapping[str, Metric]) -> Metric:
    """The registry's entry that a configuration names.

    :raises Invalid: when there is none.
    """
    if not isinstance(spec, dict):
        raise Invalid("An evaluator must be a JSON object.", fields={"metric": "required"})
    if spec.get("v", 1) != 1:
        raise Invalid("Only version 1 of the configuration is known.", fields={"v": "must be 1"})
    if unknown := set(spec) - KEYS:
        raise Invalid("The configuration is not acceptable.", fields={str(key)[:60]: "not known" for key in unknown})
    metric = registry.get(spec["metric"]) if isinstance(spec.get("metric"), str) else None
    if metric is None:
        raise Invalid("There is no such metric.", fields={"metric": f"choose from {', '.join(registry)}"})
    return metric


def _is_older(metric: Metric) -> bool:
    """`threshold` was the parameter `pass_at` of these two once; stored configurations still say so."""
    return metric.name in ("token_f1", "levenshtein")


def _modifiers(spec: Mapping[str, Any], metric: Metric) -> Modifiers:
    wrong: dict[str, str] = {}
    negate = spec.get("negate", False)
    if not isinstance(negate, bool):
        wrong["negate"] = "must be true or false"
    weight = _number(spec.get("weight", 1.0))
    if weight is None or not 0 <= weight <= MAX_WEIGHT:
        wrong["weight"] = f"must be a number from 0 to {MAX_WEIGHT:.0f}"
    threshold = None if spec.get("threshold") is None else _number(spec["threshold"])
    if threshold is None and spec.get("threshold") is not None:
        wrong["threshold"] = "must be a number"
    elif threshold is not None and not metric.low <= threshold <= metric.high:
        wrong["threshold"] = f"must lie between {metric.low:g} and {metric.high:g}"
    elif negate is True and not metric.is_bounded and threshold is None:
        wrong["negate"] = "the values of this metric have no end; give a threshold too"
    if wrong:
        raise Invalid("The configuration is not acceptable.", fields=wrong)
    assert weight is not None
    return Modifiers(bool(negate), weight, threshold)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _without_call(score: Any) -> Grader:
    def grade(output: str, expected: Json, call: CallFacts = NO_CALL) -> Outcome:
        found: Outcome = score(output, expected)
        return found

    return grade


def _modified(found: Outcome, metric: Metric, modifiers: Modifiers) -> Outcome:
    if isinstance(found, Unscored):
        return found
    value, passed, reason = found.value, found.passed, found.reason
    if modifiers.threshold is not None:
        good = value >= modifiers.threshold if metric.higher_is_better else value <= modifiers.threshold
        passed, reason = good, f"{reason}; {value:.4g} {_against(good, metric)} {modifiers.threshold:g}"
    if modifiers.negate:
        value = metric.low + metric.high - value if metric.is_bounded else value
        passed = None if passed is None else not passed
        reason = f"negated: {reason}"
    return Score(value, passed, reason, found.category)


def _against(good: bool, metric: Metric) -> str:
    if metric.higher_is_better:
        return "reaches" if good else "is below"
    return "is within" if good else "is over"
