"""Numbers, times and money as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory

from llmops.common.templatetags import ui


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (0, "$0"),
        (12.4, "$12.40"),
        (1234.5, "$1,234.50"),
        (0.0031, "$0.0031"),
        (Decimal("0.12"), "$0.12"),
    ],
)
def test_money_has_as_many_digits_as_it_needs(value: object, shown: str) -> None:
    assert ui.money(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (340, "340 ms"), (2840, "2.84 s"), (250_000, "4 min 10 s"), (0, "0 ms")]
)
def test_durations_are_read_in_their_unit(value: object, shown: str) -> None:
    assert ui.milliseconds(value) == shown


def test_a_share_of_few_has_no_decimals() -> None:
    assert (ui.percent(0.8571, 7), ui.percent(0.8571, 240), ui.percent(None)) == ("86 %", "85.7 %", "–")


def test_an_interval_is_drawn_on_its_axis_and_says_its_numbers() -> None:
    drawn = Template("{% interval 0.4 0.5 0.6 0 1 reference=0.45 %}").render(Context())
    assert 'd="M40.0 6H60.0"' in drawn
    assert 'aria-label="0.5, interval 0.4 to 0.6"' in drawn


def test_an_interval_outside_its_axis_stays_in_the_picture() -> None:
    assert 'd="M0.0 6H100.0"' in Template("{% interval -3 0.5 9 0 1 %}").render(Context())


def test_a_time_is_utc_for_machines_and_marked_for_the_browser() -> None:
    shown = ui.local_time(datetime(2026, 3, 1, 9, 5, tzinfo=UTC))
    assert shown == (
        '<time datetime="2026-03-01T09:05:00+00:00" title="1 Mar 2026, 09:05 UTC" data-local>1 Mar 2026, 09:05</time>'
    )


def test_query_with_changes_one_parameter_and_escapes_the_rest() -> None:
    request = RequestFactory().get("/", {"q": "a&b", "cursor": "x"})
    drawn = Template('{% query_with cursor="" page=2 %}').render(Context({"request": request}))
    assert drawn == "?q=a%26b&amp;page=2"


def test_an_icon_is_hidden_from_screen_readers() -> None:
    assert 'aria-hidden="true"' in ui.icon("check")
