"""Whose outputs are compared on a board: a version of a prompt on a model, or a column of recorded answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from evals.models import Run


@dataclass(frozen=True, slots=True)
class Contestant:
    """`path` and `number` of a version of a prompt; both empty for a column."""

    key: str
    title: str
    path: str = ""
    number: int | None = None


def of_run(run: Run) -> Contestant:
    """Whose outputs a run holds: those of an earlier run, where it grades them anew."""
    while run.regrades is not None:
        run = run.regrades
    if run.target is None:
        return of_column(run, run.recorded_column)
    path, number = run.target.artifact.path, getattr(getattr(run.target, "numbered", None), "number", None)
    version = f"v{number}" if number else f"at {run.target.commit.hex[:7]}"
    return Contestant(_hashed("version", run.target_id, run.model), f"{path} {version} on {run.model}", path, number)


def of_column(run: Run, column: str) -> Contestant:
    """The answers that the run's dataset holds in a column."""
    dataset = run.dataset_version.dataset
    return Contestant(_hashed("column", dataset.pk, column), f"column “{column}” of {dataset.slug}")


def _hashed(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
