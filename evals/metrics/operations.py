"""Metrics of the call that gave the output: time, tokens, cost, why it ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from evals.metrics import texts
from evals.metrics.matching import NOTHING_EXPECTED
from evals.metrics.types import CallFacts, CallScorer, Json, Metric, Outcome, Score, Unscored, param, verdict
from evals.statistics import scales
from llmops.common.errors import Invalid

TOKENS = ("all", "in", "out")


@dataclass(frozen=True, slots=True)
class Most:
    at_most: float | None = param(None, "the largest value that passes")


@dataclass(frozen=True, slots=True)
class Tokens(Most):
    which: str = param("all", "tokens of the request, of the answer, or both", choices=TOKENS)


@dataclass(frozen=True, slots=True)
class FinishReason:
    reasons: list[str] = field(
        default_factory=list,
        metadata={"meaning": "reasons that are right, such as stop; without them, the example's expected values"},
    )


def measured(read: Callable[[Any, CallFacts], float | None], unit: str) -> Callable[[Any], CallScorer]:
    """A metric whose value is a fact of the call; `at_most` decides what passes."""

    def build(params: Most) -> CallScorer:
        if params.at_most is not None and params.at_most < 0:
            raise Invalid("The bound is negative.", fields={"params.at_most": "must not be negative"})

        def score(output: str, expected: Json, call: CallFacts) -> Outcome:
            value = read(params, call)
            if value is None:
                why = "the answer came from the cache" if call.from_cache else "nothing is known of the call"
                return Unscored(f"{why}, so there is no such figure")
            passed = None if params.at_most is None else value <= params.at_most
            return Score(value, passed, f"{value:g} {unit}")

        return score

    return build


def _latency(params: Any, call: CallFacts) -> float | None:
    return call.latency_ms


def _cost(params: Any, call: CallFacts) -> float | None:
    return call.cost_usd


def _tokens(params: Tokens, call: CallFacts) -> float | None:
    counts = {"in": [call.tokens_in], "out": [call.tokens_out], "all": [call.tokens_in, call.tokens_out]}[params.which]
    known = [count for count in counts if count is not None]
    return float(sum(known)) if len(known) == len(counts) else None


def finish_reason(params: FinishReason) -> CallScorer:
    """Right when the provider gave one of the reasons, in any case."""

    def score(output: str, expected: Json, call: CallFacts) -> Outcome:
        wanted = params.reasons or texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        if call.finish_reason is None:
            return Unscored("the provider said nothing about why the answer ended")
        right = call.finish_reason.casefold() in {reason.strip().casefold() for reason in wanted}
        found = verdict(right, f"ended by {call.finish_reason}", f"{call.finish_reason}, not {' or '.join(wanted[:3])}")
        return Score(found.value, found.passed, found.reason, category=call.finish_reason[:100])

    return score


def _metric(name: str, meaning: str, unit: str, params: type[Any], build: Callable[[Any], CallScorer]) -> Metric:
    return Metric(
        name, meaning, params, build, high=math.inf, higher_is_better=False, pass_fail=False, unit=unit,
        family="operations", needs_call=True,
    )  # fmt: skip


METRICS = (
    _metric("latency", "milliseconds of the call", "ms", Most, measured(_latency, "ms")),
    _metric("tokens", "tokens of the call", "tokens", Tokens, measured(_tokens, "tokens")),
    _metric("cost", "US dollars of the call", scales.MONEY, Most, measured(_cost, "US dollars")),
    Metric(
        "finish_reason", "the answer ended for the right reason", FinishReason, finish_reason, family="operations",
        needs_call=True,
    ),
)  # fmt: skip
