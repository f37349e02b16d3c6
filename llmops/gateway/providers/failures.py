"""From an SDK's exception to the gateway's error: both SDKs are built alike, so one translation serves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2

from llmops.gateway import retry_after
from llmops.gateway.errors import Code, Permanent, ProviderError, Refused, Transient
from llmops.gateway.transport import AnswerTooLarge, refusal_in

_PERMANENT: dict[int, tuple[Code, str]] = {
    400: ("bad_request", "The provider did not accept the request."),
    404: ("model_not_found", "The provider does not know this model, or the address is wrong."),
    413: ("too_large", "The request is too large for the provider."),
    422: ("bad_request", "The provider did not accept the request."),
}
_REFUSED: dict[int, tuple[Code, str]] = {
    401: ("auth", "The provider does not accept the key."),
    402: ("quota", "The provider's account has no credit left."),
    403: ("auth", "The provider does not allow this account to do that."),
}


def translated(error: Exception, *, partial: str = "") -> ProviderError:
    """What an exception of the openai or anthropic package, or of the network under it, means."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 300:  # an error event inside a stream comes with the stream's 200
        return _of_status(status, error, partial)
    if refusal_in(error) is not None:
        return Permanent("egress_refused", "This address must not be called: it is not on the public internet.")
    if _caused_by(error, AnswerTooLarge):
        return Permanent("too_large", "The provider's answer is too large.", partial=partial)
    if _caused_by(error, httpx2.TimeoutException):
        return Transient("timeout", "The provider did not answer in time.", partial=partial)
    if _caused_by(error, httpx2.ConnectError):
        return Transient("connect", "The provider cannot be reached.")
    if _caused_by(error, httpx2.TransportError):
        return Transient("truncated", "The provider's answer broke off.", partial=partial)
    return Transient("bad_response", "The provider's answer cannot be read.", partial=partial)


def _of_status(status: int, error: Any, partial: str) -> ProviderError:
    if status in _REFUSED:
        return Refused(*_REFUSED[status], status=status)
    if status == 429 and _code(error) in {"insufficient_quota", "billing_hard_limit_reached"}:
        return Refused("quota", "The provider's account has no credit left.", status=status)
    if status in {408, 409, 425, 429} or status >= 500:
        header = error.response.headers.get("retry-after")
        code: Code = "rate_limited" if status == 429 else "overloaded" if status == 529 else "server_error"
        message = "The provider asks to slow down." if status == 429 else f"The provider failed (HTTP {status})."
        wait = retry_after.seconds(header, now=datetime.now(UTC))
        return Transient(code, message, status=status, partial=partial, retry_after_s=wait)
    code, message = _PERMANENT.get(status, ("bad_request", f"The provider refused the request (HTTP {status})."))
    return Permanent(code, message, status=status)


def _code(error: Any) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            return str(inner.get("code") or inner.get("type") or "")
    return ""


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
