"""Plotly figures of the monitor page, as plain dictionaries, each with a table of the same numbers.

Colours and fonts come from the page's theme; plotly itself is not imported (its first figure costs 0.3 s).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from feedback import thumbs
from feedback.thumbs import Satisfaction
from llmops.common.plot_theme import THEMES
from llmops.common.templatetags import ui
from llmops.dashboards.queries.monitor import OTHERS, Monitor
from llmops.dashboards.queries.versions import Deployed

Figure = dict[str, Any]
Cells = list[list[str]]
MOST_FLAGS = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and its table: `head` names the columns of `rows`; `summary` is the whole in one line."""

    name: str
    title: str
    summary: str
    figure: Figure
    head: list[str]
    rows: Cells = field(default_factory=list)


def charts(monitor: Monitor) -> list[Chart]:
    """The charts of the page that have something to show, in their order."""
    found = []
    if monitor.total.calls:
        found.append(calls(monitor))
        found.append(errors(monitor))
    if monitor.satisfaction.all_votes:
        found.append(satisfaction(monitor))
    if monitor.total.latency is not None:
        found.append(latency(monitor))
    if monitor.total.costed:
        found.append(cost(monitor))
    if monitor.total.tokens_in or monitor.total.tokens_out:
        found.append(tokens(monitor))
    if monitor.measured:
        found.append(scores(monitor))
    return found


def calls(monitor: Monitor) -> Chart:
    """Calls per day, stacked by what the page is broken down by; days with errors say so in the table."""
    names = [*monitor.lines, *([OTHERS] if any(OTHERS in day.lines for day in monitor.days) else [])]
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": _days(monitor),
            "y": [day.lines.get(name, 0) for day in monitor.days],
            "hovertemplate": "%{y:,} calls<extra>%{fullData.name}</extra>",
        }
        for name in names
    ]
    total = monitor.total
    return Chart(
        name="chart-calls",
        title="Calls per day",
        summary=f"{total.calls:,} in all, {total.errors:,} failed",
        figure=_figure(monitor, traces, barmode="stack", yaxis={"rangemode": "tozero"}),
        head=["Day", "Calls", "Errors"],
        rows=[[_short(day.day), f"{day.sums.calls:,}", f"{day.sums.errors:,}"] for day in monitor.days],
    )


def errors(monitor: Monitor) -> Chart:
    """Share of failed calls per day with Wilson's interval."""
    known = [(day, _share(day.sums.errors, day.sums.calls)) for day in monitor.days if day.sums.calls]
    rate, low, high = _share(monitor.total.errors, monitor.total.calls)
    return Chart(
        name="chart-errors",
        title="Errors",
        summary=f"{ui.percent(rate)}, {ui.percent(low)} to {ui.percent(high)}, n {monitor.total.calls:,}",
        figure=_figure(
            monitor,
            [_with_bars("failed", [(day.day, *found) for day, found in known])],
            yaxis={"rangemode": "tozero", "ticksuffix": " %"},
            days=_days(monitor),
        ),
        head=["Day", "Calls", "Failed", "Share", "95 % interval"],
        rows=[
            [
                _short(day.day),
                f"{day.sums.calls:,}",
                f"{day.sums.errors:,}",
                str(ui.percent(rate)),
                f"{ui.percent(low)} to {ui.percent(high)}",
            ]
            for day, (rate, low, high) in known
        ],
    )


def tokens(monitor: Monitor) -> Chart:
    """Tokens of each day, where the sender counted them."""
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": _days(monitor),
            "y": [getattr(day.sums, field) for day in monitor.days],
            "hovertemplate": "%{y:,}<extra>%{fullData.name}</extra>",
        }
        for name, field in (("in", "tokens_in"), ("out", "tokens_out"))
    ]
    total = monitor.total
    return Chart(
        name="chart-tokens",
        title="Tokens per day",
        summary=f"{total.tokens_in:,} in, {total.tokens_out:,} out",
        figure=_figure(monitor, traces, barmode="stack", yaxis={"rangemode": "tozero"}),
        head=["Day", "Tokens in", "Tokens out"],
        rows=[[_short(day.day), f"{day.sums.tokens_in:,}", f"{day.sums.tokens_out:,}"] for day in monitor.days],
    )


def satisfaction(monitor: Monitor) -> Chart:
    """Share of thumbs up per day; days with too few votes are counts in the table, not points."""
    shown = [
        (day.day, *found)
        for day in monitor.days
        if day.satisfaction.shown != "count" and (found := day.satisfaction.estimate)
    ]
    return Chart(
        name="chart-satisfaction",
        title="Satisfaction",
        summary=rate_words(monitor.satisfaction),
        figure=_figure(
            monitor,
            [_with_bars("thumbs up", shown)],
            yaxis={"range": [0, 100], "ticksuffix": " %"},
            days=_days(monitor),
        ),
        head=["Day", "Votes", "Up", "Satisfaction", "95 % interval"],
        rows=[[_short(day.day), *_vote_cells(day.satisfaction)] for day in monitor.days],
    )


def latency(monitor: Monitor) -> Chart:
    """Median, p95 and p99 per day; percentiles are within 2.5 %."""
    timed = [(day, found) for day in monitor.days if (found := day.sums.latency) is not None]
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [day.day.isoformat() for day, _ in timed],
            "y": [round(getattr(found, name) / 1000, 3) for _, found in timed],
            "hovertemplate": "%{y:.2f} s<extra>%{fullData.name}</extra>",
        }
        for name in ("p50", "p95", "p99")
    ]
    whole = monitor.total.latency
    summary = (
        f"p95 {ui.milliseconds(whole.p95)}, {ui.milliseconds(whole.p95_low)} to {ui.milliseconds(whole.p95_high)}, "
        f"n {whole.n:,}"
        if whole
        else ""
    )
    return Chart(
        name="chart-latency",
        title="Latency",
        summary=summary,
        figure=_figure(monitor, traces, yaxis={"rangemode": "tozero", "ticksuffix": " s"}, days=_days(monitor)),
        head=["Day", "Calls", "p50", "p95", "p99"],
        rows=[
            [_short(day.day), f"{found.n:,}", *(ui.milliseconds(value) for value in (found.p50, found.p95, found.p99))]
            for day, found in timed
        ],
    )


def cost(monitor: Monitor) -> Chart:
    """What the calls of each day cost, where the sender said so."""
    trace = {
        "type": "bar",
        "name": "cost",
        "x": _days(monitor),
        "y": [round(day.sums.cost_usd, 6) for day in monitor.days],
        "hovertemplate": "$%{y:,.4f}<extra></extra>",
    }
    total = monitor.total
    return Chart(
        name="chart-cost",
        title="Cost per day",
        summary=f"{ui.money(total.cost_usd)} for {total.costed:,} priced calls",
        figure=_figure(monitor, [trace], yaxis={"rangemode": "tozero", "tickprefix": "$"}),
        head=["Day", "Priced calls", "Tokens in", "Tokens out", "Cost"],
        rows=[
            [
                _short(day.day),
                f"{day.sums.costed:,}",
                f"{day.sums.tokens_in:,}",
                f"{day.sums.tokens_out:,}",
                ui.money(day.sums.cost_usd),
            ]
            for day in monitor.days
        ],
    )


def scores(monitor: Monitor) -> Chart:
    """Means of metrics and judges in the runs of the span, with their intervals."""
    evaluators = sorted({found.evaluator for found in monitor.measured})
    traces = []
    for evaluator in evaluators:
        own = [found for found in monitor.measured if found.evaluator == evaluator]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers+lines",
                "name": evaluator,
                "x": [found.at.astimezone(monitor.span.zone).strftime("%Y-%m-%dT%H:%M:%S") for found in own],
                "y": [found.mean for found in own],
                "text": [found.version for found in own],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [(found.high if found.high is not None else found.mean) - found.mean for found in own],
                    "arrayminus": [found.mean - (found.low if found.low is not None else found.mean) for found in own],
                },
                "hovertemplate": "%{y:.3f}<br>%{text}<extra>%{fullData.name}</extra>",
            }
        )
    return Chart(
        name="chart-scores",
        title="Scores of runs",
        summary=f"{len({found.run for found in monitor.measured}):,} finished runs",
        figure=_figure(monitor, traces, days=_days(monitor)),
        head=["Finished", "Version", "Evaluator", "Mean", "95 % interval", "n"],
        rows=[
            [
                found.at.astimezone(monitor.span.zone).strftime("%-d %b, %H:%M"),
                found.version,
                found.evaluator,
                found.scale.shown(found.mean),
                found.scale.interval(found.low, found.high) or "–",
                f"{found.n:,}",
            ]
            for found in reversed(monitor.measured)
        ],
    )


def rate_words(found: Satisfaction) -> str:
    """The rate with its interval and n; a count where a rate would say more than is known."""
    if found.shown == "count" or found.rate is None or found.low is None or found.high is None:
        return f"{found.all_ups:,} up, {found.all_votes - found.all_ups:,} down: too few people for a rate"
    words = (
        f"{ui.percent(found.rate)}, {ui.percent(found.low)} to {ui.percent(found.high)}, "
        f"n {found.votes:,} votes of {found.users:,} people"
    )
    return f"{words}; {found.anonymous_votes:,} anonymous votes not counted" if found.anonymous_votes else words


def _share(part: int, whole: int) -> tuple[float, float, float]:
    rate = part / whole
    return rate, *thumbs.wilson(rate, whole, thumbs.Z)


def _with_bars(name: str, points: Sequence[tuple[date, float, float, float]]) -> Figure:
    """Shares by day with their intervals."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [day.isoformat() for day, *_ in points],
        "y": [_percent(rate) for _, rate, _, _ in points],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_percent(high - rate) for _, rate, _, high in points],
            "arrayminus": [_percent(rate - low) for _, rate, low, _ in points],
        },
        "hovertemplate": "%{y:.1f} %<extra></extra>",
    }


def _vote_cells(found: Satisfaction) -> list[str]:
    cells = [f"{found.all_votes:,}", f"{found.all_ups:,}"]
    if found.shown == "count" or found.low is None or found.high is None:
        return [*cells, "–", "too few" if found.all_votes else "–"]
    return [*cells, str(ui.percent(found.rate)), f"{ui.percent(found.low)} to {ui.percent(found.high)}"]


def _figure(monitor: Monitor, traces: Sequence[Figure], days: list[str] | None = None, **layout: Any) -> Figure:
    """A figure over the span's days with the deployments as dotted lines."""
    moves = _flags(monitor)
    moments = [move.at.astimezone(monitor.span.zone).strftime("%Y-%m-%dT%H:%M:%S") for move in moves]
    axis: Figure = {"type": "date", "tickformat": "%-d %b", "dtick": None}
    if days:
        # Half a day of room, so that the first point does not lie on the numbers of the axis.
        first = date.fromisoformat(days[0]) - timedelta(days=1)
        axis["range"] = [f"{first.isoformat()}T12:00:00", f"{days[-1]}T23:59:59"]
    return {
        "themes": THEMES,
        "data": list(traces),
        "layout": {
            "xaxis": {key: value for key, value in axis.items() if value is not None},
            "showlegend": len(traces) > 1,
            # Below the plot: above it the names of the deployments stand.
            "legend": {"orientation": "h", "y": -0.14, "yanchor": "top", "x": 0},
            "hovermode": "x unified",
            "height": 240,
            "margin": {"l": 48, "r": 8, "t": 24, "b": 28},
            "shapes": [
                {
                    "type": "line",
                    "xref": "x",
                    "yref": "paper",
                    "x0": moment,
                    "x1": moment,
                    "y0": 0,
                    "y1": 1,
                }
                for moment in moments
            ],
            "annotations": [
                {
                    "xref": "x",
                    "yref": "paper",
                    "x": moment,
                    "y": 1,
                    "xanchor": "right" if moment[:10] == monitor.span.last.isoformat() else "left",
                    # Plotly reads a little markup in labels: what people named may not add to it.
                    "text": _plain(f"{move.path.rpartition('/')[2]} v{move.number}")[:40],
                }
                for moment, move in zip(moments, moves, strict=True)
            ],
            **layout,
        },
    }


def _flags(monitor: Monitor) -> list[Deployed]:
    """The last move of each prompt on each day, newest first: more flags would lie on each other."""
    found: dict[tuple[str, date], Deployed] = {}
    for move in monitor.deployments:
        found.setdefault((move.path, move.at.astimezone(monitor.span.zone).date()), move)
    return list(found.values())[:MOST_FLAGS]


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _days(monitor: Monitor) -> list[str]:
    return [day.day.isoformat() for day in monitor.days]


def _short(day: date) -> str:
    return day.strftime("%-d %b")


def _percent(share: float | None) -> float:
    return round(100 * (share or 0), 2)
