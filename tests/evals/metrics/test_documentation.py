from __future__ import annotations

import math
from pathlib import Path

from evals.judges.catalogue import TEMPLATES
from evals.metrics import METRICS, Metric, parameters

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def test_the_page_names_every_metric_with_its_parameters() -> None:
    text = PAGE.read_text()
    for metric in METRICS.values():
        names = ", ".join(f"`{field.name}`" for field in parameters.fields_of(metric.params)) or "none"
        assert f"| `{metric.name}` | {metric.meaning} | {names} | {_range(metric)} |" in text


def _range(metric: Metric) -> str:
    if metric.pass_fail:
        return "0 or 1"
    low, high = ("∞" if math.isinf(end) else f"{end:.0f}" for end in (metric.low, metric.high))
    ends = f"{'−' if metric.low < 0 else ''}{low} to {high}"
    unit = {"%": "" if metric.high == 1 else ", read as %", "$": " US dollars"}.get(metric.unit, f" {metric.unit}")
    return f"{ends}{unit.rstrip()}{'' if metric.higher_is_better else ', low is good'}"


def test_the_page_names_every_judge_template() -> None:
    text = PAGE.read_text()
    for template in TEMPLATES.values():
        assert f"| `{template.name}` |" in text
