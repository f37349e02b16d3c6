"""The run engine: one asyncio loop that keeps a rolling window of calls in flight over all active runs.

It knows no rows: claiming, calling and storing are passed in (`Desk`, `call`). Fair shares and the circuit that spares
a failing provider are pure functions beside it.
"""

from evals.engine.circuit import Circuit
from evals.engine.fairness import Want, shares
from evals.engine.types import Claimed, Desk, Finished, Stop, Ticket
from evals.engine.window import Limits, keep_full

__all__ = ["Circuit", "Claimed", "Desk", "Finished", "Limits", "Stop", "Ticket", "Want", "keep_full", "shares"]
