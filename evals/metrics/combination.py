"""One score from several metrics: their weighted mean, or an expression over their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evals.metrics import expressions
from evals.metrics.specs import Read
from evals.metrics.types import CallFacts, CallScorer, Grader, Json, Metric, Outcome, Score, Unscored, param
from llmops.common.errors import Invalid

MAX_PARTS = 20
MAX_LEVELS = 3


@dataclass(frozen=True, slots=True)
class Combination:
    parts: dict[str, Any] = field(
        default_factory=dict,
        metadata={"meaning": "metrics by name, each a configuration with `negate`, `weight` and `threshold` as wanted"},
    )
    expression: str | None = param(
        None, "how the parts make one score, such as `a and b >= 0.5`; without it, their weighted mean"
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A named part, ready to grade."""

    name: str
    read: Read
    grade: Grader

    @property
    def weight(self) -> float:
        return self.read.modifiers.weight

    def scaled(self, value: float) -> float:
        """The value between 0 (worst) and 1 (best)."""
        metric = self.read.metric
        share = (value - metric.low) / (metric.high - metric.low)
        return share if metric.higher_is_better else 1 - share


def builder(read: Callable[[Any], Read]) -> Callable[[Combination], CallScorer]:
    """:param read: what reads a part's configuration; the registry gives it, which holds this metric too."""

    def build(params: Combination) -> CallScorer:
        _check_levels(params.parts, 1)
        parts = _parts(params.parts, read)
        if params.expression is None or not params.expression.strip():
            return _mean(parts)
        try:
            expression = expressions.parsed(params.expression)
        except expressions.NotAnExpression as error:
            raise Invalid("The expression is not acceptable.", fields={"params.expression": str(error)}) from None
        if unknown := expression.names - {part.name for part in parts}:
            raise Invalid(
                "The expression names a part that is not there.",
                fields={"params.expression": f"there is no part “{min(unknown)[:40]}”"},
            )
        return _by_expression(parts, expression)

    return build


def _check_levels(parts: Mapping[str, Any], level: int) -> None:
    if level > MAX_LEVELS:
        raise Invalid("The parts are nested too deeply.", fields={"params.parts": f"at most {MAX_LEVELS} levels"})
    for part in parts.values():
        inner = part.get("params", {}).get("parts") if isinstance(part, dict) and _has_params(part) else None
        if isinstance(inner, dict):
            _check_levels(inner, level + 1)


def _has_params(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("params", {}), dict)


def _parts(given: Mapping[str, Any], read: Callable[[Any], Read]) -> list[Part]:
    if not 1 <= len(given) <= MAX_PARTS:
        raise Invalid("There are no parts, or too many.", fields={"params.parts": f"1 to {MAX_PARTS} metrics by name"})
    parts, wrong = [], {}
    for name, spec in given.items():
        if not expressions.NAME.fullmatch(name) or name in expressions.WORDS:
            wrong[f"params.parts.{name[:40]}"] = "a name has letters, digits and _ only, and is no word of expressions"
            continue
        try:
            one = read(spec)
            if one.metric.asks_model:
                wrong[f"params.parts.{name}"] = "asks a model; the parts of a combination ask none"
                continue
            parts.append(Part(name, one, one.grader()))
        except Invalid as error:
            wrong |= {f"params.parts.{name}.{key}": reason for key, reason in error.fields.items()}
    if wrong:
        raise Invalid("A part is not acceptable.", fields=wrong)
    return parts


def _graded(parts: list[Part], output: str, expected: Json, call: CallFacts) -> dict[str, Score] | Unscored:
    scores: dict[str, Score] = {}
    for part in parts:
        outcome = part.grade(output, expected, call)
        if isinstance(outcome, Unscored):
            return Unscored(f"{part.name}: {outcome.reason}")
        scores[part.name] = outcome
    return scores


def _mean(parts: list[Part]) -> CallScorer:
    """The weighted mean; it passes when every part that passes or fails does, where no threshold decides."""
    if endless := [part.name for part in parts if part.weight and not part.read.metric.is_bounded]:
        raise Invalid(
            "A part has no range, so there is no mean.",
            fields={"params.parts": f"{endless[0]}: use an expression, or weight 0 to let it pass or fail only"},
        )
    total = math.fsum(part.weight for part in parts)

    def score(output: str, expected: Json, call: CallFacts) -> Outcome:
        scores = _graded(parts, output, expected, call)
        if isinstance(scores, Unscored):
            return scores
        weighed = math.fsum(part.weight * part.scaled(scores[part.name].value) for part in parts if part.weight)
        verdicts = [found.passed for found in scores.values() if found.passed is not None]
        value = min(1.0, max(0.0, weighed / total)) if total else 0.0
        return Score(value, all(verdicts) if verdicts else None, _told(scores))

    return score


def _by_expression(parts: list[Part], expression: expressions.Expression) -> CallScorer:
    def score(output: str, expected: Json, call: CallFacts) -> Outcome:
        scores = _graded(parts, output, expected, call)
        if isinstance(scores, Unscored):
            return scores
        try:
            found = expression.of(scores)
        except expressions.NoValue as problem:
            return Unscored(str(problem))
        value = expressions.number(found)
        if not 0 <= value <= 1:
            return Unscored(f"the expression gives {value:.4g}, which is not between 0 and 1")
        passed = found.passed if isinstance(found, Score) else found if isinstance(found, bool) else None
        return Score(value, passed, _told(scores))

    return score


def _told(scores: Mapping[str, Score]) -> str:
    """Each part with its value, and the reason of those that fail."""
    told = [
        f"{name} {found.value:.3g}" + (f" ({found.reason[:120]})" if found.passed is False else "")
        for name, found in scores.items()
    ]
    return ", ".join(told)


def metrics(read: Callable[[Any], Read]) -> tuple[Metric, ...]:
    return (
        Metric(
            "combination",
            "several metrics as one score",
            Combination,
            builder(read),
            pass_fail=False,
            family="combination",
            needs_call=True,
        ),
    )
