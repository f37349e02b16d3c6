"""Numbers compared with a tolerance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal

from evals.metrics import texts
from evals.metrics.matching import NOTHING_EXPECTED, extractor
from evals.metrics.types import Json, Metric, NoParams, Outcome, Score, Scorer, Unscored, param, shown, verdict
from llmops.common.errors import Invalid

_IN_TEXT = re.compile(r"[-+\u2212]?[$€£¥]?[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3}\b)?")
_MATHS = Context(prec=60, traps=[])


@dataclass(frozen=True, slots=True)
class Numeric:
    tolerance: float = param(0.0, "largest difference that is still right")
    relative: float = param(0.0, "the same as a share of the expected number; the wider of the two counts")
    find: str = param("whole", "which number of the output is meant", choices=("whole", "first", "last"))
    extract: str | None = param(None, "pattern (re2); its last match's first group is read instead of the output")


def numeric(params: Numeric) -> Scorer:
    if params.tolerance < 0 or params.relative < 0:
        raise Invalid("A tolerance is negative.", fields={"params.tolerance": "must not be negative"})
    extract = extractor(params.extract)
    absolute, relative = Decimal(repr(params.tolerance)), Decimal(repr(params.relative))

    def score(output: str, expected: Json) -> Outcome:
        wanted = texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        targets = [value for item in wanted if (value := texts.decimal(item)) is not None]
        if not targets:
            return Unscored(f"the expected value {shown(wanted[0], 40)} is not a number")
        answer = extract(output)
        if isinstance(answer, Unscored):
            return answer
        got = _number(answer, params.find) if answer is not None else None
        if got is None:
            return verdict(False, "", f"no number in {shown(answer or output)}")
        nearest = min(targets, key=lambda target: abs(_MATHS.subtract(got, target)))
        allowed = max(absolute, _MATHS.multiply(relative, abs(nearest)))
        distance = abs(_MATHS.subtract(got, nearest))
        return verdict(distance <= allowed, f"{got} for {nearest}", f"{got} is {distance:.6g} away from {nearest}")

    return score


def numeric_diff(params: NoParams) -> Scorer:
    """1 − |difference| / (|output| + |expected|): what autoevals calls numeric difference; two zeros are equal."""

    def score(output: str, expected: Json) -> Outcome:
        wanted = texts.candidates(expected)
        if not wanted:
            return NOTHING_EXPECTED
        targets = [value for item in wanted if (value := texts.decimal(item)) is not None]
        if not targets:
            return Unscored(f"the expected value {shown(wanted[0], 40)} is not a number")
        got = texts.decimal(output)
        if got is None:
            return Score(0.0, None, f"{shown(output)} is not a number")
        close, nearest = max((closeness(got, target), target) for target in targets)
        return Score(close, None, f"{got} for {nearest}")

    return score


def closeness(got: Decimal, target: Decimal) -> float:
    """Between 0 (opposite signs, or one of them 0) and 1 (equal)."""
    size = _MATHS.add(abs(got), abs(target))
    return 1.0 if size == 0 else float(1 - _MATHS.divide(abs(_MATHS.subtract(got, target)), size))


def _number(text: str, find: str) -> Decimal | None:
    if find == "whole":
        return texts.decimal(text)
    found = _IN_TEXT.findall(text)
    return texts.decimal(found[0 if find == "first" else -1]) if found else None


METRICS = (
    Metric("numeric", "the number is the expected one, within a tolerance", Numeric, numeric, family="numbers"),
    Metric(
        "numeric_diff",
        "how close the number is, by the size of both numbers",
        NoParams,
        numeric_diff,
        pass_fail=False,
        family="numbers",
    ),
)
