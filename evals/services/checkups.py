"""Ask the dataset doctor to look at a version, stop it, and wake it when its worker died."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from evals.models import Checkup, Dataset
from evals.queries import datasets as queries
from llmops.audit import services as audit
from llmops.common import jobs, leased
from llmops.common.actors import Actor
from llmops.common.errors import Invalid

TASK = "evals.check_dataset"
LEAST_ALIKE, MOST_ALIKE, ALIKE = 0.7, 1.0, 0.8
RUNS, MOST_RUNS = 5, 20


def start(
    *, dataset: Dataset, by: Actor, version: int | None = None, threshold: float = ALIKE, last_runs: int = RUNS
) -> Checkup:
    """Have a version (the newest without one) examined; when the doctor is at it already, that look.

    `threshold` is the Jaccard similarity of inputs from which they count as nearly the same.

    :raises NotFound: when there is no such version.
    :raises Invalid: when the dataset has no examples, or a number is out of range.
    """
    wrong = {}
    if not LEAST_ALIKE <= threshold <= MOST_ALIKE:
        wrong["threshold"] = f"{LEAST_ALIKE} to {MOST_ALIKE}"
    if not 1 <= last_runs <= MOST_RUNS:
        wrong["last_runs"] = f"1 to {MOST_RUNS}"
    if wrong:
        raise Invalid("The doctor cannot look like this.", fields=wrong)
    found = queries.newest_version(dataset) if version is None else queries.version_of(dataset, version)
    if found is None or not found.examples:
        raise Invalid(f"{dataset.slug} has no examples yet.", fields={"dataset": "has no examples"})
    made = Checkup(
        project_id=dataset.project_id,
        dataset=dataset,
        version_number=found.number,
        threshold=threshold,
        last_runs=last_runs,
        by=by.text,
    )
    try:
        with transaction.atomic():
            made.save()
            audit.record("dataset.check_started", by=by, target=made, version=found.number)
            jobs.enqueue(TASK, checkup_id=made.pk)
    except IntegrityError:
        return Checkup.objects.get(dataset=dataset, state__in=Checkup.ACTIVE)
    return made


@transaction.atomic
def cancel(*, of: Checkup, by: Actor, now: datetime) -> None:
    """Stop within a second; nothing is kept. A finished look is left alone."""
    stopped = Checkup.objects.filter(pk=of.pk, state__in=Checkup.ACTIVE).update(
        state=Checkup.State.CANCELLED, finished_at=now, fence=F("fence") + 1, lease_until=None
    )
    if stopped:
        audit.record("dataset.check_cancelled", by=by, target=of)


def continue_stalled(*, now: datetime) -> int:
    """Wake the looks whose worker died or whose message was lost; returns how many."""
    return leased.wake_stalled(Checkup.objects.all(), TASK, "checkup_id", now)
