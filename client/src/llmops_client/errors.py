"""What the command says and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """How the process ends; CI reads it."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 2
    ERROR = 3


class Problem(Exception):
    """The command cannot go on, for a reason that its user can understand."""


class Refused(Problem):
    """The server's answer to a request that it did not accept; `body` is its JSON object, or empty."""

    def __init__(self, status: int, what: str, body: Mapping[str, Any]) -> None:
        error = body.get("error") if isinstance(body.get("error"), dict) else {}
        assert isinstance(error, dict)
        self.status = status
        self.body = body
        self.retry_after = ""
        self.code = str(error.get("code", ""))
        self.fields = dict(error.get("fields") or {})
        message = str(error.get("message") or f"the server answered {status}")
        details = "".join(f"\n  {name}: {reason}" for name, reason in self.fields.items())
        super().__init__(f"{what}: {message}{details}")
