"""The supervisor restarts what dies and takes everything down when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmops.common.supervisor import Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(say=lambda _: None, folder=tmp_path)
    yield supervisor
    supervisor.stop()


def pid_of(supervisor: Supervisor, index: int = 0) -> int:
    process = supervisor.children[index].process
    assert process is not None
    return process.pid


def test_a_killed_child_is_started_again_and_its_neighbour_is_left_alone(supervisor: Supervisor) -> None:
    supervisor.add("one", SLEEP)
    supervisor.add("two", SLEEP)
    first, neighbour = pid_of(supervisor), pid_of(supervisor, 1)
    os.kill(first, signal.SIGKILL)

    def restarted() -> bool:
        supervisor.tick()
        process = supervisor.children[0].process
        return process is not None and process.pid != first

    until(restarted)
    assert pid_of(supervisor, 1) == neighbour


def test_a_child_that_keeps_dying_is_given_more_and_more_time(supervisor: Supervisor) -> None:
    supervisor.add("broken", [sys.executable, "-c", "raise SystemExit(3)"])

    def failed_three_times() -> bool:
        supervisor.tick()
        return supervisor.children[0].failures >= 3

    until(failed_three_times)
    assert supervisor.children[0].start_after - time.monotonic() > 1.0


def test_stop_kills_a_child_that_ignores_the_polite_signal(supervisor: Supervisor) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    supervisor.add("stubborn", [sys.executable, "-c", stubborn])
    time.sleep(0.5)
    pid = pid_of(supervisor)
    supervisor.stop(patience_s=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_children_die_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from llmops.common.supervisor import Supervisor;"
        "s = Supervisor(say=print, folder=Path('.'));"
        "s.add('one', [sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(s.children[0].process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        status = Path(f"/proc/{child}/status")
        return not status.exists() or "State:\tZ" in status.read_text()

    until(gone)
