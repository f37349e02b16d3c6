"""How long a provider asks us to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 600.0


def seconds(header: str | None, *, now: datetime) -> float | None:
    """`Retry-After` in seconds, from a number or an HTTP date, between 0 and LONGEST_S; None when it says nothing."""
    if not header:
        return None
    try:
        wait = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except (TypeError, ValueError, OverflowError):
            return None
        wait = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    if math.isnan(wait):
        return None
    return min(max(wait, 0.0), LONGEST_S)
