"""A run's scores in parts: by the examples' tags, splits, or one of their metadata keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evals.models import Run, RunEvaluator, Score
from evals.models.dataset import ExampleQuerySet
from evals.queries import runs
from evals.statistics import Estimate
from evals.statistics.scales import Scale
from llmops.common.errors import Invalid

TAG, SPLIT, METADATA = "tag", "split", "metadata."
FEW = 20  # under this a slice's score says more about chance than about the version
MOST_EXAMPLES = 50_000
LONGEST_NAME = 100
NONE = "none"


@dataclass(frozen=True, slots=True)
class Slice:
    """The examples of one kind and their mean score; `passed` of `n` where scores are right or wrong."""

    name: str
    n: int
    passed: int | None
    estimate: Estimate

    @property
    def is_small(self) -> bool:
        return self.n < FEW


@dataclass(frozen=True, slots=True)
class Slices:
    """The `most` largest slices, the weakest first; `left_out` says how many more there are."""

    by: str
    rows: tuple[Slice, ...]
    left_out: int
    higher_is_better: bool


def dimensions_of(run: Run) -> list[str]:
    """By what the run's examples can be told apart: `tag`, `split`, `metadata.<key>`; what all of them lack is left
    out."""
    examples = _examples(run)
    found = [TAG] if examples.exclude(tags=[]).exists() else []
    if examples.exclude(split="").exists():
        found.append(SPLIT)
    columns = run.dataset_version.dataset.columns
    return found + [f"{METADATA}{key}" for key in columns.get("metadata", []) if isinstance(key, str)]


def slices_of(run: Run, line: RunEvaluator, by: str = TAG, most: int = 12) -> Slices:
    """One evaluator's scores in parts; repeats of one example are averaged, for they are not independent.

    A failed answer counts as the worst score, as in the summary.

    :raises Invalid: when `by` is no dimension.
    """
    kinds = _kinds(run, by)
    scale = runs.scale_of(line.evaluator_version)
    if not kinds:
        return Slices(by, (), 0, scale.higher_is_better)
    values: dict[str, list[float]] = {}
    for example, found in _values(run, line, scale).items():
        for kind in kinds.get(example, []):
            values.setdefault(kind, []).append(sum(found) / len(found))
    largest = sorted(values.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = [_slice(name, found, scale) for name, found in largest[:most]]
    sign = 1.0 if scale.higher_is_better else -1.0
    rows.sort(key=lambda one: (one.estimate.value is None, sign * (one.estimate.value or 0.0), one.name))
    return Slices(by, tuple(rows), max(0, len(largest) - most), scale.higher_is_better)


def _examples(run: Run) -> ExampleQuerySet:
    return runs.rows_of(run.dataset_version, run.split)


def _kinds(run: Run, by: str) -> Mapping[int, list[str]]:
    """The slices to which each example belongs."""
    examples = _examples(run).order_by("pk")
    if by == TAG:
        rows = examples.exclude(tags=[]).values_list("pk", "tags")[:MOST_EXAMPLES]
        return {pk: [str(tag) for tag in dict.fromkeys(tags)] for pk, tags in rows}
    if by == SPLIT:
        return {pk: [split or NONE] for pk, split in examples.values_list("pk", "split")[:MOST_EXAMPLES]}
    key = by.removeprefix(METADATA)
    if not by.startswith(METADATA) or not key:
        raise Invalid("There is no such way to slice.", fields={"by": "tag, split, or metadata.<key>"})
    rows = examples.values_list("pk", "metadata")[:MOST_EXAMPLES]
    return {pk: [_word(metadata.get(key))] for pk, metadata in rows if isinstance(metadata, dict)}


def _word(value: Any) -> str:
    if value is None or value == "":
        return NONE
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text[:LONGEST_NAME]


def _values(run: Run, line: RunEvaluator, scale: Scale) -> dict[int, list[float]]:
    values: dict[int, list[float]] = {}
    rows = Score.objects.filter(run=run, evaluator_version_id=line.evaluator_version_id)
    for example, state, value, failed in rows.values_list(
        "result__example_id", "state", "value", "result__error_code"
    ).iterator(chunk_size=5_000):
        if state == Score.State.SCORED and value is not None:
            values.setdefault(example, []).append(value)
        elif failed and scale.worst is not None:
            values.setdefault(example, []).append(scale.worst)
    return values


def _slice(name: str, values: list[float], scale: Scale) -> Slice:
    is_rate = all(value in (0.0, 1.0) for value in values)
    passed = round(sum(values)) if is_rate else None
    return Slice(name=name, n=len(values), passed=passed, estimate=runs.estimate(values, scale))
