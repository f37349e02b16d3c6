"""Feedback tokens: leave for one person to react to one call until a moment, signed by who holds a secret key.

    ft.<first ten characters of the key>.<payload>.<signature>

`payload` is base64url (without padding) of `{"call": …, "end_user": …, "exp": <seconds since 1970>}`; `signature` is
HMAC-SHA-256 over the payload's text, in hex, keyed by the SHA-256 of the secret key. So an app signs in one line and
without a request, and the platform checks without keeping the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from llmops.common import text
from llmops.common.errors import DomainError

MARK = "ft."
LONGEST = 2_000
MAX_NAME = 200
LATEST = 2**40  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token allows. `expires_at` is in seconds since 1970."""

    call: str
    end_user: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A token's parts before the signature is checked; `prefix` names the key."""

    prefix: str
    payload: str
    signature: str


class TokenRefused(DomainError):
    """Broken, forged, expired and unknown tokens look the same."""

    code = "unauthorized"
    status = 401

    def __init__(self) -> None:
        super().__init__("The feedback token is not good, or no longer good.")


def is_token(bearer: str) -> bool:
    """Whether the text of an Authorization header is meant as a token."""
    return bearer.startswith(MARK)


def sign(claim: Claim, *, prefix: str, key_digest: bytes) -> str:
    """The token; `key_digest` is the SHA-256 of the secret key that `prefix` begins."""
    fields = {"call": claim.call, "end_user": claim.end_user, "exp": claim.expires_at}
    spelled = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    payload = base64.urlsafe_b64encode(spelled).decode().rstrip("=")
    return f"{MARK}{prefix}.{payload}.{_signature(payload, key_digest)}"


def parsed(bearer: str) -> Sealed:
    """The parts of a token.

    :raises TokenRefused: for anything of another shape.
    """
    parts = bearer.split(".")
    if len(bearer) > LONGEST or not bearer.isascii() or len(parts) != 4:
        raise TokenRefused
    _, prefix, payload, signature = parts
    return Sealed(prefix, payload, signature)


def opened(sealed: Sealed, *, key_digest: bytes, now: float) -> Claim:
    """What the token allows. `now` is in seconds since 1970.

    :raises TokenRefused: when the signature is wrong, the time is over, or the payload makes no sense.
    """
    if not hmac.compare_digest(_signature(sealed.payload, key_digest), sealed.signature.lower()):
        raise TokenRefused
    claim = _claim(sealed.payload)
    if claim is None or claim.expires_at <= now:
        raise TokenRefused
    return claim


def _signature(payload: str, key_digest: bytes) -> str:
    return hmac.new(key_digest, payload.encode(), hashlib.sha256).hexdigest()


def _claim(payload: str) -> Claim | None:
    try:
        padded = payload + "=" * (-len(payload) % 4)
        fields: Any = text.loads(base64.b64decode(padded, altchars=b"-_", validate=True), max_bytes=LONGEST)
    except (binascii.Error, DomainError):
        return None
    if not isinstance(fields, dict):
        return None
    call, end_user, exp = fields.get("call"), fields.get("end_user"), fields.get("exp")
    if not isinstance(exp, int) or isinstance(exp, bool) or not 0 < exp < LATEST:
        return None
    if not isinstance(call, str) or not isinstance(end_user, str):
        return None
    is_named = 0 < len(call) <= MAX_NAME and 0 < len(end_user) <= MAX_NAME
    return Claim(call, end_user, exp) if is_named else None
