"""What a run may still spend: under its own limit and under that of the matrix that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Sum

from evals.models import Run, RunGroup, WorkItem


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit with what was spent of it, and the highest price of the calls that are in flight under it."""

    cap_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    in_flight: int
    of_group: bool = False

    def calls(self, call_usd: Decimal, most: int) -> int:
        """How many more calls of at most `call_usd` it allows, up to `most`."""
        left = self.cap_usd - self.spent_usd - self.reserved_usd
        if call_usd <= 0:  # the price is not known: nothing can be reserved, what was spent still counts
            return most if left > 0 else 0
        return max(0, min(most, int(left / call_usd)))


def is_limited(run: Run) -> bool:
    """Whether anything caps the run; `run.group` must be loaded."""
    return run.cap_usd is not None or (run.group is not None and run.group.cap_usd is not None)


def of(run_id: int) -> tuple[Run, list[Budget]]:
    """The run's row and its limits, locked until the caller's transaction ends.

    Calls in flight are counted before what was spent: a result that is stored in between counts twice, never not at
    all.
    """
    run = Run.objects.select_for_update().get(pk=run_id)
    found = []
    if run.cap_usd is not None:
        leased = WorkItem.objects.filter(run=run, state=WorkItem.State.LEASED).count()
        found.append(Budget(run.cap_usd, run.spent_usd, leased * run.call_usd, leased))
    group = RunGroup.objects.select_for_update().filter(pk=run.group_id or 0, cap_usd__isnull=False).first()
    if group is not None and group.cap_usd is not None:
        found.append(_of_group(group, group.cap_usd))
    return run, found


def _of_group(group: RunGroup, cap_usd: Decimal) -> Budget:
    leased = list(
        WorkItem.objects.filter(run__group=group, state=WorkItem.State.LEASED)
        .values("run__call_usd")
        .annotate(n=Count("id"))
        .values_list("run__call_usd", "n")
    )
    reserved = sum((call_usd * count for call_usd, count in leased), Decimal(0))
    spent = Run.objects.filter(group=group).aggregate(spent=Sum("spent_usd"))["spent"] or Decimal(0)
    return Budget(cap_usd, spent, reserved, sum(count for _, count in leased), of_group=True)
