"""Answers to "what is behind this label", kept in the process for a second: applications ask at every call.

A moved label is seen everywhere within that second, and at once in the process that moved it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SECONDS = 1.0
MOST = 2048

Key = tuple[int, str, str, str, str]
Answer = tuple[bytes, str]

_kept: dict[Key, tuple[float, Answer]] = {}
_lock = threading.Lock()


def kept(key: Key, make: Callable[[], Answer]) -> Answer:
    """The body and ETag of a project's (id, path, label, version, commit), made when there is none from this second."""
    found = _kept.get(key)
    if found is not None and found[0] > time.monotonic():
        return found[1]
    answer = make()
    with _lock:
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = (time.monotonic() + SECONDS, answer)
    return answer


def forget() -> None:
    """Empty this process's answers."""
    with _lock:
        _kept.clear()
