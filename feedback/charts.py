"""Figures of the theme pages as plain dictionaries; plotly itself is not imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from feedback.clustering.trends import Trend, Week
from llmops.common.plot_theme import THEMES
from llmops.common.templatetags import ui


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and its table: `head` names the columns of `rows`; `summary` is the whole in one line."""

    name: str
    title: str
    summary: str
    figure: dict[str, Any]
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)


def weekly(trend: Trend) -> Chart:
    """Complaints per week, and where calls are logged their share of the traffic with its interval."""
    has_rates = any(week.rate is not None for week in trend.weeks)
    return Chart(
        name="chart-theme",
        title="Share of calls per week" if has_rates else "Complaints per week",
        summary=f"{sum(week.complaints for week in trend.weeks):,} complaints in {len(trend.weeks)} weeks",
        figure=_figure([_rates(trend) if has_rates else _counts(trend)], is_share=has_rates),
        head=["Week from", "Complaints", "Calls", "Share", "95 % interval"],
        rows=[_cells(week) for week in trend.weeks],
    )


def _rates(trend: Trend) -> dict[str, Any]:
    shown = [(week, week.rate, week.interval) for week in trend.weeks]
    known = [(week, rate, found) for week, rate, found in shown if rate is not None and found is not None]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "share of calls",
        "x": [week.first.isoformat() for week, _, _ in known],
        "y": [round(100 * rate, 4) for _, rate, _ in known],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(100 * (found[1] - rate), 4) for _, rate, found in known],
            "arrayminus": [round(100 * (rate - found[0]), 4) for _, rate, found in known],
        },
        "hovertemplate": "%{y:.2f} %<extra></extra>",
    }


def _counts(trend: Trend) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": "complaints",
        "x": [week.first.isoformat() for week in trend.weeks],
        "y": [week.complaints for week in trend.weeks],
        "hovertemplate": "%{y:,} complaints<extra></extra>",
    }


def _figure(data: list[dict[str, Any]], *, is_share: bool) -> dict[str, Any]:
    return {
        "themes": THEMES,
        "data": data,
        "layout": {
            "xaxis": {"type": "date", "tickformat": "%-d %b"},
            "yaxis": {"rangemode": "tozero"} | ({"ticksuffix": " %"} if is_share else {}),
            "showlegend": False,
            "hovermode": "x unified",
            "height": 240,
            "margin": {"l": 56, "r": 8, "t": 8, "b": 28},
        },
    }


def _cells(week: Week) -> list[str]:
    interval = week.interval
    return [
        f"{week.first:%-d %b}",
        f"{week.complaints:,}",
        f"{week.calls:,}",
        ui.percent(week.rate),
        f"{ui.percent(interval[0])} to {ui.percent(interval[1])}" if interval else "–",
    ]
