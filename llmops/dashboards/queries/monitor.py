"""How production is: calls, satisfaction, latency, cost and scores by day and by version, model or environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from feedback.queries import breakdown
from feedback.queries import traffic as traffic_queries
from feedback.queries.traffic import Dimension, Span, Sums, Traffic, TrafficFilter
from feedback.thumbs import Response, Satisfaction
from llmops.dashboards.queries import versions
from llmops.projects.models import Project

MOST_LINES = 5
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Day:
    """One day's calls and votes; `lines` has the calls of each line of the chart."""

    day: date
    sums: Sums
    satisfaction: Satisfaction
    lines: dict[str, int]


@dataclass(frozen=True, slots=True)
class Monitor:
    """Everything that the monitor page shows."""

    span: Span
    by: Dimension
    total: Sums
    satisfaction: Satisfaction
    response: Response
    days: list[Day]
    lines: list[str]
    rows: list[breakdown.Row]
    choices: Mapping[str, list[str]]
    deployments: list[versions.Deployed]
    measured: list[versions.Measured]

    @property
    def is_empty(self) -> bool:
        return not (self.total.calls or self.satisfaction.all_votes or self.measured)


def monitor(project: Project, span: Span, narrowed: TrafficFilter, by: Dimension = "version") -> Monitor:
    """Five queries, whatever the traffic: calls and votes are read from rollups alone."""
    whole = traffic_queries.traffic(project, span)
    found = whole.narrowed(narrowed)
    rows = breakdown.rows(project, found, by)
    total = found.total()
    since = datetime.combine(span.first, time(), span.zone)
    until = datetime.combine(span.last + timedelta(days=1), time(), span.zone)
    return Monitor(
        span=span,
        by=by,
        total=total,
        satisfaction=total.satisfaction,
        response=total.response,
        days=_days(found, by, rows),
        lines=[_line(row, by) for row in rows[:MOST_LINES]],
        rows=rows,
        choices=whole.choices(),
        deployments=versions.deployed(project, since, until, narrowed.prompt),
        measured=versions.measured(project, span, narrowed.prompt),
    )


def _line(row: breakdown.Row, by: Dimension) -> str:
    return row.name or f"no {by}"


def _days(found: Traffic, by: Dimension, rows: list[breakdown.Row]) -> list[Day]:
    names = {row.key: _line(row, by) for row in rows[:MOST_LINES]}
    lines: dict[date, dict[str, int]] = {day: {} for day in found.span.days}
    for (day, one), sums in found.sums.items():
        name = names.get(getattr(one, by), OTHERS)
        lines[day][name] = lines[day].get(name, 0) + sums.calls
    return [Day(day, sums, sums.satisfaction, lines[day]) for day, sums in found.by_day().items()]
