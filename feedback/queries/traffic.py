"""Calls and votes added up by day, version, model and environment, from rollups alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from feedback import tallies, thumbs
from feedback.models import Call, DayStat, HourStat
from feedback.models.hour import Stat
from llmops.projects.models import Project

MOST_CHOICES = 100
BUCKET_WIDTH = 1.05
COUNTED = (
    "calls", "errors", "costed", "cost_usd", "tokens_in", "tokens_out", "masked", "voted", "anonymous_ups",
    "anonymous_votes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days of the project's time zone, from `first` to `last`, both in."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=index) for index in range((self.last - self.first).days + 1)]

    def hour_of(self, day: date) -> int:
        """The hour since 1970 in which the day begins (zones off by half an hour begin up to one hour early)."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp() // 3600)

    @property
    def hours(self) -> tuple[int, int]:
        """First hour and the first hour after."""
        return self.hour_of(self.first), self.hour_of(self.last + timedelta(days=1))

    def days_of_hours(self) -> dict[int, date]:
        """The day of each hour of the span."""
        return {
            hour: day for day in self.days for hour in range(self.hour_of(day), self.hour_of(day + timedelta(days=1)))
        }

    def before(self) -> Span:
        """The same number of days just before."""
        length = self.last - self.first + timedelta(days=1)
        return Span(self.first - length, self.last - length, self.zone)


@dataclass(frozen=True, slots=True)
class TrafficFilter:
    prompt: str = ""
    version: int | None = None  # primary key
    model: str = ""
    environment: str = ""

    @property
    def is_empty(self) -> bool:
        return self == TrafficFilter()

    def takes(self, one: Slice) -> bool:
        return (
            self.prompt in {"", one.path}
            and self.version in {None, one.version}
            and self.model in {"", one.model}
            and self.environment in {"", one.environment}
        )


@dataclass(slots=True)
class Sums:
    """What hours add up to: the fields are those of `HourStat`.

    `histogram` is the sum of the packed ones; `ballots` are the packed voters as they came, added up where somebody
    asks for them (`feedback.tallies`).
    """

    calls: int = 0
    errors: int = 0
    costed: int = 0
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    masked: int = 0
    voted: int = 0
    anonymous_ups: int = 0
    anonymous_votes: int = 0
    histogram: int = 0
    ballots: list[bytes] = field(default_factory=list)

    def add(self, other: Sums) -> None:
        self._count(getattr(other, name) for name in COUNTED)
        self.histogram += other.histogram
        self.ballots += other.ballots

    def add_stat(self, row: Stat) -> None:
        self.add_packed((getattr(row, name) for name in COUNTED), bytes(row.latency), bytes(row.voters))

    def add_packed(self, counted: Iterable[Any], latency: bytes, voters: bytes) -> None:
        """`counted` in the order of COUNTED; the other two as `HourStat` packs them."""
        self._count(counted)
        self.histogram += tallies.histogram(latency)
        if voters:
            self.ballots.append(voters)

    def _count(self, counted: Iterable[Any]) -> None:
        for name, count in zip(COUNTED, counted, strict=True):
            setattr(self, name, getattr(self, name) + count)

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.calls if self.calls else None

    @property
    def cost_per_call(self) -> float | None:
        return self.cost_usd / self.costed if self.costed else None

    @property
    def latency(self) -> Percentiles | None:
        return percentiles(tallies.counts(self.histogram))

    @property
    def voters(self) -> tallies.Voters:
        return tallies.voters(b"".join(self.ballots))

    @property
    def satisfaction(self) -> thumbs.Satisfaction:
        voters = self.voters
        return thumbs.satisfaction(
            list(voters.values()), (self.anonymous_ups, self.anonymous_votes), users=tallies.people(voters)
        )

    @property
    def response(self) -> thumbs.Response:
        return thumbs.response(self.voted, self.calls, self.satisfaction.rate)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Latencies in milliseconds, each within 2.5 %; p95 with its 95 % interval; `n` calls said how long they took."""

    n: int
    p50: float
    p95: float
    p99: float
    p95_low: float
    p95_high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The names under which calls are told apart. `version` is a primary key."""

    path: str
    version: int | None
    model: str
    environment: str


Dimension = Literal["path", "version", "model", "environment"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """A span's sums by (day, slice)."""

    span: Span
    sums: Mapping[tuple[date, Slice], Sums]

    def total(self) -> Sums:
        return self._added(lambda _day, _slice: True)

    def of_day(self, day: date) -> Sums:
        return self._added(lambda its_day, _: its_day == day)

    def of_version(self, version: int | None) -> Sums:
        return self._added(lambda _, one: one.version == version)

    def by_day(self) -> dict[date, Sums]:
        """Every day of the span, also those without a call."""
        found = {day: Sums() for day in self.span.days}
        for (day, _), sums in self.sums.items():
            found[day].add(sums)
        return found

    def by(self, dimension: Dimension) -> dict[str | int | None, Sums]:
        """Sums by one of the names, the busiest first."""
        found: dict[str | int | None, Sums] = defaultdict(Sums)
        for (_, one), sums in self.sums.items():
            found[getattr(one, dimension)].add(sums)
        return dict(sorted(found.items(), key=lambda pair: (-pair[1].calls, str(pair[0]))))

    def choices(self) -> dict[str, list[str]]:
        """What the span's calls can be narrowed by: prompts, models, environments."""
        slices = {one for _, one in self.sums}
        return {
            name: sorted({value for one in slices if (value := getattr(one, name))})[:MOST_CHOICES]
            for name in ("path", "model", "environment")
        }

    def narrowed(self, wanted: TrafficFilter) -> Traffic:
        """The part of it that a filter leaves."""
        if wanted.is_empty:
            return self
        return Traffic(self.span, {key: sums for key, sums in self.sums.items() if wanted.takes(key[1])})

    def _added(self, wanted: Callable[[date, Slice], bool]) -> Sums:
        found = Sums()
        for (day, one), sums in self.sums.items():
            if wanted(day, one):
                found.add(sums)
        return found


def traffic(project: Project, span: Span) -> Traffic:
    """Two queries over as many rows as the span has days and slices, whatever the number of calls.

    Days that were not added up yet, or in another time zone, are read by the hour.
    """
    found: dict[tuple[date, Slice], Sums] = {}
    day_at = {(span.hour_of(day), span.hour_of(day + timedelta(days=1))): day for day in span.days}
    first, end = span.hours
    days = DayStat.objects.filter(project=project, first_hour__gte=first, end_hour__lte=end)
    for first_hour, end_hour, *row in _stats(days, "first_hour", "end_hour"):
        if day := day_at.get((first_hour, end_hour)):
            _add_row(found, day, row)
    there = {day for day, _ in found}
    day_of = {hour: day for hour, day in span.days_of_hours().items() if day not in there}
    if day_of:
        hours = HourStat.objects.filter(project=project, hour__in=list(day_of))
        for hour, *row in _stats(hours, "hour"):
            _add_row(found, day_of[hour], row)
    return Traffic(span, found)


def day_of(hour: int, zone: ZoneInfo) -> date:
    """The day of the zone in which the hour is counted: that of its last second, as in `Span.hour_of`."""
    return datetime.fromtimestamp((hour + 1) * 3600 - 1, zone).date()


def has_calls(project: Project) -> bool:
    return Call.objects.filter(project=project).exists()


def _stats(rows: QuerySet, *times: str) -> Iterator[tuple]:
    names = ("path", "version_id", "model", "environment", "latency", "voters")
    return rows.order_by().values_list(*times, *names, *COUNTED).iterator(chunk_size=5000)


def _add_row(found: dict[tuple[date, Slice], Sums], day: date, row: Sequence[Any]) -> None:
    path, version, model, environment, latency, voters, *counted = row
    key = day, Slice(path, version, model, environment)
    if (sums := found.get(key)) is None:
        sums = found[key] = Sums()
    sums.add_packed(counted, bytes(latency), bytes(voters))


def percentiles(buckets: Mapping[int, int]) -> Percentiles | None:
    """Percentiles of a histogram on the logarithmic scale.

    The interval of p95 takes the order statistics whose ranks bound it with 95 % (binomial, normal approximation).
    """
    n = sum(buckets.values())
    if not n:
        return None
    spread = 1.96 * math.sqrt(n * 0.95 * 0.05)
    return Percentiles(
        n=n,
        p50=_at_rank(buckets, 0.5 * n),
        p95=_at_rank(buckets, 0.95 * n),
        p99=_at_rank(buckets, 0.99 * n),
        p95_low=_at_rank(buckets, max(0.95 * n - spread, 0)),
        p95_high=_at_rank(buckets, min(0.95 * n + spread, n)),
    )


def _at_rank(buckets: Mapping[int, int], rank: float) -> float:
    """The middle of the bucket that holds the rank-th smallest latency."""
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= rank:
            break
    return float(BUCKET_WIDTH ** (bucket + 0.5))
