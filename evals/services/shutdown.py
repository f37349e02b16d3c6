"""A worker that is told to end lets its slices know: they hand back what has not started."""

from __future__ import annotations

from multiprocessing import sharedctypes
from typing import Any

# Shared with the children, which are forked later; one byte needs no lock, so a signal handler may write it.
_asked: Any = sharedctypes.RawValue("b", 0)


def ask(**_: object) -> None:
    """Called in the worker's parent process."""
    _asked.value = 1


def is_asked() -> bool:
    return bool(_asked.value)
