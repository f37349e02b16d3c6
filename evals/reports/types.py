"""What a report is made of: plain values, ready to be written in any format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Corrected:
    """The same mean as people would give it, by a certificate of `labels` labels; `reasons` why not to build on it."""

    mean: float | None
    low: float | None
    high: float | None
    usable: bool
    reasons: tuple[str, ...]
    method: str
    certificate: str
    labels: int
    score: str = "none"
    between: str = ""


@dataclass(frozen=True, slots=True)
class Evaluator:
    """One evaluator's figures: the mean with its 95 % interval over `n` examples.

    `score` and `between` are mean and interval as people read them; `unit` says what the values count, “%” where 1 is
    100 %. `corrected` is there for a judge with a certificate.
    """

    name: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    failed: int
    passed: int
    method: str
    corrected: Corrected | None = None
    score: str = "none"
    between: str = ""
    unit: str = "%"


@dataclass(frozen=True, slots=True)
class Counts:
    """Verdicts of the whole run by their kind, counted before the rows are read."""

    verdicts: int = 0
    wrong: int = 0
    errors: int = 0
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """What was run and what it amounts to. Times are ISO 8601 in UTC; `took_s` seconds; costs US dollars as text."""

    uid: str
    url: str
    title: str
    state: str
    dataset: str
    dataset_version: int
    dataset_hash: str
    prompt: str
    version: int | None
    commit: str
    model: str
    repeats: int
    total: int
    done: int
    failed: int
    cost_usd: str | None
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    started_at: str
    took_s: float
    evaluators: tuple[Evaluator, ...]
    counts: Counts
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """One verdict: `state` is scored, unscored or error; only scored ones have a value."""

    evaluator: str
    state: str
    value: float | None
    passed: bool | None
    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One result with its example and verdicts; `repeat` counts from 1."""

    uid: str
    example: str
    position: int
    repeat: int
    inputs: Mapping[str, Any]
    expected: Any
    tags: tuple[str, ...]
    split: str
    output: str
    error_code: str
    error: str
    latency_ms: int | None
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: str | None
    model: str
    from_cache: bool
    scores: tuple[Scored, ...]
