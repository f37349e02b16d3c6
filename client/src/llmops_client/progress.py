"""How far runs are, on stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TextIO

Json = Any
EVERY_S = 10.0


class Progress:
    """On a terminal one line that is written over; elsewhere (the log of CI) a line when something ends, and every ten
    seconds."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.on_terminal = stream.isatty()
        self.last_line, self.last_at, self.last_done = "", 0.0, -1

    def say(self, sentence: str) -> None:
        self.end()
        self.stream.write(f"{sentence}\n")
        self.stream.flush()

    def show(self, runs: Mapping[str, Json]) -> None:
        line = " · ".join(f"{role} {_of(run)}" for role, run in runs.items())
        if line == self.last_line:
            return
        if self.on_terminal:
            self.stream.write(f"\r\033[K{line}")
            self.last_line = line
        else:
            done = sum(run["status"] == "done" for run in runs.values())
            if done == self.last_done and time.monotonic() - self.last_at < EVERY_S:
                return
            self.stream.write(f"{line}\n")
            self.last_line, self.last_at, self.last_done = line, time.monotonic(), done
        self.stream.flush()

    def end(self) -> None:
        if self.on_terminal and self.last_line:
            self.stream.write("\n")
        self.last_line = ""


def _of(run: Json) -> str:
    failed = f", {run['failed']} failed" if run["failed"] else ""
    left = f", about {run['left_s']:.0f} s left" if run["left_s"] else ""
    return f"{run['done']}/{run['total']}{failed}{left}"
