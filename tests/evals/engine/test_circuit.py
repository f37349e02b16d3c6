"""The circuit that spares a failing provider."""

from __future__ import annotations

from evals.engine import Circuit
from evals.engine.circuit import FAILURES_TO_OPEN, FIRST_PAUSE_S, LONGEST_PAUSE_S


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Circuit:
    circuit = Circuit(clock)
    for _ in range(FAILURES_TO_OPEN):
        circuit.failed()
    return circuit


def test_a_success_between_failures_keeps_it_closed() -> None:
    circuit = Circuit(Clock())
    for _ in range(10):
        circuit.failed()
        circuit.succeeded()
    assert circuit.room(50) == 50


def test_it_opens_then_lets_one_probe_through_then_everything() -> None:
    clock = Clock()
    circuit = opened(clock)
    assert circuit.room(50) == 0
    clock.now += FIRST_PAUSE_S
    assert circuit.room(50) == 1
    circuit.succeeded()
    assert circuit.room(50) == 50


def test_a_failed_probe_doubles_the_pause_up_to_a_limit() -> None:
    clock = Clock()
    circuit = opened(clock)
    pauses = []
    for _ in range(8):
        pauses.append(circuit.wait_s())
        clock.now += circuit.wait_s()
        circuit.failed()
    assert pauses[:4] == [2, 4, 8, 16]
    assert max(pauses) == LONGEST_PAUSE_S


def test_late_failures_of_calls_that_were_in_flight_do_not_lengthen_the_pause() -> None:
    circuit = opened(Clock())
    for _ in range(40):
        circuit.failed()
    assert circuit.wait_s() == FIRST_PAUSE_S
