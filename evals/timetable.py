"""When a cron line is due next, by the clock on the wall of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from llmops.common.errors import Invalid

LONGEST = 100


def next_due(cron: str, time_zone: str, after: datetime) -> datetime:
    """The first moment after `after` (aware) at which the line is due, in UTC.

    Five fields as in Debian's cron: a time that the clock leaps over in spring is due right after the leap, one that it
    shows twice in autumn is due once.

    :raises Invalid: naming `cron` or `time_zone`.
    """
    zone = _zone(time_zone)
    if len(cron) > LONGEST or len(cron.split()) != 5:
        raise _wrong("five fields: minute, hour, day of month, month, day of week")
    try:
        found = next(CronSim(cron, after.astimezone(zone)))
    except CronSimError as error:
        raise _wrong(str(error)) from None
    except (StopIteration, OverflowError):
        raise _wrong("never due") from None
    return found.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            "There is no such time zone.", fields={"time_zone": "a name such as Europe/Berlin or UTC"}
        ) from None


def _wrong(reason: str) -> Invalid:
    return Invalid("The cron line is not acceptable.", fields={"cron": reason})
