"""Rollups: whatever happens to the rows, computing the marked hours again gives what the rows say."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from feedback import tallies
from feedback.models import Call, DayStat, DirtyHour, FeedbackEvent, HourStat, Vote
from feedback.queries import hours as queries
from feedback.queries import traffic
from feedback.services import arrivals, calls, events, hours, retention
from llmops.projects.models import Project

NOON = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


def log(project: Project, name: str, at: datetime = NOON, received: datetime | None = None, **values: Any) -> None:
    new = calls.NewCall(body=name.encode(), client_id=name, started_at=at, **values)
    calls.record(project=project, calls=[new], now=received or at)


def vote(project: Project, call: str, at: datetime, value: float = 1, **who: str) -> None:
    body = f"{call}{at}{value}{who}".encode()
    events.record(
        project=project,
        events=[events.NewEvent(body=body, call=call, kind="thumbs", value=value, **who)],
        key_id=None,
        now=at,
    )


def stats(project: Project) -> list[dict[str, Any]]:
    names = [field.name for field in HourStat._meta.concrete_fields if field.name not in {"id", "project"}]
    rows = HourStat.objects.filter(project=project).order_by("hour", "slice").values(*names)
    return [{name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()} for row in rows]


def thumbs(project: Project) -> dict[tuple[int, str], tuple[int, int, int]]:
    """(hour after noon, model) to ups, votes and voted calls."""
    noon = hours.hour_of(NOON)
    return {
        (row.hour - noon, row.model): (row.ups, row.votes, row.voted)
        for row in HourStat.objects.filter(project=project)
        if row.votes or row.voted
    }


def test_a_random_history_ends_at_what_the_rows_say(project: Project, other_project: Project) -> None:
    """Calls late and early, votes before and after their calls, minds changed, with upkeep at any moment."""
    dice = random.Random(5)
    now = NOON
    for step in range(120):
        now += timedelta(minutes=dice.randrange(7))
        name = f"c{dice.randrange(40)}"
        if dice.random() < 0.5:
            log(
                project, name, at=now - timedelta(minutes=dice.randrange(300)), received=now,
                model=dice.choice(["small", "large"]), latency_ms=dice.randrange(1, 9000), cost_usd=0.25, tokens_in=3,
                error=dice.choice(["", "", "timeout"]), end_user=f"u{dice.randrange(9)}",
            )  # fmt: skip
        else:
            vote(project, name, now, dice.choice([1, -1]), end_user=f"u{dice.randrange(9)}")
        if step % 17 == 0:
            hours.compute_dirty(now=now)
    log(other_project, "c1")
    now += hours.SETTLED + timedelta(seconds=1)
    hours.compute_dirty(now=now, project=project)
    kept = stats(project)
    assert not DirtyHour.objects.filter(project=project).exists()
    assert sum(row["calls"] for row in kept) == Call.objects.filter(project=project).count()
    assert sum(row["votes"] + row["anonymous_votes"] for row in kept) == Vote.objects.filter(project=project).count()
    hours.rebuild(project=project, now=now)
    assert stats(project) == kept
    assert stats(other_project) == []


def test_a_vote_counts_in_the_hour_and_under_the_names_of_its_call(project: Project) -> None:
    log(project, "a", model="small")
    vote(project, "a", NOON + 5 * AN_HOUR, end_user="u")
    hours.compute_dirty(now=NOON + 5 * AN_HOUR)
    assert thumbs(project) == {(0, "small"): (1, 1, 1)}
    vote(project, "a", NOON + 9 * AN_HOUR, -1, end_user="u")
    hours.compute_dirty(now=NOON + 9 * AN_HOUR)
    assert thumbs(project) == {(0, "small"): (0, 1, 1)}


def test_a_vote_without_its_call_waits_in_its_own_hour_until_the_call_comes(project: Project) -> None:
    vote(project, "late", NOON + 2 * AN_HOUR, end_user="u")
    hours.compute_dirty(now=NOON + 2 * AN_HOUR)
    assert thumbs(project) == {(2, ""): (1, 1, 0)}
    log(project, "late", at=NOON, received=NOON + 3 * AN_HOUR, model="small")
    hours.compute_dirty(now=NOON + 3 * AN_HOUR)
    assert thumbs(project) == {(0, "small"): (1, 1, 1)}


def test_a_mark_stays_until_nothing_can_still_be_stored_under_it(project: Project) -> None:
    log(project, "a")
    hours.compute_dirty(now=NOON + timedelta(seconds=10))
    assert DirtyHour.objects.count() == 1
    Call.objects.all().purge()  # stands for a row that another transaction changed after the turn looked
    hours.compute_dirty(now=NOON + hours.SETTLED + timedelta(seconds=1))
    assert (DirtyHour.objects.count(), HourStat.objects.count()) == (0, 0)


def test_an_hour_that_is_quiet_but_not_settled_is_left_alone(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    log(project, "a")
    assert hours.compute_dirty(now=NOON) == 1
    with django_assert_max_num_queries(2):
        assert hours.compute_dirty(now=NOON + timedelta(seconds=60)) == 0


@pytest.mark.django_db(transaction=True)
def test_a_process_marks_an_hour_once_in_half_a_minute(
    project: Project, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours.forget()
    moment = [100.0]
    monkeypatch.setattr(hours.time, "monotonic", lambda: moment[0])
    hours.mark_arrivals(project_id=project.pk, hours=[1, 2], now=NOON)
    with django_assert_num_queries(0):
        hours.mark_arrivals(project_id=project.pk, hours=[2, 1], now=NOON)
    moment[0] += hours.MARK_SECONDS + 1
    hours.mark_arrivals(project_id=project.pk, hours=[1], now=NOON + AN_HOUR)
    assert dict(DirtyHour.objects.values_list("hour", "marked_at")) == {1: NOON + AN_HOUR, 2: NOON}
    hours.forget()


def test_names_invented_for_every_call_do_not_make_rollups_as_long_as_the_calls(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_SLICES", 3)
    for number in range(9):
        log(project, f"c{number}", model="busy" if number < 3 else f"m{number}", latency_ms=5, end_user="u")
        vote(project, f"c{number}", NOON, end_user="u")
    hours.compute_dirty(now=NOON)
    found = {row.model: row for row in HourStat.objects.all()}
    assert len(found) == 4
    assert found["busy"].calls == 3
    assert sum(row.calls for row in found.values()) == sum(row.votes for row in found.values()) == 9
    assert sum(sum(tallies.counts(tallies.histogram(bytes(row.latency))).values()) for row in found.values()) == 9


def test_retention_and_the_command_take_the_same_way(project: Project, send: Callable[..., Any]) -> None:
    send("/calls", {"id": "a"}, {"id": "b", "inputs": {"mail": "x@example.com"}})
    send("/feedback", {"call": "a", "thumbs": "up", "comment": "y@example.com"})
    call_command("rebuild_hours", "garden", verbosity=0)
    assert sum(HourStat.objects.values_list("calls", flat=True)) == 2
    assert sum(HourStat.objects.values_list("masked", flat=True)) == 2
    HourStat.objects.all().delete()
    call_command("rebuild_hours", verbosity=0)
    assert sum(HourStat.objects.values_list("calls", flat=True)) == 2
    later = timezone.now() + timedelta(days=400)
    retention.purge(project=project, now=later)
    hours.compute_dirty(now=later + AN_HOUR)
    assert (HourStat.objects.count(), DirtyHour.objects.count(), FeedbackEvent.objects.count()) == (0, 0, 0)
    with pytest.raises(CommandError):
        call_command("rebuild_hours", "no-such-project")


def test_a_mark_of_ingestion_outlives_one_that_upkeep_made(project: Project) -> None:
    hours._insert(project.pk, [7], NOON + AN_HOUR, "", is_derived=True)
    hours.mark_arrivals(project_id=project.pk, hours=[7], now=NOON)
    mark = DirtyHour.objects.get()
    assert (mark.is_derived, mark.marked_at) == (False, NOON + AN_HOUR)
    assert arrivals.time_value(NOON)


def sums_by_day(project: Project) -> dict[Any, tuple[Any, ...]]:
    """What pages read of the days around NOON: by day and slice."""
    span = traffic.Span(NOON.date() - timedelta(days=2), NOON.date() + timedelta(days=2), ZoneInfo(project.timezone))
    found = traffic.traffic(project, span).sums
    return {
        key: (*(getattr(sums, name) for name in traffic.COUNTED), tallies.counts(sums.histogram), sums.voters)
        for key, sums in found.items()
    }


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati"])
def test_a_day_is_the_sum_of_its_hours_in_every_time_zone(project: Project, zone: str) -> None:
    project.timezone = zone
    project.save()
    for number in range(60):
        at = NOON + timedelta(minutes=37 * number - 900)
        log(project, f"c{number}", at=at, model=f"m{number % 2}", latency_ms=10 + number, end_user=f"u{number % 7}")
        vote(project, f"c{number}", at, end_user=f"u{number % 7}")
    hours.rebuild(project=project, now=NOON + timedelta(days=2))
    days = sums_by_day(project)
    covered = {(row.first_hour, row.end_hour) for row in DayStat.objects.filter(project=project)}
    assert len({day for day, _ in days}) == len(covered) >= 2
    assert sum(counted[0] for counted in days.values()) == 60
    DayStat.objects.all().delete()
    assert sums_by_day(project) == days


def test_days_follow_their_hours_and_another_time_zone_reads_hours_until_they_do(project: Project) -> None:
    log(project, "first", at=NOON)
    hours.rebuild(project=project, now=NOON)
    project.timezone = "Asia/Tokyo"
    project.save()
    assert [counted[0] for counted in sums_by_day(project).values()] == [1]
    log(project, "second", at=NOON)
    hours.rebuild(project=project, now=NOON)
    assert [counted[0] for counted in sums_by_day(project).values()] == [2]
    assert [row.calls for row in DayStat.objects.all()] == [2], "the day of the zone before is gone"
    Call.objects.filter(project=project).purge()
    hours.rebuild(project=project, now=NOON)
    assert (sums_by_day(project), DayStat.objects.count()) == ({}, 0)
