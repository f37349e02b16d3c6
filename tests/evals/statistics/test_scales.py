from __future__ import annotations

import math

import pytest

from evals import metrics
from evals.statistics.scales import Scale, significant

HUNDRED = Scale(0.0, 100.0, unit="")
LATENCY = Scale(0.0, math.inf, False, "ms")
COST = Scale(0.0, math.inf, False, "$")
ERRORS = Scale(0.0, math.inf, False)


@pytest.mark.parametrize(
    ("scale", "value", "shown", "score", "difference"),
    [
        (Scale(), 0.617, "61.7 %", "0.617", "+61.7"),
        (HUNDRED, 31.24, "31.2", "31.2", "+31.2"),
        (LATENCY, 1234.5, "1,234 ms", "1,234 ms", "+1,234 ms"),
        (LATENCY, 4.0, "4.00 ms", "4 ms", "+4.00 ms"),
        (LATENCY, 0.0, "0 ms", "0 ms", "0 ms"),
        (COST, 0.001234, "$0.00123", "$0.00123", "+$0.00123"),
        (ERRORS, 1.305, "130.5 %", "130.5 %", "+130.5"),
        (Scale(-math.inf, math.inf, unit=""), -12.34, "-12.3", "-12.3", "-12.3"),
    ],
)
def test_values_are_read_as_the_metric_measures_them(
    scale: Scale, value: float, shown: str, score: str, difference: str
) -> None:
    assert (scale.shown(value), scale.score(value), scale.difference(value)) == (shown, score, difference)
    assert scale.shown(None) == scale.difference(None) == "none"
    assert scale.interval(None, value) == ""


def test_intervals_are_in_the_unit_of_their_value() -> None:
    assert Scale().interval(0.5, 0.6125) == "50.0 to 61.3"
    assert HUNDRED.interval(28.06, 34.0) == "28.1 to 34.0"
    assert LATENCY.interval(980.0, 1500.0) == "980 to 1,500"
    assert COST.interval(0.001, 0.02) == "$0.00100 to $0.0200"
    assert COST.differences(-0.001, 0.02) == "-$0.00100 to +$0.0200"
    assert HUNDRED.differences(-1.0, 2.5) == "-1.0 to +2.5"


def test_axes_go_over_the_range_or_from_zero_to_a_round_number() -> None:
    ends = [(axis.start, axis.end, axis.low, axis.high) for axis in (Scale().axis(), HUNDRED.axis([31.0]))]
    assert ends == [(0.0, 1.0, "0", "100 %"), (0.0, 100.0, "0", "100")]
    axis = LATENCY.axis([980.0, None, 1500.0])
    assert (axis.start, axis.end, axis.low, axis.high) == (0.0, 2000.0, "0", "2,000 ms")
    assert COST.axis([0.0042]).high == "$0.00500"
    below = Scale(-math.inf, math.inf, unit="").axis([-30.0, 60.0])
    assert (below.start, below.end) == (-50.0, 100.0)
    assert ERRORS.axis([]).high == "100 %"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (1e-15, "0"), (0.000123456, "0.000123"), (12.34, "12.3"), (1234567.8, "1,234,568"), (-2.5, "-2.50")],
)
def test_numbers_without_a_range_keep_three_digits_and_no_exponent(value: float, words: str) -> None:
    assert significant(value) == words


def test_what_is_no_share_declares_its_unit() -> None:
    shares = {name for name, metric in metrics.METRICS.items() if metric.unit == "%"}
    others = {name: metric.unit for name, metric in metrics.METRICS.items() if name not in shares}
    assert {name for name in shares if metrics.METRICS[name].high != 1} == {"cer", "wer"}
    assert others == {
        "bleu": "", "chrf": "", "ter": "", "reading_ease": "", "latency": "ms", "tokens": "tokens", "cost": "$",
        "length": "characters", "word_count": "words", "sentence_count": "sentences", "levenshtein_distance": "edits",
    }  # fmt: skip
