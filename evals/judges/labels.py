"""People's labels as classes of a judge's scale: what a certificate compares verdicts with."""

from __future__ import annotations

import math
from typing import Any

from evals.judges.specs import Scale
from llmops.common.errors import Invalid

Json = Any

GOOD = frozenset({"pass", "passed", "yes", "true", "1", "correct", "right", "good", "up"})
BAD = frozenset({"fail", "failed", "no", "false", "0", "incorrect", "wrong", "bad", "down"})
PAIR = {"win": "win", "candidate": "win", "tie": "tie", "equal": "tie", "loss": "loss", "baseline": "loss"}


def label_of(value: Json, scale: Scale, positive: str = "") -> str | None:
    """The class that a column's value names; None where there is no label.

    With `positive`, for pass or fail, that label passes and every other one fails. A number between two of a scale,
    such as the mean of two people, is of the nearest class.

    :raises Invalid: for a value that is no class of the scale.
    """
    word = _word(value)
    if not word:
        return None
    if scale.kind == "pass_fail":
        if positive:
            return "pass" if word == positive.strip().casefold() else "fail"
        if word in GOOD or word in BAD:
            return "pass" if word in GOOD else "fail"
        raise _unknown(value, "name the label that passes")
    if scale.is_pairwise:
        if word not in PAIR:
            raise _unknown(value, "labels of a pairwise judge are win, tie and loss of the output")
        return PAIR[word]
    if scale.kind == "score":
        return str(math.floor(_number(value, word, scale) + 0.5))
    found = next((name for name in scale.classes if name.casefold() == word), None)
    if found is None:
        raise _unknown(value, f"labels are {', '.join(scale.classes[:20])}")
    return found


def number_of(value: Json, scale: Scale) -> float | None:
    """A label between 0 and 1, as the judge's scores are; None without a label, and where the scale has no numbers.

    :raises Invalid: for a value that is not on the scale.
    """
    word = _word(value)
    if not word or not scale.is_numeric:
        return None
    if scale.kind == "choice":
        return float(scale.choices[str(label_of(value, scale))])
    return (_number(value, word, scale) - scale.low) / (scale.high - scale.low)


def _number(value: Json, word: str, scale: Scale) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not scale.low <= number <= scale.high:  # NaN fails too
        raise _unknown(value, f"labels are numbers from {scale.low} to {scale.high}")
    return number


def _word(value: Json) -> str:
    if value is None or isinstance(value, list | dict):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()


def _unknown(value: Json, hint: str) -> Invalid:
    return Invalid(f"The label {str(value)[:40]!r} is none of this judge's verdicts: {hint}.", fields={"column": hint})
