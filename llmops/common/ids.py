"""Identifiers that leave the house: time-ordered UUIDs, shown as `run_0198c…`."""

from __future__ import annotations

import os
import time
import uuid

from llmops.common.errors import NotFound


def uuid7() -> uuid.UUID:
    """A version 7 UUID (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def public(prefix: str, uid: uuid.UUID) -> str:
    """The form that clients see, such as `run_0198c0ffee…`."""
    return f"{prefix}_{uid.hex}"


def parse(prefix: str, text: str) -> uuid.UUID:
    """Read what `public` wrote; a bare UUID is taken too.

    :raises NotFound: for anything else, as for an id that does not exist.
    """
    try:
        return uuid.UUID(text.removeprefix(f"{prefix}_"))
    except ValueError:
        raise NotFound(f"There is no {prefix} {text[:60]!r} here.") from None
