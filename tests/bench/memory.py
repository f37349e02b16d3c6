"""Peak resident memory of the worker group over runs of growing size: it must not grow with the dataset.

`python -m tests.bench memory`; slow, so it is not part of `make bench` without a name.
"""

from __future__ import annotations

from tests.bench import processes
from tests.bench.runs import engine, said
from tests.installation import Installation, workers_of

SIZES = (1_000, 50_000)
GROWTH_BAR = 1.25


def run() -> bool:
    """Print the table; True when the larger run of each kind needs at most GROWTH_BAR times the smaller's memory."""
    print("Peak resident memory of the runs worker and its child, SQLite and the embedded queue")
    print(f"{'run':30}{'examples':>10}{'seconds':>10}{'peak':>10}{'growth':>8}  bar")
    with Installation() as it:
        it.start_provider()
        it.seed()
        engine(it, "warm", 100, 20)
        recorded = {"prompt": "", "recorded": "expected"}
        return all([series(it, "recorded outputs", **recorded), series(it, "answers at zero latency")])


def series(it: Installation, name: str, **wanted: str) -> bool:
    peaks: list[float] = []
    for size in SIZES:
        worker, _ = workers_of(it)
        processes.forget_peaks(worker)
        took = engine(it, f"{name.partition(' ')[0]}-{size}", size, 50, **wanted)
        peaks.append(processes.peak_mb(worker))
        growth = peaks[-1] / peaks[0]
        print(
            f"{name:30}{size:>10,}{took:>9.1f}s{peaks[-1]:>7.0f} MB{growth:>8.2f}"
            f"  {GROWTH_BAR} {said(growth <= GROWTH_BAR)}",
            flush=True,
        )
    return peaks[-1] <= GROWTH_BAR * peaks[0]
