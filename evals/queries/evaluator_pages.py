"""What the evaluator pages show, computed before a template prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from evals.metrics import METRICS
from evals.models import Evaluator, EvaluatorVersion, RunEvaluator
from evals.queries import evaluators, paging
from llmops.projects.models import Project

MODIFIERS = ("threshold", "negate", "weight")


@dataclass(frozen=True, slots=True)
class Card:
    slug: str
    name: str
    is_judge: bool
    how: str
    number: int
    runs: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class VersionRow:
    number: int
    how: str
    spec_hash: str
    by: str
    created_at: datetime


def cards(project: Project, cursor: str = "") -> paging.Page[Card]:
    """The project's evaluators by slug, with how many runs each has graded in any version."""
    graded = RunEvaluator.objects.filter(evaluator_version__evaluator=OuterRef("pk")).order_by()
    counted = graded.values("evaluator_version__evaluator").annotate(n=Count("id")).values("n")
    found = evaluators.evaluators_in(project).annotate(shown_runs=Coalesce(Subquery(counted), 0))
    return paging.page(found, order=("slug", "id"), cursor=cursor).map(_card)


def _card(evaluator: Any) -> Card:
    newest: EvaluatorVersion = evaluator.ordered_versions[0]
    return Card(
        slug=evaluator.slug,
        name=evaluator.name,
        is_judge="judge" in newest.spec,
        how=how(newest.spec),
        number=newest.number or 1,
        runs=evaluator.shown_runs,
        changed_at=newest.created_at,
    )


def version_rows(evaluator: Evaluator) -> list[VersionRow]:
    return [
        VersionRow(
            number=version.number or 1,
            how=how(version.spec),
            spec_hash=version.spec_hash,
            by=version.by,
            created_at=version.created_at,
        )
        for version in evaluator.ordered_versions  # type: ignore[attr-defined]  # prefetched by evaluators_in
    ]


def how(spec: Mapping[str, Any]) -> str:
    """A configuration as one line, such as `exact_match, normalizer number`."""
    if "judge" in spec:
        judge = spec["judge"]
        parts = [f"{judge.get('prompt')} v{judge.get('version')}", spec.get("scale", {}).get("kind", "")]
        parts.append(spec.get("model") or "")
        parts += [str(one.get("model")) for one in spec.get("panel") or []]
        return ", ".join(part for part in parts if part)
    given = ", ".join(f"{name} {_short(value)}" for name, value in _given(spec).items())
    return f"{spec.get('metric')}, {given}" if given else str(spec.get("metric"))


def _given(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A metric's parameters, and its modifiers behind them."""
    return {**spec.get("params", {}), **{name: spec[name] for name in MODIFIERS if name in spec}}


def settings(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A configuration as names and values."""
    if "judge" in spec:
        scale = dict(spec.get("scale", {}))
        lines = [
            ("rubric", f"{spec['judge'].get('prompt')} v{spec['judge'].get('version')}"),
            ("scale", str(scale.pop("kind", "")).replace("_", " or ")),
            *((name.replace("_", " "), _short(value)) for name, value in scale.items()),
            ("connection", spec.get("connection") or "the project's default"),
            ("model", spec.get("model") or "as the rubric says"),
            ("votes too", ", ".join(str(one.get("model")) for one in spec.get("panel") or [])),
            ("compared with", " ".join(f"{kind} {name}" for kind, name in (spec.get("baseline") or {}).items())),
        ]
        return [(name, value) for name, value in lines if value]
    return [("metric", str(spec.get("metric")))] + [
        (name.replace("_", " "), _short(value, 2000)) for name, value in _given(spec).items()
    ]


def meaning(spec: Mapping[str, Any]) -> str:
    """What a metric says, as a sentence; empty for a judge."""
    metric = METRICS.get(str(spec.get("metric")))
    if metric is None:
        return ""
    if metric.pass_fail:
        return f"{'Fails' if spec.get('negate') else 'Passes'} when {metric.meaning}."
    return f"The value: {metric.meaning}."


def _short(value: Any, most: int = 80) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[: most - 1]}…" if len(text) > most else text


def rubric_paths(project: Project) -> set[str]:
    """The prompts that judges use as their rubrics."""
    judges = EvaluatorVersion.objects.filter(project=project, judge__isnull=False)
    return set(judges.values_list("judge__artifact__path", flat=True).distinct()[:1_000])
