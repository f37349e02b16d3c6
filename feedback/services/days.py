"""Daily rollups: the hours of a day of the project's time zone, added up when one of them was computed again."""

from __future__ import annotations

from collections.abc import Collection
from zoneinfo import ZoneInfo

from django.db import connection

from feedback import tallies
from feedback.models import DayStat, HourStat
from feedback.queries import traffic
from feedback.queries.traffic import Span, Sums
from llmops.projects.models import Project


def replace(*, project: Project, hours: Collection[int]) -> None:
    """Add up the days of these hours again, inside the transaction that changed the hours.

    Days go in their order and each waits for whoever adds it up, so that the last one to commit has seen all hours.
    """
    zone = ZoneInfo(project.timezone)
    for day in sorted({traffic.day_of(hour, zone) for hour in hours}):
        first, end = Span(day, day, zone).hours
        _wait_for_turn(project.pk, first)
        overlapping = DayStat.objects.filter(project=project, first_hour__lt=end, end_hour__gt=first)
        overlapping.delete()  # also days of a time zone that the project had before
        DayStat.objects.bulk_create(_rows(project, first, end))


def _wait_for_turn(project_id: int, first_hour: int) -> None:
    """SQLite has one writer anyway. Hours lock their own, positive numbers."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [project_id % 2**31, -first_hour])


def _rows(project: Project, first: int, end: int) -> list[DayStat]:
    found: dict[bytes, tuple[HourStat, Sums]] = {}
    for row in HourStat.objects.filter(project=project, hour__gte=first, hour__lt=end).order_by("hour", "slice"):
        found.setdefault(bytes(row.slice), (row, Sums()))[1].add_stat(row)
    return [_row(named, sums, first, end) for named, sums in found.values()]


def _row(named: HourStat, sums: Sums, first: int, end: int) -> DayStat:
    voters = sums.voters
    return DayStat(
        project_id=named.project_id,
        first_hour=first,
        end_hour=end,
        slice=named.slice,
        path=named.path,
        version_id=named.version_id,
        model=named.model,
        environment=named.environment,
        ups=sum(ups for ups, _ in voters.values()),
        votes=sum(votes for _, votes in voters.values()),
        latency=tallies.pack_histogram(tallies.counts(sums.histogram)),
        voters=tallies.pack_voters(voters),
        **{name: getattr(sums, name) for name in traffic.COUNTED},
    )
