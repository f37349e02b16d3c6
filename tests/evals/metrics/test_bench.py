from __future__ import annotations

import pytest

from evals.metrics import METRICS
from tests.bench import metrics as bench


def test_the_bench_measures_every_metric_that_asks_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(bench.CHEAP) == {name for name, metric in METRICS.items() if not metric.asks_model}
    found = bench.run(pairs=3)
    # A score that is none would cost nothing.
    assert {name: cost.unscored for name, cost in found.items() if cost.unscored} == {}
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in METRICS if name in found)
