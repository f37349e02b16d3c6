"""Outputs and expected values as text, and the named ways to make two texts comparable."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"\w+(?:['’-]\w+)*", re.UNICODE)
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*(?:\s+|\Z)|[。！？]+|\n\s*\n")
_CURRENCY = "$€£¥"
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][-+]?[0-9]{1,3})?\Z")
_CHOICE = re.compile(
    r"(?:(?:the\s+)?(?:answer|option|choice)\s*(?:is)?\s*:?\s*)?[(\[{*]*([a-z]|[0-9]{1,2})(?:[)\]}.:*\s]|\Z)"
)


def as_text(value: Any) -> str:
    """Text as it is; anything else as JSON with sorted keys."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def candidates(expected: Any) -> list[str]:
    """The texts of which any one is right: a list's items, else the value itself. None means that there is none."""
    if expected is None:
        return []
    if isinstance(expected, list):
        return [as_text(item) for item in expected]
    return [as_text(expected)]


def words(text: str) -> list[str]:
    """The runs of letters and digits; an apostrophe or hyphen inside keeps a word together."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """The parts between full stops, question and exclamation marks and empty lines that hold a word.

    A rule, no model: abbreviations such as “e.g.” end a sentence.
    """
    return [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]


def comma_separated(line: str) -> list[str]:
    """The texts of a line with commas between them; double quotes hold one together, `\\"` is a quote inside."""
    found, current, quoted, place = [], "", False, 0
    was_quoted = False
    while place < len(line):
        character = line[place]
        if quoted and character == "\\" and line[place + 1 : place + 2] == '"':
            current += '"'
            place += 1
        elif character == '"' and (quoted or not current.strip()):
            current = current if quoted else ""
            quoted, was_quoted = not quoted, True
        elif character == "," and not quoted:
            found.append(current if was_quoted else current.strip())
            current, was_quoted = "", False
        elif quoted or not was_quoted:
            current += character
        place += 1
    return [*found, current if was_quoted else current.strip()]


def none(text: str) -> str:
    return text


def casefold(text: str) -> str:
    """Without case, outer spaces and repeated spaces."""
    return " ".join(text.casefold().split())


def without_punctuation(text: str) -> str:
    return text.translate(_PUNCTUATION)


def squad(text: str) -> str:
    """As the official SQuAD script does: lower case, no punctuation, no English articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def decimal(text: str) -> Decimal | None:
    """The number that the text writes, commas as thousands and a currency or percent sign around it; or None.

    A final full stop is the sentence's. `1,234.50`, `$1234.5` and `1.2345e3` are read; words and units are not.
    """
    bare = text.strip().rstrip(".").replace(",", "").replace("\u2212", "-")
    sign = "-" if bare.startswith("-") else ""
    bare = sign + bare.removeprefix("-").strip().strip(_CURRENCY).rstrip("%").strip()
    if not _NUMBER.match(bare):
        return None
    try:
        return Decimal(bare)
    except InvalidOperation:
        return None


def number(text: str) -> str:
    """The number in one spelling (`18`, `18.0` and `$18` are equal); text that is no number as `casefold`."""
    value = decimal(text)
    if value is None:
        return casefold(text)
    if value == 0:
        return "0"
    return f"{value.normalize():f}"


def choice(text: str) -> str:
    """The letter or number of an option: `(B)`, `b.`, `B) Paris` and `Answer: B` are `b`; other text as `casefold`."""
    folded = casefold(text)
    found = _CHOICE.match(folded)
    return found.group(1) if found else folded


NORMALIZERS: dict[str, Callable[[str], str]] = {
    "none": none,
    "casefold": casefold,
    "squad": squad,
    "number": number,
    "choice": choice,
}
