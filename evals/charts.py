"""Drawings of the evaluation pages: plain numbers for SVG attributes, and plotly figures as plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evals.statistics.scales import MONEY, SHARE, Scale
from llmops.common.plot_theme import THEMES

Figure = dict[str, Any]
WIDTH, HEIGHT, FLOOR, CEILING = 300.0, 110.0, 92.0, 14.0
ROUND_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 60.0)
MOST_BARS = 9


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    middle: float
    count: int
    upper: str

    @property
    def label_y(self) -> float:
        """Where the count stands: just above the bar."""
        return round(self.y - 4, 1)


@dataclass(frozen=True, slots=True)
class Histogram:
    bars: tuple[Bar, ...]
    words: str


@dataclass(frozen=True, slots=True)
class SpanBar:
    """One step of a trace on a line of 100 units."""

    name: str
    kind: str
    x: float
    width: float
    duration_ms: float


def latency_histogram(latencies_ms: Sequence[float]) -> Histogram | None:
    """Counts between round numbers of seconds; None where all fall into one, and a drawing says nothing."""
    if len(latencies_ms) < 2:
        return None
    seconds = sorted(value / 1000 for value in latencies_ms)
    edges = _edges(seconds[0], seconds[-1])
    if len(edges) < 2:
        return None
    counts = [0] * len(edges)
    for value in seconds:
        counts[next((index for index, edge in enumerate(edges) if value <= edge), len(edges) - 1)] += 1
    step = (WIDTH - 16) / len(edges)
    tallest = max(counts)
    bars = []
    for index, (edge, count) in enumerate(zip(edges, counts, strict=True)):
        height = (FLOOR - CEILING) * count / tallest
        x = 8 + index * step + 2
        bars.append(
            Bar(
                x=round(x, 1),
                y=round(FLOOR - height, 1),
                width=round(step - 4, 1),
                height=round(height, 1),
                middle=round(x + (step - 4) / 2, 1),
                count=count,
                upper=f"{edge:g}",
            )
        )
    most = max(bars, key=lambda bar: bar.count)
    words = f"Latency of {len(seconds)} results; most of them, {most.count}, took up to {most.upper} seconds"
    return Histogram(bars=tuple(bars), words=words)


def _edges(lowest: float, highest: float) -> list[float]:
    top = next((edge for edge in ROUND_SECONDS if edge >= highest), highest)
    inside = [edge for edge in ROUND_SECONDS if lowest <= edge < top]
    edges = [*inside, top]
    while len(edges) > MOST_BARS:
        edges = [edge for index, edge in enumerate(edges) if (len(edges) - 1 - index) % 2 == 0]
    return edges


def span_bars(spans: Sequence[tuple[str, str, float, float]]) -> tuple[SpanBar, ...]:
    """Bars of (name, kind, start_ms, duration_ms), scaled so that the last end is at 100."""
    end = max((start + duration for _, _, start, duration in spans), default=0.0) or 1.0
    return tuple(
        SpanBar(
            name=name,
            kind=kind,
            x=round(min(start / end * 100, 99.0), 2),
            width=round(max(duration / end * 100, 1.0), 2),
            duration_ms=duration,
        )
        for name, kind, start, duration in spans
    )


@dataclass(frozen=True, slots=True)
class Point:
    """One cell of a matrix: quality with its interval, and what it takes."""

    name: str
    quality: float
    low: float | None
    high: float | None
    effort: float
    is_best: bool


def tradeoff(
    points: Sequence[Point], *, scale: Scale, quality: str, effort: str, prefix: str = "", suffix: str = ""
) -> Figure:
    """A plotly figure of quality over effort; those that nothing beats are large, filled and joined by a line."""
    best = sorted((point for point in points if point.is_best), key=lambda point: point.effort)
    rest = [point for point in points if not point.is_best]
    return {
        "themes": THEMES,
        "data": [
            _points(best, scale, "nothing is better", is_best=True),
            _points(rest, scale, "another is better", is_best=False),
        ],
        "layout": {
            "height": 320,
            "margin": {"l": 56, "r": 16, "t": 12, "b": 44},
            "xaxis": {"title": {"text": effort}, "rangemode": "tozero", "tickprefix": prefix, "ticksuffix": suffix},
            "yaxis": {"title": {"text": _plain(quality)}, **_ticks(scale)},
            "legend": {"orientation": "h", "y": 1.12, "x": 0},
            "showlegend": True,
        },
    }


def _ticks(scale: Scale) -> Figure:
    """How the numbers of an axis are written, in plotly's words."""
    if scale.unit == SHARE:
        return {"tickformat": ".0%"}
    return {"tickprefix": MONEY} if scale.unit == MONEY else {"ticksuffix": f" {scale.unit}".rstrip()}


def _points(points: Sequence[Point], scale: Scale, name: str, *, is_best: bool) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers" if is_best else "markers",
        "name": name,
        "x": [point.effort for point in points],
        "y": [point.quality for point in points],
        "text": [f"{_plain(point.name)}<br>{scale.shown(point.quality)}" for point in points],
        "marker": {"size": 11, "symbol": "circle"} if is_best else {"size": 9, "symbol": "x-thin-open"},
        "line": {"dash": "dot", "width": 1},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "thickness": 1,
            "array": [(point.high if point.high is not None else point.quality) - point.quality for point in points],
            "arrayminus": [point.quality - (point.low if point.low is not None else point.quality) for point in points],
        },
        "hovertemplate": "%{text} at %{x}<extra></extra>",
    }


def _plain(text: str) -> str:
    """Plotly reads a little markup in labels: what people named may not add to it."""
    return text.replace("&", "&amp;").replace("<", "&lt;")[:120]
