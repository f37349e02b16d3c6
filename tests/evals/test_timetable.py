"""Cron lines by the clock of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evals import timetable
from llmops.common.errors import Invalid


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "due"),
    [
        ("0 3 * * *", "UTC", "2026-03-04T02:59:59", "2026-03-04T03:00:00"),
        ("0 3 * * *", "UTC", "2026-03-04T03:00:00", "2026-03-05T03:00:00"),
        ("0 3 * * 1-5", "Europe/Berlin", "2026-03-06T12:00:00", "2026-03-09T02:00:00"),  # Friday, then Monday
        ("*/15 * * * *", "Asia/Kolkata", "2026-03-04T00:01:00", "2026-03-04T00:15:00"),
        ("0 0 29 2 *", "UTC", "2026-03-04T00:00:00", "2028-02-29T00:00:00"),
        # Berlin's clock leaps from 2 to 3 on 29 March 2026, and shows 2 to 3 twice on 25 October.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T01:00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
    ],
)
def test_the_next_due_time(cron: str, zone: str, after: str, due: str) -> None:
    assert timetable.next_due(cron, zone, utc(after)) == utc(due)


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("", "UTC", "cron"),
        ("0 3 * *", "UTC", "cron"),
        ("0 0 3 * * *", "UTC", "cron"),
        ("61 3 * * *", "UTC", "cron"),
        ("0 0 31 2 *", "UTC", "cron"),
        ("9" * 5_000, "UTC", "cron"),
        ("0 3 * * *", "Mars/Olympus", "time_zone"),
        ("0 3 * * *", "../../etc/passwd", "time_zone"),
        ("0 3 * * *", "", "time_zone"),
        ("0 3 * * *", "a\x00b", "time_zone"),
    ],
)
def test_what_is_no_line_or_zone_is_refused_by_name(cron: str, zone: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        timetable.next_due(cron, zone, utc("2026-03-04T00:00:00"))
    assert list(refused.value.fields) == [field]
