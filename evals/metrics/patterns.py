"""Regular expressions of users: google-re2 alone, with bounds on pattern, memory and work."""

from __future__ import annotations

import functools
from typing import Any

import re2

from llmops.common import text as intake
from llmops.common.errors import Invalid

MAX_PATTERN = 1_000
MAX_MEMORY = 8 * 1024 * 1024
# Searching again behind each match can read the rest of the text each time; this many characters are read at most.
MAX_WORK = 100_000_000


class TooMuchWork(Exception):
    """The pattern matches so often in so long a text that finding the last match is not worth its time."""


def compiled(pattern: str, field: str, *, ignore_case: bool = False) -> Any:
    """The compiled pattern.

    :raises Invalid: with the reason at `field`; look-around and back-references do not exist in re2.
    """
    if len(pattern) > MAX_PATTERN:
        raise Invalid("The pattern is too long.", fields={field: f"must be at most {MAX_PATTERN:,} characters"})
    try:
        return _compiled(pattern, ignore_case)
    except (re2.error, UnicodeEncodeError) as error:
        detail = error.args[0] if error.args and isinstance(error, re2.error) else "not valid text"
        reason = detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
        hint = " (look-around and back-references are not supported)" if _wants_backtracking(pattern) else ""
        raise Invalid("The pattern is not acceptable.", fields={field: f"{reason[:120]}{hint}"}) from None


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str, ignore_case: bool) -> Any:
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options)


def _wants_backtracking(pattern: str) -> bool:
    return any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!", "\\1", "\\2", "(?P=", "(?>"))


def own(pattern: str) -> Any:
    """A compiled pattern of the product itself, however long."""
    return _compiled(pattern, False)


def found(pattern: Any, text: str) -> bool:
    """Whether the pattern matches anywhere."""
    return pattern.search(intake.repaired(text)) is not None


def first(pattern: Any, text: str) -> str | None:
    """What the pattern matches first, or None."""
    found = pattern.search(intake.repaired(text))
    return None if found is None else str(found.group())


def without(pattern: Any, text: str) -> str:
    """The text with every match taken out."""
    return str(pattern.sub("", intake.repaired(text)))


def last_group(pattern: Any, text: str) -> str | None:
    """The first group of the last match (the whole match of a pattern without groups), or None.

    :raises TooMuchWork: see MAX_WORK.
    """
    group = 1 if pattern.groups else 0
    clean = intake.repaired(text)
    work, last = 0, None
    for match in pattern.finditer(clean):
        work += len(clean) - match.start()
        if work > MAX_WORK:
            raise TooMuchWork
        last = match
    if last is None:
        return None
    return last.group(group) or ""
