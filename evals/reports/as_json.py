"""The whole run as one JSON object: `run`, `evaluators`, `results`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from evals.reports.types import Head, Row


def render(head: Head, rows: Iterable[Row]) -> Iterator[str]:
    """Written as it is read: the list of results is never held as a whole."""
    run = asdict(head)
    evaluators = run.pop("evaluators")
    yield f'{{"v": 1, "run": {_json(run)}, "evaluators": {_json(evaluators)}, "results": ['
    first = True
    for row in rows:
        yield f"{'' if first else ','}\n{_json(asdict(row))}"
        first = False
    yield "\n]}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
