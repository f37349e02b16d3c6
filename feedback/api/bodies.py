"""Reading request bodies: bounded, inflated once, and JSON that the database can keep."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest

from llmops.common import text
from llmops.common.errors import DomainError, Invalid, TooLarge

# Numbers beyond this were whole numbers that orjson could not hold exactly: the slower reader keeps their digits.
EXACT = 2.0**63


class Unsupported(DomainError):
    code = "unsupported_media_type"
    status = 415


# A NUL character, which the quick reader keeps, and a colon that `_has_every_pair` would not count.
ESCAPES = (b"\\u0000", b"\\u003a", b"\\u003A")


def parsed(body: bytes) -> tuple[Any, bool]:
    """The quick reader where it is exact, else the strict one, which repairs text that no database could keep.

    :raises Invalid: for what is not JSON, and for a key that is there twice, of which the quick reader keeps the last.
    """
    if not any(escape in body for escape in ESCAPES):
        try:
            value = orjson.loads(body)
            if _has_every_pair(body, value) and not _has_huge_number(value):
                return value, False
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the strict reader says what is wrong
            pass
    return text.loads(body, max_bytes=settings.MAX_JSON_BYTES, repair=True), True


def _has_every_pair(body: bytes, value: Any) -> bool:
    """Whether no key was given twice: every pair has a colon, and those inside of texts stay as they are."""
    return body.count(b":") == orjson.dumps(value).count(b":")


def _has_huge_number(value: Any) -> bool:
    stack = [value]
    while stack:
        inner = stack.pop()
        for one in inner.values() if type(inner) is dict else inner if type(inner) is list else (inner,):
            kind = type(one)
            if kind is dict or kind is list:
                stack.append(one)
            elif kind is float and not -EXACT < one < EXACT:
                return True
    return False


def read(request: HttpRequest) -> bytes:
    """The body, inflated; one layer of gzip, and no more than the limit at any moment."""
    limit = settings.MAX_JSON_BYTES
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limit:
        raise TooLarge(f"The body is {int(length):,} bytes; the limit is {limit:,}.")
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        body: bytes = request.META["wsgi.input"].read(limit + 1)
    else:
        body = request.body
    if len(body) > limit:
        raise TooLarge(f"The body is over the limit of {limit:,} bytes.")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise Unsupported("Content-Encoding may be gzip, once, or absent.")
    return _inflated(body, limit)


def _inflated(body: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise Invalid(f"The body is not gzip: {error}.") from None
    if len(plain) > limit:
        raise TooLarge(f"The inflated body is over the limit of {limit:,} bytes.")
    if not inflater.eof or inflater.unused_data:
        raise Invalid("The gzip body is torn, or something stands behind it.")
    return plain
