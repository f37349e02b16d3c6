"""An output beside the expected answer: lines that differ, with the words in them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DIFF = 20_000


@dataclass(frozen=True, slots=True)
class Piece:
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    number: int
    tone: str
    sign: str
    word: str
    pieces: list[Piece]


def diff(output: str, expected: Any) -> list[DiffLine]:
    """Line by line, words marked; JSON is as_text alike on both sides first. Empty when there is nothing to compare."""
    if expected is None or not output or len(output) > MAX_DIFF:
        return []
    wanted = as_text(expected)
    if not isinstance(expected, str):
        try:
            output = json.dumps(json.loads(output), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            return []
    if len(wanted) > MAX_DIFF:
        return []
    return list(_diff_lines(output.splitlines(), wanted.splitlines()))


def _diff_lines(output: list[str], wanted: list[str]) -> Iterator[DiffLine]:
    number = 0
    for kind, a, b, c, d in difflib.SequenceMatcher(None, output, wanted, autojunk=False).get_opcodes():
        if kind == "equal":
            for line in output[a:b]:
                number += 1
                yield DiffLine(number, "", "", "", [Piece("", line)])
            continue
        paired = min(b - a, d - c)
        for got, want in zip(output[a : a + paired], wanted[c : c + paired], strict=True):
            number += 1
            yield DiffLine(number, "accent", "~", "changed", list(_words(got, want)))
        for line in output[a + paired : b]:
            number += 1
            yield DiffLine(number, "bad", "−", "not expected", [Piece("del", line)])
        for line in wanted[c + paired : d]:
            number += 1
            yield DiffLine(number, "good", "+", "expected", [Piece("ins", line)])


def _words(got: str, want: str) -> Iterator[Piece]:
    a, b = _split(got), _split(want)
    for kind, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("", "".join(a[i:j]))
            continue
        if j > i:
            yield Piece("del", "".join(a[i:j]))
        if m > k:
            yield Piece("ins", "".join(b[k:m]))


def _split(line: str) -> list[str]:
    words: list[str] = []
    for character in line:
        if words and character.isalnum() and words[-1][-1:].isalnum():
            words[-1] += character
        else:
            words.append(character)
    return words


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON, nothing as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
