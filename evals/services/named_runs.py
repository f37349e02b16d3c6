"""A run described by names, as clients send it and schedules keep it, and what the names mean now."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from evals.models import Run
from evals.queries import datasets as dataset_queries
from evals.queries import runs as run_queries
from evals.services import run_requests
from llmops.common.errors import DomainError, Invalid, NotFound
from llmops.projects.models import Project
from prompts import queries as prompt_queries
from prompts.models import Version

Names = Mapping[str, Any]


def wanted(project: Project, given: Names) -> run_requests.Wanted:
    """The run that the names describe now: `prompt` with `version` (a number) or `label`, or `recorded`; `dataset`;
    and the other fields of `run_requests.Wanted` by their names.

    :raises Invalid: naming the field whose thing does not exist.
    """
    fields = dict(given)
    number, label = fields.pop("version", None), fields.pop("label", "")
    path, slug = fields.pop("prompt", ""), fields.pop("dataset")
    if number is not None and label:
        raise Invalid("The run is not acceptable.", fields={"label": "not together with version"})
    try:
        dataset = dataset_queries.dataset_in(project, slug)
        if fields.get("dataset_version") is not None:
            dataset_queries.version_of(dataset, fields["dataset_version"])
    except NotFound as error:
        field = "dataset" if "no dataset" in error.message else "dataset_version"
        raise Invalid(error.message, fields={field: error.message}) from None
    if (limit := fields.get("max_cost_usd")) is not None:
        fields["max_cost_usd"] = Decimal(limit)
    fields["regrades"] = _regraded(project, fields.get("regrades", ""))
    fields["priority"] = run_requests.PRIORITIES[fields.get("priority") or "normal"]
    return run_requests.Wanted(
        version=version_of(project, path, number, label) if path else None, dataset=dataset, **fields
    )


def _regraded(project: Project, uid: str) -> Run | None:
    try:
        return run_queries.run_in(project, uid) if uid else None
    except NotFound as error:
        raise Invalid(error.message, fields={"regrades": error.message}) from None


def version_of(project: Project, path: str, number: int | None, label: str) -> Version:
    """:raises Invalid: naming `prompt`, `version` or `label`."""
    field = "prompt"
    try:
        artifact = prompt_queries.artifact_in(project, path)
        field = "version" if number is not None else "label"
        return prompt_queries.version_in(artifact, number=number, label=label or None)
    except DomainError as error:
        raise Invalid(error.message, fields={field: error.message}) from None


def kept(given: Names) -> dict[str, Any]:
    """The names as JSON, for a row."""
    limit = given.get("max_cost_usd")
    return {**given, "max_cost_usd": None if limit is None else str(limit)}
