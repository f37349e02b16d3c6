"""Metrics: functions from an output and an expected value to a score.

A metric's configuration is JSON: `{"v": 1, "metric": "exact_match", "params": {"normalizer": "number"}}`, with
`negate`, `weight` and `threshold` beside them where wanted. `checked` refuses a bad one field by field; `scorer` makes
the function, and each call of it is safe on any text.
"""

from __future__ import annotations

from typing import Any

from evals.metrics import meaning, over_runs, specs
from evals.metrics.meaning import Embedder
from evals.metrics.over_runs import Measure
from evals.metrics.registry import METRICS
from evals.metrics.types import FAMILIES, NO_CALL, CallFacts, Grader, Json, Metric, Outcome, Score, Unscored
from evals.statistics.scales import Scale

__all__ = [
    "FAMILIES",
    "METRICS",
    "NO_CALL",
    "CallFacts",
    "Embedder",
    "Grader",
    "Measure",
    "Metric",
    "Outcome",
    "Score",
    "Unscored",
    "asks_model",
    "checked",
    "embedder",
    "measure",
    "measures_runs",
    "metric_of",
    "scale_of",
    "score",
    "scorer",
]


def checked(spec: Any) -> dict[str, Any]:
    """The configuration in its one spelling: defaults left out, version 1.

    :raises Invalid: naming each field that is not acceptable, the metric's own patterns and schemas included.
    """
    read = specs.read(spec, METRICS)
    read.grader()
    return read.as_json()


def metric_of(spec: Any) -> Metric:
    """The registry's entry that a configuration names.

    :raises Invalid: when there is none.
    """
    return specs.metric_of(spec, METRICS)


def asks_model(spec: Any) -> bool:
    """Whether the configuration is a metric that is scored by calls of its own."""
    metric = METRICS.get(str(spec.get("metric")))
    return metric is not None and metric.asks_model


def embedder(spec: Any) -> Embedder:
    """What compares by embeddings, for a configuration that asks a model.

    :raises Invalid: as `checked` does.
    """
    read = specs.read(spec, METRICS)
    return meaning.embedder(read.params, read.finished)


def measures_runs(spec: Any) -> bool:
    """Whether the configuration is a metric with figures for a whole run."""
    return str(spec.get("metric")) in over_runs.MEASURES


def measure(spec: Any) -> Measure | None:
    """What makes figures of a whole run by this configuration; None where the mean of its scores says it all.

    :raises Invalid: as `checked` does.
    """
    return over_runs.measure_of(specs.read(spec, METRICS)) if measures_runs(spec) else None


def scale_of(spec: Any) -> Scale:
    """What the configuration's values are; shares, 0 to 1, where no metric is named, as a judge's are."""
    metric = METRICS.get(str(spec.get("metric")))
    return Scale() if metric is None else metric.scale


def scorer(spec: Any) -> Grader:
    """The function that scores outputs by this configuration; make it once and call it for every output.

    :raises Invalid: as `checked` does.
    """
    return specs.read(spec, METRICS).grader()


def score(spec: Any, output: str, expected: Json, call: CallFacts = NO_CALL) -> Outcome:
    """One score; `scorer` is quicker for many."""
    return scorer(spec)(output, expected, call)
