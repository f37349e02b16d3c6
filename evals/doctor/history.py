"""What past runs say about rows: which never fail, and on which the evaluators disagree."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LEAST_RUNS = 3


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the evaluators of run `run` said about one result: `passed` by evaluator, `failed` without an answer."""

    key: uuid.UUID
    run: int
    passed: Mapping[str, bool]
    failed: bool = False


@dataclass(slots=True)
class Record:
    """One row over the runs."""

    runs: set[int] = field(default_factory=set)
    results: int = 0
    judged: int = 0
    disputed: int = 0
    fails: bool = False
    example: str = ""

    @property
    def never_fails(self) -> bool:
        """Every result of at least LEAST_RUNS runs passed every evaluator that gives a verdict."""
        return not self.fails and self.results > 0 and self.judged == self.results and len(self.runs) >= LEAST_RUNS


def records(found: Iterable[Verdicts]) -> dict[uuid.UUID, Record]:
    """Fold results into one record for each row; a result without any verdict is no proof of passing."""
    rows: dict[uuid.UUID, Record] = {}
    for one in found:
        row = rows.setdefault(one.key, Record())
        row.runs.add(one.run)
        row.results += 1
        row.judged += bool(one.passed)
        row.fails = row.fails or one.failed or not all(one.passed.values())
        if len(set(one.passed.values())) > 1 and not one.failed:
            row.disputed += 1
            row.example = row.example or ", ".join(
                f"{name}: {'pass' if passed else 'fail'}" for name, passed in sorted(one.passed.items())
            )
    return rows
