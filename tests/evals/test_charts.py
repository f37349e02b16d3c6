"""Drawings as plain numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evals import charts


@given(st.lists(st.floats(0, 100_000), max_size=200))
def test_every_latency_falls_into_one_bar_inside_the_picture(latencies: list[float]) -> None:
    drawn = charts.latency_histogram(latencies)
    if drawn is None:
        return
    assert sum(bar.count for bar in drawn.bars) == len(latencies)
    assert len(drawn.bars) <= charts.MOST_BARS
    assert all(bar.x >= 0 and bar.x + bar.width <= charts.WIDTH and bar.label_y > 0 for bar in drawn.bars)


def test_latencies_that_are_all_alike_need_no_picture() -> None:
    assert charts.latency_histogram([20.0] * 60) is None
    assert charts.latency_histogram([]) is None


def test_spans_share_one_line_of_a_hundred_units() -> None:
    first, second = charts.span_bars([("render", "render", 0, 10), ("model", "llm", 10, 90)])
    assert (first.x, first.width, second.x, second.width) == (0.0, 10.0, 10.0, 90.0)
