"""What a metric is, and what it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from evals.statistics import scales

Json = Any

FAMILIES = ("text", "meaning", "structure", "numbers", "retrieval", "safety", "operations", "combination")


@dataclass(frozen=True, slots=True)
class Score:
    """A verdict: `value` in the metric's range, `passed` where the metric knows a pass, `reason` for people."""

    value: float
    passed: bool | None
    reason: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Unscored:
    """No verdict, and why: counted and shown apart, never taken for a pass or a fail."""

    reason: str


Outcome = Score | Unscored
Scorer = Callable[[str, Json], Outcome]


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of the call that gave an output; None where nobody knows, as with recorded outputs."""

    latency_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    finish_reason: str | None = None
    from_cache: bool = False
    tool_calls: tuple[Mapping[str, Json], ...] = ()


NO_CALL = CallFacts()
CallScorer = Callable[[str, Json, CallFacts], Outcome]


class Grader(Protocol):
    """A metric with its parameters and modifiers: an output, what is expected, and the call's facts to a score."""

    def __call__(self, output: str, expected: Json, call: CallFacts = NO_CALL) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the registry.

    `build` turns checked parameters into a scorer and raises Invalid for a pattern or schema that it refuses;
    `params` is the frozen dataclass that names the parameters. Range and direction are for statistics and charts; an
    end that is infinite means that there is none; `unit` is how people read a value, as in statistics.scales.
    `pass_fail` metrics know right and wrong by themselves, the others by a threshold. With `needs_call`, `build` gives
    a CallScorer. What `asks_model` is scored by a run's own calls.
    """

    name: str
    meaning: str
    params: type[Any]
    build: Callable[[Any], Scorer] | Callable[[Any], CallScorer]
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    pass_fail: bool = True
    unit: str = scales.SHARE
    family: str = "text"
    needs_call: bool = False
    asks_model: bool = False

    @property
    def scale(self) -> scales.Scale:
        return scales.Scale(self.low, self.high, self.higher_is_better, self.unit)

    @property
    def is_bounded(self) -> bool:
        return self.scale.is_bounded


@dataclass(frozen=True, slots=True)
class NoParams:
    """A metric without settings."""


def param(default: Any, meaning: str, *, choices: tuple[str, ...] = ()) -> Any:
    """A field of a parameters' dataclass: its default, one line of help, and the words it may hold."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "choices": choices})


def verdict(passed: bool, right: str, wrong: str) -> Score:
    """The Score of a metric that only knows right and wrong."""
    return Score(value=1.0 if passed else 0.0, passed=passed, reason=right if passed else wrong)


def shown(value: str, length: int = 80) -> str:
    """A text as reasons quote it."""
    line = " ".join(value.split())
    return f"“{line[: length - 1]}…”" if len(line) > length else f"“{line}”"
