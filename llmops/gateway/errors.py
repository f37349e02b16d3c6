"""What can go wrong with a model's provider: transient errors are tried again, permanent ones are results."""

from __future__ import annotations

from typing import Literal

# Every way a call can fail. Results keep the code; pages say for each what to do (evals/queries/run_pages.py).
Code = Literal[
    "auth", "bad_request", "bad_response", "cancelled", "connect", "content_filter", "deadline", "egress_refused",
    "limit_wait", "model_not_found", "no_embeddings", "overloaded", "quota", "rate_limited", "server_error", "timeout",
    "too_large", "truncated", "unknown_kind",
]  # fmt: skip


class ProviderError(Exception):
    """`code` is for machines and for grouping; `partial` is text that came before the failure.

    Messages are the platform's own words: what a remote server answered is never shown to users.
    """

    transient = False

    def __init__(self, code: Code, message: str, *, status: int | None = None, partial: str = "") -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.status = status
        self.partial = partial


class Transient(ProviderError):
    """May go well another time; `retry_after_s` is what the provider asked for, clamped."""

    transient = True

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        status: int | None = None,
        partial: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, message, status=status, partial=partial)
        self.retry_after_s = retry_after_s


class Permanent(ProviderError):
    """Would fail again just so."""


class Refused(Permanent):
    """The account or the key is at fault: every other call of the connection would fail too."""
