"""The intake gate for text and JSON: what no database or client could store faithfully is refused, with a reason."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from llmops.common.errors import Invalid, TooLarge

MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 100
SHOWN = 120

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Json = Any


def problem(text: str) -> str | None:
    """Why this text cannot be stored, or None."""
    if found := _UNSTORABLE.search(text):
        name = "a NUL character" if found.group() == "\x00" else "half of a surrogate pair"
        return f"contains {name} at position {found.start() + 1}"
    return None


def repaired(text: str) -> str:
    """The text with what cannot be stored replaced by U+FFFD: for logged calls, where losing the event is worse."""
    return _UNSTORABLE.sub("\ufffd", text)


def loads(body: bytes | str, *, max_bytes: int, repair: bool = False) -> Json:
    """Parse JSON strictly: finite numbers, bounded depth, storable text, no duplicate keys.

    With `repair`, text that cannot be stored is replaced instead of refused.

    :raises TooLarge: when the body is longer than `max_bytes`.
    :raises Invalid: with the reason, for anything else that is not acceptable.
    """
    if len(body) > max_bytes:
        raise TooLarge(f"The body is {len(body):,} bytes; the limit is {max_bytes:,}.")
    try:
        value = json.loads(
            body,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded_integer,
            object_pairs_hook=_unique_keys,
        )
    except RecursionError:
        raise Invalid(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except UnicodeDecodeError as error:
        raise Invalid(f"The body is not UTF-8 (byte {error.start + 1}).") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    return storable(value, repair=repair)


def storable(value: Json, *, repair: bool = False, path: str = "") -> Json:
    """The value, checked (or repaired) text by text, at most MAX_DEPTH levels deep.

    :raises Invalid: naming the place, for NUL, lone surrogates, too deep nesting or numbers that are not finite.
    """
    return _walk(value, repair, path, 0)


def _walk(value: Json, repair: bool, path: str, depth: int) -> Json:
    if depth >= MAX_DEPTH and isinstance(value, dict | list):
        raise Invalid(f"The value is nested deeper than {MAX_DEPTH} levels.", fields=_at(path, "nested too deeply"))
    if isinstance(value, str):
        if (reason := problem(value)) is None:
            return value
        if repair:
            return repaired(value)
        raise Invalid(f"{shown(path) or 'The text'} {reason}.", fields=_at(path, reason))
    if isinstance(value, dict):
        return {
            _walk(key, repair, path, depth + 1): _walk(item, repair, f"{path}.{key}" if path else str(key), depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_walk(item, repair, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid(f"{shown(path) or 'A number'} is not finite.", fields=_at(path, "not a finite number"))
    return value


def _at(path: str, reason: str) -> dict[str, str]:
    return {shown(path): reason} if path else {}


def shown(text: str) -> str:
    """A client's own text for an error message: short, and free of what no answer can carry."""
    return repaired(text[:SHOWN])


def _refuse_constant(name: str) -> Json:
    raise Invalid(f"{name} is not a JSON number.")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise Invalid(f"The number {literal[:40]} is out of range.")
    return number


def _bounded_integer(literal: str) -> int:
    if len(literal) > MAX_INTEGER_DIGITS:
        raise Invalid(f"A whole number of {len(literal):,} digits is out of range.")
    return int(literal)


def _unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise Invalid(f"The key {shown(key)!r} is there twice.", fields={shown(key): "given twice"})
        found[key] = value
    return found
