"""Several answers of judges about one output become one score: both orders of a pair, and the votes of a panel."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evals.judges.specs import Scale
from evals.metrics.types import Outcome, Score, Unscored

MAX_REASON = 4_000


@dataclass(frozen=True, slots=True)
class Vote:
    """One readable verdict about the output, or None with why there is none."""

    verdict: Score | None
    reason: str


def turned(outcome: Outcome, *, swapped: bool) -> Outcome:
    """A verdict on places (first, second, tie) as one on the output: win, loss or tie."""
    if isinstance(outcome, Unscored):
        return outcome
    value = 1 - outcome.value if swapped else outcome.value
    return Score(value, None, outcome.reason, {1.0: "win", 0.5: "tie", 0.0: "loss"}[value])


def settled(votes: Sequence[Vote], scale: Scale) -> Outcome:
    """The score that all votes about one output amount to.

    A pair: both orders agree, or it is a tie; several judges: the mean of their outcomes. Words: the majority of all
    who were asked. Numbers: the median. A verdict that cannot be read abstains in a panel and undoes a pair.
    """
    if scale.is_pairwise:
        return _pair(votes)
    if len(votes) == 1:
        return votes[0].verdict or Unscored(votes[0].reason[:MAX_REASON])
    readable = [vote.verdict for vote in votes if vote.verdict is not None]
    if len(readable) * 2 <= len(votes):
        return Unscored(f"only {len(readable)} of {len(votes)} judges gave a verdict: {_reasons(votes)}"[:MAX_REASON])
    if scale.kind == "score":
        return _median(readable, votes, scale)
    (word, count), *_ = Counter(one.category for one in readable).most_common()
    if count * 2 <= len(votes):
        return Unscored(f"no majority among {len(votes)} judges: {_reasons(votes)}"[:MAX_REASON])
    chosen = next(one for one in readable if one.category == word)
    return Score(chosen.value, chosen.passed, f"{count} of {len(votes)}: {_reasons(votes)}"[:MAX_REASON], word)


def _median(readable: Sequence[Score], votes: Sequence[Vote], scale: Scale) -> Score:
    value = statistics.median_low([one.value for one in readable])
    chosen = next(one for one in readable if one.value == value)
    passed = None if scale.pass_at is None else value >= scale.pass_at
    return Score(value, passed, f"median of {len(readable)}: {_reasons(votes)}"[:MAX_REASON], chosen.category)


def _pair(votes: Sequence[Vote]) -> Outcome:
    """`votes` come in pairs: each judge as it is, then swapped."""
    outcomes: list[float] = []
    sensitive = 0
    for as_is, swapped in zip(votes[::2], votes[1::2], strict=True):
        if as_is.verdict is None or swapped.verdict is None:
            continue
        agreeing = as_is.verdict.category == swapped.verdict.category
        sensitive += not agreeing
        outcomes.append(as_is.verdict.value if agreeing else 0.5)
    judges = len(votes) // 2
    if len(outcomes) * 2 <= judges:
        return Unscored(f"not judged in both orders: {_reasons(votes)}"[:MAX_REASON])
    value = sum(outcomes) / len(outcomes)
    word = "win" if value > 0.5 else "loss" if value < 0.5 else "tie"
    note = "the orders disagree; " if sensitive else ""
    return Score(value, None, f"{note}{_reasons(votes)}"[:MAX_REASON], word)


def _reasons(votes: Sequence[Vote]) -> str:
    said = [f"{vote.verdict.category}: {vote.verdict.reason}" if vote.verdict else vote.reason for vote in votes]
    return " · ".join(said)
