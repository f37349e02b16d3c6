"""Calls and votes by day and version."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from feedback.models import Call, Vote
from feedback.queries import traffic
from feedback.queries.traffic import Span, TrafficFilter
from feedback.services import calls, hours
from llmops.projects.models import Project

UTC_ZONE = ZoneInfo("UTC")


def added_up(project: Project, span: Span, narrowed: TrafficFilter | None = None) -> traffic.Traffic:
    """The traffic after upkeep."""
    hours.rebuild(project=project, now=datetime.now(UTC))
    return traffic.traffic(project, span).narrowed(narrowed or TrafficFilter())


def log(project: Project, at: datetime, **values: Any) -> None:
    number = Call.objects.count()
    latency = values.pop("latency_ms", None)
    Call.objects.create(
        project=project,
        client_id=values.pop("client_id", f"c{number}"),
        received_at=at,
        started_at=at,
        hour=int(at.timestamp() // 3600),
        latency_ms=latency,
        latency_bucket=None if latency is None else calls.latency_bucket(latency),
        **values,
    )


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo"]
)
@pytest.mark.parametrize("around", [date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)])
def test_every_hour_falls_on_its_day_also_when_the_clocks_change(project: Project, zone: str, around: date) -> None:
    span = Span(around - timedelta(days=2), around + timedelta(days=2), ZoneInfo(zone))
    first, end = span.hours
    expected: dict[date, int] = {}
    for hour in range(first - 3, end + 3):
        at = datetime.fromtimestamp(hour * 3600, UTC)
        log(project, at)
        if first <= hour < end:
            # Where a zone is off by half an hour, whole hours are counted to the day in which they end.
            day = (at + timedelta(minutes=30)).astimezone(span.zone).date()
            expected[day] = expected.get(day, 0) + 1
    found = added_up(project, span)
    assert {day: found.of_day(day).calls for day in span.days} == expected


def test_sums_and_percentiles_agree_with_the_rows(project: Project, other_project: Project) -> None:
    span = Span(date(2026, 3, 1), date(2026, 3, 7), UTC_ZONE)
    dice = random.Random(7)
    latencies = sorted(dice.lognormvariate(6, 1) for _ in range(2000))
    for latency in latencies:
        at = datetime(2026, 3, dice.randint(1, 7), dice.randint(0, 23), tzinfo=UTC)
        log(project, at, latency_ms=round(latency), cost_usd=0.5, tokens_in=3, error="x" if latency < 50 else "")
    log(other_project, datetime(2026, 3, 2, tzinfo=UTC))
    found = added_up(project, span).total()
    assert (found.calls, found.costed, found.tokens_in, found.tokens_out) == (2000, 2000, 6000, 0)
    assert found.cost_usd == pytest.approx(1000)
    assert found.errors == sum(latency < 50 for latency in latencies)
    assert found.latency is not None
    assert found.latency.p50 == pytest.approx(latencies[1000], rel=0.03)
    assert found.latency.p95 == pytest.approx(latencies[1900], rel=0.03)
    assert found.latency.p99 == pytest.approx(latencies[1980], rel=0.06)
    assert found.latency.p95_low < found.latency.p95 < found.latency.p95_high


def test_a_bucket_is_within_two_and_a_half_percent() -> None:

    for latency in [1, 2, 7, 99, 1000, 12_345, 2**31 - 1]:
        assert 1.05 ** (calls.latency_bucket(latency) + 0.5) == pytest.approx(latency, rel=0.0255)
    assert calls.latency_bucket(0) == 0


def test_filters_narrow_calls_and_votes_alike(project: Project) -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    log(project, at, client_id="a", model="small", environment="live", artifact_path="p")
    log(project, at, client_id="b", model="large", environment="test", artifact_path="q")
    for call in "ab":
        Vote.objects.create(
            project=project, call_client_id=call, voter="u:" + "1" * 32, kind="thumbs", value=1,
            event_uid="0" * 32, voted_at=at, hour=int(at.timestamp() // 3600),
        )  # fmt: skip
    span = Span(date(2026, 3, 1), date(2026, 3, 3), UTC_ZONE)
    whole = added_up(project, span)
    for narrowed in [TrafficFilter(model="small"), TrafficFilter(environment="live"), TrafficFilter(prompt="p")]:
        total = whole.narrowed(narrowed).total()
        assert (total.calls, total.satisfaction.votes) == (1, 1), narrowed
    assert whole.narrowed(TrafficFilter(model="none")).total().calls == 0
    assert whole.choices() == {"path": ["p", "q"], "model": ["large", "small"], "environment": ["live", "test"]}
    assert [sums.calls for sums in whole.by("model").values()] == [1, 1]


def test_votes_are_peoples_and_anonymous_ones_are_apart(send: Callable[..., Any], project: Project) -> None:
    send("/feedback", *[{"call": f"c{n}", "thumbs": "up" if n else "down", "end_user": f"u{n % 3}"} for n in range(6)])
    send("/feedback", {"call": "x", "thumbs": "down"}, {"call": "x", "thumbs": "down"}, {"call": "x", "score": 3})
    today = datetime.now(UTC).date()
    found = added_up(project, Span(today, today, UTC_ZONE)).total().satisfaction
    assert (found.ups, found.votes, found.users) == (5, 6, 3)
    assert (found.anonymous_ups, found.anonymous_votes) == (0, 2)


def test_a_span_costs_two_queries(project: Project, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        traffic.traffic(project, Span(date(2026, 3, 1), date(2026, 3, 30), UTC_ZONE)).total()
