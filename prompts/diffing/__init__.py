"""What changed between two prompts: word by word in each message, name by name in the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from prompts.prompty import Part, PromptSpec

MAX_LINES = 2_000
MAX_WORDS = 2_000
KEPT_AROUND = 2

# A word takes the space before it along: on their own, spaces match anywhere and tear words apart.
_WORDS = re.compile(r"\s*[^\W_]+|\s*\S|\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text; `op` is same, added or removed."""

    op: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """`op` is same, added, removed, changed, or skip (then `count` equal lines are left out)."""

    op: str
    number: int = 0
    pieces: tuple[Piece, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True)
class PartDiff:
    """One message."""

    role: str
    lines: tuple[Line, ...]
    changed: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that differs; empty text means that it is not there."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences; `same` when there is none."""

    parts: tuple[PartDiff, ...]
    settings: tuple[Setting, ...]

    @property
    def same(self) -> bool:
        return not self.settings and not any(part.changed for part in self.parts)


def compare(old: PromptSpec, new: PromptSpec) -> Diff:
    """The differences from `old` to `new`. Messages are paired by place and role."""
    return Diff(tuple(_parts(old.parts, new.parts)), tuple(_settings(old, new)))


def lines(old: str, new: str) -> tuple[Line, ...]:
    """The lines of `new` against `old`; long stretches of equal lines are left out."""
    before, after = _split(old), _split(new)
    if len(before) > MAX_LINES or len(after) > MAX_LINES:
        return tuple(_replaced(before, after, 1, 1)) if old != new else (Line("skip", count=len(after)),)
    found: list[Line] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for op, i1, i2, j1, j2 in matcher.get_opcodes():
        if op == "equal":
            found += [Line("same", j + 1, (Piece("same", after[j]),)) for j in range(j1, j2)]
        else:
            found += _replaced(before[i1:i2], after[j1:j2], i1 + 1, j1 + 1)
    return tuple(_folded(found))


def _split(text: str) -> list[str]:
    return text.split("\n") if text else []


def _parts(old: Sequence[Part], new: Sequence[Part]) -> Iterator[PartDiff]:
    matcher = SequenceMatcher(None, [part.role for part in old], [part.role for part in new], autojunk=False)
    for op, i1, i2, j1, j2 in matcher.get_opcodes():
        if op == "equal":
            for before, after in zip(old[i1:i2], new[j1:j2], strict=True):
                yield _part(after.role, before.content, after.content)
            continue
        for gone in old[i1:i2]:
            yield _part(gone.role, gone.content, "")
        for come in new[j1:j2]:
            yield _part(come.role, "", come.content)


def _part(role: str, old: str, new: str) -> PartDiff:
    found = lines(old, new)
    return PartDiff(role, found, sum(line.op not in {"same", "skip"} for line in found))


def _replaced(before: Sequence[str], after: Sequence[str], old_at: int, new_at: int) -> Iterator[Line]:
    """Lines side by side as far as both go; those that share words are one changed line."""
    paired = min(len(before), len(after))
    for index in range(paired):
        pieces = _words(before[index], after[index])
        if any(piece.op == "same" and piece.text.strip() for piece in pieces):
            yield Line("changed", new_at + index, pieces)
        else:
            yield Line("removed", old_at + index, (Piece("removed", before[index]),))
            yield Line("added", new_at + index, (Piece("added", after[index]),))
    for index in range(paired, len(before)):
        yield Line("removed", old_at + index, (Piece("removed", before[index]),))
    for index in range(paired, len(after)):
        yield Line("added", new_at + index, (Piece("added", after[index]),))


def _words(old: str, new: str) -> tuple[Piece, ...]:
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    if len(before) > MAX_WORDS or len(after) > MAX_WORDS:
        return (Piece("removed", old), Piece("added", new))
    found: list[Piece] = []
    for op, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if op == "equal":
            found.append(Piece("same", "".join(after[j1:j2])))
            continue
        if i2 > i1:
            found.append(Piece("removed", "".join(before[i1:i2])))
        if j2 > j1:
            found.append(Piece("added", "".join(after[j1:j2])))
    return tuple(found)


def _folded(found: Sequence[Line]) -> Iterator[Line]:
    keep = {
        place
        for index, line in enumerate(found)
        if line.op != "same"
        for place in range(index - KEPT_AROUND, index + KEPT_AROUND + 1)
    }
    skipped = 0
    for index, line in enumerate(found):
        if index not in keep:
            skipped += 1
            continue
        if skipped:
            yield Line("skip", count=skipped)
            skipped = 0
        yield line
    if skipped:
        yield Line("skip", count=skipped)


def _settings(old: PromptSpec, new: PromptSpec) -> Iterator[Setting]:
    before, after = _flat(old), _flat(new)
    for name in [*before, *(name for name in after if name not in before)]:
        if before.get(name, "") != after.get(name, ""):
            yield Setting(name, before.get(name, ""), after.get(name, ""))


def _flat(spec: PromptSpec) -> dict[str, str]:
    flat = {"name": spec.name, "description": spec.description, "model": spec.model, "provider": spec.provider}
    flat |= {f"parameters.{name}": _shown(value) for name, value in spec.parameters.items()}
    flat |= {f"input {one.name}": _shown(_input(one)) for one in spec.inputs}
    flat |= {"outputs": _shown(spec.outputs), "tools": _shown(spec.tools)}
    return flat | {name: _shown(value) for name, value in spec.extra.items()}


def _input(one: Any) -> Mapping[str, Any]:
    return {"kind": one.kind, "description": one.description} | ({"default": one.default} if one.has_default else {})


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
