"""How reliable a version is on the same question: repeats of an example that disagree."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Min, Q

from evals.models import Result, Run, RunEvaluator, Score
from evals.statistics import Estimate, repeats

MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class FlakyExample:
    """An example whose repeats disagree; `rate` is the chance that two of them do. `result_uid` is of its first."""

    number: int
    inputs: dict[str, object]
    result_uid: UUID
    n: int
    passed: int
    rate: float


@dataclass(frozen=True, slots=True)
class Flakiness:
    """One evaluator's verdicts over repeats. `mixed` of the `repeated` examples have both outcomes; the worst are
    listed."""

    name: str
    repeats: int
    rate: Estimate
    any_passes: Estimate
    all_pass: Estimate
    repeated: int
    mixed: int
    worst: tuple[FlakyExample, ...]


def flakiness_of(run: Run, line: RunEvaluator) -> Flakiness | None:
    """None where nothing was repeated, or the evaluator does not say pass or fail.

    A failed output is a fail, as in the scores; an unscored one does not count.
    """
    if run.repeats < 2:
        return None
    counted = _counted(run, line)
    repeated = [row for row in counted if row[1] > 1]
    if not repeated:
        return None
    n, passed = [row[1] for row in counted], [row[2] for row in counted]
    mixed = sorted((row for row in repeated if 0 < row[2] < row[1]), key=_worst_first)
    return Flakiness(
        name=line.name,
        repeats=run.repeats,
        rate=repeats.flake_rate(n, passed),
        any_passes=repeats.pass_at_k(n, passed, run.repeats),
        all_pass=repeats.pass_hat_k(n, passed, run.repeats),
        repeated=len(repeated),
        mixed=len(mixed),
        worst=tuple(_listed(mixed[:MOST_LISTED])),
    )


Row = tuple[int, int, int, int]  # example, repeats with a verdict, passes, the first result


def _counted(run: Run, line: RunEvaluator) -> list[Row]:
    scores = Score.objects.filter(run=run, evaluator_version_id=line.evaluator_version_id)
    verdict = Q(state=Score.State.SCORED, passed__isnull=False) | ~Q(result__error_code="")
    rows = (
        scores.filter(verdict)
        .values("result__example_id")
        .annotate(n=Count("id"), passes=Count("id", filter=Q(passed=True)), first=Min("result_id"))
        .order_by("result__example_id")
    )
    if not scores.filter(state=Score.State.SCORED, passed__isnull=False).exists():
        return []
    return [(row["result__example_id"], row["n"], row["passes"], row["first"]) for row in rows]


def _worst_first(row: Row) -> tuple[float, int]:
    example, n, passed, _ = row
    return -repeats.disagreement(n, passed), example


def _listed(rows: list[Row]) -> list[FlakyExample]:
    results = Result.objects.filter(pk__in=[row[3] for row in rows]).select_related("example").in_bulk()
    return [
        FlakyExample(
            number=results[first].example.position,
            inputs=results[first].example.inputs,
            result_uid=results[first].uid,
            n=n,
            passed=passed,
            rate=repeats.disagreement(n, passed),
        )
        for _, n, passed, first in rows
    ]
