"""How long to wait, whatever a provider writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.gateway import retry_after

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0), ("7", 7.0), ("1.5", 1.5), ("-5", 0.0), ("86400", 600.0), ("1e99", 600.0), ("1e999", 600.0),
        ("soon", None), ("", None), (None, None), ("nan", None), ("Wed, 99 Foo 2026", None),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), 600.0),
    ],
)  # fmt: skip
def test_numbers_and_dates_are_read_and_clamped(header: str | None, seconds: float | None) -> None:
    assert retry_after.seconds(header, now=NOW) == seconds


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_nothing_that_a_provider_writes_breaks_it(header: str) -> None:
    wait = retry_after.seconds(header, now=NOW)
    assert wait is None or 0 <= wait <= retry_after.LONGEST_S
