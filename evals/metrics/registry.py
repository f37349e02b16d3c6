"""Every metric under its name. A new metric is a builder and a line of `METRICS` in its family's file."""

from __future__ import annotations

from evals.metrics import (
    combination,
    counts,
    json_values,
    markup,
    matching,
    meaning,
    numbers,
    operations,
    retrieval,
    rouge,
    safety,
    similarity,
    specs,
    sql,
    structure,
    tool_calls,
    translation,
)
from evals.metrics.types import Metric

FAMILIES = (
    matching,
    similarity,
    meaning,
    rouge,
    translation,
    counts,
    structure,
    json_values,
    markup,
    sql,
    tool_calls,
    numbers,
    retrieval,
    safety,
    operations,
)

METRICS: dict[str, Metric] = {metric.name: metric for family in FAMILIES for metric in family.METRICS}
METRICS |= {metric.name: metric for metric in combination.metrics(lambda spec: specs.read(spec, METRICS))}
