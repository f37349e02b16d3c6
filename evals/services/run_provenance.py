"""Where a run's outputs and scores come from, written down when it starts."""

from __future__ import annotations

from typing import Any

from evals.models import DatasetVersion
from evals.queries import evaluators as evaluator_queries
from evals.services.run_estimates import Estimate
from evals.services.run_requests import Ready
from llmops.common import ids
from llmops.gateway import queries as gateway_queries
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Version


def provenance_of(ready: Ready, pinned: DatasetVersion, estimated: Estimate) -> dict[str, Any]:
    """Everything that shaped the outputs and scores, by hash where there is one."""
    wanted = ready.wanted
    return {
        "v": 1,
        "prompt": None if wanted.version is None else _prompt(ready.project, wanted.version),
        "recorded": wanted.recorded or None,
        "regrades": ids.public("run", wanted.regrades.uid) if wanted.regrades else None,
        "dataset": {"slug": wanted.dataset.slug, "version": pinned.number, "content_hash": pinned.content_hash}
        | ({"split": wanted.split} if wanted.split else {}),
        "evaluators": [
            {
                "name": evaluator_queries.name_of(version),
                "version": version.number,
                "spec": version.spec,
                "spec_hash": version.spec_hash,
            }
            for version in ready.evaluators
        ],
        "model": ready.model,
        "connection": None
        if ready.connection is None
        else {
            "name": ready.connection.name,
            "kind": ready.connection.kind,
            "base_url": ready.connection.base_url,
        },
        "parameters": dict(ready.parameters),
        "prices": {
            model: [str(rates.tokens_in), str(rates.tokens_out)]
            for model, rates in gateway_queries.price_overrides(ready.project.pk).items()
            if model == ready.model
        },
        "estimate": {
            "calls": estimated.calls,
            "judge_calls": estimated.judge_calls,
            "tokens_in": estimated.tokens_in,
            "tokens_out": estimated.tokens_out,
            "cost_usd": None if estimated.cost_usd is None else str(estimated.cost_usd),
            "note": estimated.note,
        },
        "application_commit": wanted.application_commit or None,
    }


def _prompt(project: Project, version: Version) -> dict[str, Any]:
    full = prompt_queries.version_by_id(project, version.pk)
    pins = prompt_queries.pinned_contents(full)
    return {
        "path": full.artifact.path,
        "version": full.numbered.number,
        "commit": full.commit.hex,
        "blob": full.content.blob,
        "includes": {path: pinned.content.blob for (_, path), pinned in pins.items()},
    }
