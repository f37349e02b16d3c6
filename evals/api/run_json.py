"""Runs and their results as the API tells them."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from evals.models import Result, Run, RunGroup
from evals.queries import certificates, early_stops, looks
from evals.queries import runs as queries
from evals.services import run_requests
from evals.statistics.scales import Scale
from llmops.common import ids


def group_head(group: RunGroup) -> dict[str, Any]:
    uid = ids.public("grp", group.uid)
    address = reverse("api-run-group", args=[uid])
    page = reverse("evals:run-group", args=[group.project.slug, uid])
    return {"id": uid, "name": group.name, "url": f"{settings.LLMOPS_BASE_URL}{address}",
            "page": f"{settings.LLMOPS_BASE_URL}{page}"}  # fmt: skip


def head(run: Run) -> dict[str, Any]:
    uid = ids.public("run", run.uid)
    return {"id": uid, "status": run.state, "url": f"{settings.LLMOPS_BASE_URL}{reverse('api-run', args=[uid])}",
            "page": _page(run, uid)}  # fmt: skip


def _page(run: Run, uid: str) -> str | None:
    try:
        return f"{settings.LLMOPS_BASE_URL}{reverse('evals:run-detail', args=[run.project.slug, uid])}"
    except NoReverseMatch:
        return None


def listed(run: Run) -> dict[str, Any]:
    target = run.target
    return {
        **head(run),
        "prompt": target.artifact.path if target else None,
        "version": target.numbered.number if target else None,
        "commit": target.commit.hex if target else None,
        "recorded": run.recorded_column or None,
        "regrades": ids.public("run", run.regrades.uid) if run.regrades else None,
        "dataset": run.dataset_version.dataset.slug,
        "dataset_version": run.dataset_version.number,
        "split": run.split or None,
        "model": run.model or None,
        "parameters": run.parameters,
        "priority": next(
            (name for name, value in run_requests.PRIORITIES.items() if value == run.priority), run.priority
        ),
        "group": ids.public("grp", run.group.uid) if run.group else None,
        "repeats": run.repeats,
        "total": run.total,
        "reason": run.reason or None,
        "problem": run.problem or None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def whole(run: Run) -> dict[str, Any]:
    run = queries.runs_in(run.project).get(pk=run.pk)
    now = timezone.now()
    summary, progress = queries.summary_of(run), queries.progress_of(run, now)
    corrected = certificates.corrected(run, summary, now)
    scales = queries.scales_of([run])
    blind = {line.name: certificates.blind_passes(run, line.evaluator_version) for line in queries.evaluators_of(run)}
    return {
        **listed(run),
        "done": progress.done,
        "failed": progress.failed,
        "left_s": None if progress.left_s is None else round(progress.left_s, 1),
        "scores": {
            one.name: {
                "mean": one.mean,
                "low": one.low,
                "high": one.high,
                "n": one.n,
                "unscored": one.unscored,
                "failed": one.failed,
                "passed": one.passed,
                "method": one.method,
                "scale": _scale(scales.get(one.version_id, Scale())),
                "over_run": summary.over_run_of(one.version_id) or None,
                "corrected": certificates.as_json(corrected[one.name]) if one.name in corrected else None,
                "blind": _blind(blind.get(one.name)),
            }
            for one in summary.evaluators
        },
        "stopped_early": _stopped(run),
        "cost_usd": None if summary.cost_usd is None else float(summary.cost_usd),
        "max_cost_usd": None if run.cap_usd is None else float(run.cap_usd),
        "tokens_in": summary.tokens_in,
        "tokens_out": summary.tokens_out,
        "from_cache": summary.from_cache,
        "latency_ms": {"p50": summary.latency_p50_ms, "p95": summary.latency_p95_ms},
        "test_split": _look(run),
        "blob": (run.provenance.get("prompt") or {}).get("blob"),
        "dataset_hash": run.provenance["dataset"]["content_hash"],
        "provenance": run.provenance,
    }


def _scale(scale: Scale) -> dict[str, Any]:
    """What values can be, null for an end that there is not; `unit` is “%” where 1 is 100 %."""
    low, high = (end if math.isfinite(end) else None for end in (scale.low, scale.high))
    return {"low": low, "high": high, "higher_is_better": scale.higher_is_better, "unit": scale.unit}


def _look(run: Run) -> dict[str, Any] | None:
    """Which look of the prompt at the dataset's test split this run is; None when it sees no test rows."""
    look = looks.look_of(run)
    if look is None:
        return None
    return {"look": look.number, "rows": look.rows, "warn_after": looks.WARN_AFTER, "too_many": look.is_too_many}


def _blind(found: tuple[int, int] | None) -> dict[str, int] | None:
    """Outputs that pass against a false reference too; null for a judge that does not ask."""
    return None if found is None else {"flagged": found[0], "asked": found[1]}


def _stopped(run: Run) -> dict[str, Any] | None:
    found = early_stops.stopped_of(run)
    return None if found is None else {**found.as_json(), "futile": found.is_futile}


def result(result: Result, names: dict[int, str]) -> dict[str, Any]:
    return {
        "id": ids.public("res", result.uid),
        "example": ids.public("ex", result.example_key),
        "repeat": result.repeat,
        "inputs": result.example.inputs,
        "expected": result.example.expected,
        "metadata": result.example.metadata,
        "output": result.output,
        "error": {"code": result.error_code, "message": result.error} if result.error_code else None,
        "scores": {
            names[score.evaluator_version_id]: {
                "state": score.state,
                "value": score.value,
                "passed": score.passed,
                "category": score.category or None,
                "reason": score.reason,
                "model_asked": score.model_asked or None,
                "model": score.model_answered or None,
            }
            for score in result.scores.all()
            if score.evaluator_version_id in names
        },
        "latency_ms": result.latency_ms,
        "tokens_in": result.tokens_in,
        "tokens_out": result.tokens_out,
        "cost_usd": None if result.cost_usd is None else float(result.cost_usd),
        "model": result.model_answered or None,
        "from_cache": result.from_cache,
    }
