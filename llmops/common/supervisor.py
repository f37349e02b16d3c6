"""Keeps a few child processes alive in the foreground: restarts what dies, takes everything down on Ctrl-C.

Not a service manager: for one machine, started by `manage.py up`. In production each process has its own unit.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEADY_S = 10.0
LONGEST_WAIT_S = 15.0
PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    """One process to keep alive. `failures` counts deaths in a row that came soon after a start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_after: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Start children with `add`, then call `tick` now and then, or `run` until a signal comes."""

    say: Callable[[str], None]
    folder: Path
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def add(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Start a process and keep it alive."""
        child = Child(name, command, {**os.environ, **environment})
        self.children.append(child)
        self._start(child)

    def tick(self) -> None:
        """Restart what has died: at once the first time, later after a growing wait."""
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and (code := child.process.poll()) is not None:
                child.process = None
                steady = now - child.started_at > STEADY_S
                child.failures = 0 if steady else child.failures + 1
                wait = min(LONGEST_WAIT_S, 0.0 if child.failures < 2 else 2.0 ** (child.failures - 1))
                child.start_after = now + wait
                self.say(
                    f"{child.name} ended ({_reason(code)}); starting it again" + (f" in {wait:.0f} s" if wait else "")
                )
            if child.process is None and now >= child.start_after:
                self._start(child)

    def run(self) -> None:
        """Tick until SIGINT or SIGTERM, then stop everything."""
        try:
            while not self.stopping:
                self.tick()
                time.sleep(0.2)
        finally:
            self.stop()

    def catch_signals(self) -> None:
        """Make SIGINT and SIGTERM end `run`."""

        def stop(_signal: int, _frame: object) -> None:
            self.stopping = True

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)

    def stop(self, patience_s: float = 10.0) -> None:
        """Ask every child to end, then kill the process groups of those that do not."""
        alive = [child.process for child in self.children if child.process is not None and child.process.poll() is None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + patience_s
        for process in alive:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.children.clear()

    def _start(self, child: Child) -> None:
        child.started_at = time.monotonic()
        child.process = subprocess.Popen(  # noqa: S603 (our own commands, no shell)
            child.command,
            env=dict(child.environment),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )


def _die_with_parent() -> None:
    """A supervisor killed with -9 must not leave children that hold the port."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
