"""One hour of production computed from its rows: calls, their latencies, and the votes that these calls got."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import connection
from django.db.models import Count, Q, Sum

from feedback import tallies
from feedback.models import Call, DirtyHour, FeedbackEvent

# What an hour keeps apart. Names that senders invent for each call must not make rollups as long as the rows.
MOST_SLICES = 200
OTHERS = "(others)"

# path, version's primary key, model, environment
Name = tuple[str, int | None, str, str]
NOTHING_NAMED: Name = ("", None, "", "")
OTHER_NAMES: Name = (OTHERS, None, OTHERS, OTHERS)

VOTES_OF_CALLS = """
SELECT c.artifact_path, c.version_id, c.model, c.environment, v.call_client_id, v.voter, v.value
FROM feedback_call c JOIN feedback_vote v
ON v.project_id = c.project_id AND v.call_client_id = c.client_id AND v.kind = 'thumbs'
WHERE c.project_id = %s AND c.hour = %s
"""
VOTES_WITHOUT_A_CALL = """
SELECT '', NULL, '', '', '', v.voter, v.value FROM feedback_vote v
WHERE v.project_id = %s AND v.kind = 'thumbs' AND v.hour = %s AND NOT EXISTS (
    SELECT 1 FROM feedback_call c WHERE c.project_id = v.project_id AND c.client_id = v.call_client_id
)
"""
HOURS_OF_VOTED_CALLS = """
SELECT DISTINCT c.hour FROM feedback_vote v
JOIN feedback_call c ON c.project_id = v.project_id AND c.client_id = v.call_client_id
WHERE v.project_id = %s AND v.kind = 'thumbs' AND v.hour = %s AND v.voted_at >= %s AND c.hour <> v.hour
"""
HOURS_OF_EARLY_VOTES = """
SELECT DISTINCT v.hour FROM feedback_call c
JOIN feedback_vote v ON v.project_id = c.project_id AND v.call_client_id = c.client_id AND v.kind = 'thumbs'
WHERE c.project_id = %s AND c.hour = %s AND c.received_at >= %s AND v.voted_at < c.received_at AND v.hour <> c.hour
"""


@dataclass(slots=True)
class Slice:
    """What one slice of an hour adds up to; the fields are those of `HourStat`, not packed yet."""

    calls: int = 0
    errors: int = 0
    costed: int = 0
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    masked: int = 0
    anonymous_ups: int = 0
    anonymous_votes: int = 0
    voted: set[str] = field(default_factory=set)
    latency: dict[int, int] = field(default_factory=dict)
    voters: tallies.Voters = field(default_factory=dict)

    def add_vote(self, call: str, voter: str, value: float) -> None:
        """`call` is empty while nobody knows the call: then nothing was shown that was answered."""
        up = int(value > 0)
        if call:
            self.voted.add(call)
        if voter.startswith("e:"):
            self.anonymous_ups += up
            self.anonymous_votes += 1
        else:
            group = tallies.group_of(voter)
            ups, votes = self.voters.get(group, (0, 0))
            self.voters[group] = (ups + up, votes + 1)


def slices(project_id: int, hour: int) -> dict[Name, Slice]:
    """The hour's slices by name, at most MOST_SLICES and the others as one."""
    found: dict[Name, Slice] = {}
    calls = Call.objects.filter(project_id=project_id, hour=hour).order_by()
    names = ("artifact_path", "version_id", "model", "environment")
    busiest = (
        calls.values_list(*names)
        .annotate(
            n=Count("id"),
            failed=Count("id", filter=~Q(error="")),
            priced=Count("cost_usd"),
            cost=Sum("cost_usd"),
            used_in=Sum("tokens_in"),
            used_out=Sum("tokens_out"),
            hidden=Sum("masked"),
        )
        .order_by("-n", *names)
    )
    for path, version, model, environment, n, failed, priced, cost, used_in, used_out, hidden in busiest.iterator():
        one = _of(found, (path, version, model, environment), make=True)
        one.calls += n
        one.errors += failed
        one.costed += priced
        one.cost_usd += cost or 0.0
        one.tokens_in += used_in or 0
        one.tokens_out += used_out or 0
        one.masked += hidden or 0
    timed = calls.filter(latency_bucket__isnull=False).values_list(*names, "latency_bucket").annotate(n=Count("id"))
    for path, version, model, environment, bucket, n in timed.iterator():
        latency = _of(found, (path, version, model, environment)).latency
        latency[bucket] = latency.get(bucket, 0) + n
    _add_votes(found, project_id, hour)
    if hidden := _masked_in_feedback(project_id, hour):
        _of(found, NOTHING_NAMED, make=True).masked += hidden
    return found


def related_hours(project_id: int, hour: int, since: datetime) -> set[int]:
    """Other hours that what came into this one since then belongs to.

    A vote counts in the hour of its call; a call that comes after its votes takes them out of the hours in which they
    waited without one.
    """
    moment = connection.ops.adapt_datetimefield_value(since)
    found: set[int] = set()
    with connection.cursor() as cursor:
        for statement in (HOURS_OF_VOTED_CALLS, HOURS_OF_EARLY_VOTES):
            cursor.execute(statement, [project_id, hour, moment])
            found.update(other for (other,) in cursor.fetchall())
    return found


def dirty(project_id: int | None = None) -> list[DirtyHour]:
    """Every marked hour, the newest first, of one project or of all."""
    marks = DirtyHour.objects.order_by("-hour", "project_id")
    return list(marks if project_id is None else marks.filter(project_id=project_id))


def _of(found: dict[Name, Slice], name: Name, *, make: bool = False) -> Slice:
    """The slice with this name, or that of the others where it has none of its own and there is no room for it."""
    if name in found:
        return found[name]
    room = len(found) < MOST_SLICES or name == NOTHING_NAMED
    return found.setdefault(name if make and room else OTHER_NAMES, Slice())


def _add_votes(found: dict[Name, Slice], project_id: int, hour: int) -> None:
    with connection.cursor() as cursor:
        for statement in (VOTES_OF_CALLS, VOTES_WITHOUT_A_CALL):
            cursor.execute(statement, [project_id, hour])
            while rows := cursor.fetchmany(2000):
                _add_vote_rows(found, rows)


def _add_vote_rows(found: dict[Name, Slice], rows: Iterable[tuple]) -> None:
    for path, version, model, environment, call, voter, value in rows:
        name = (path, version, model, environment)
        _of(found, name, make=name == NOTHING_NAMED).add_vote(call, voter, value)


def _masked_in_feedback(project_id: int, hour: int) -> int:
    begins, ends = (datetime.fromtimestamp(moment * 3600, UTC) for moment in (hour, hour + 1))
    events = FeedbackEvent.objects.filter(project_id=project_id, received_at__gte=begins, received_at__lt=ends)
    return events.aggregate(n=Sum("masked"))["n"] or 0
