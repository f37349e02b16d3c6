"""Whether answers to one version of a rubric are answers to another one."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.rubrics.questions import Question, by_key


def lost_between(old: Sequence[Question], new: Sequence[Question]) -> str:
    """What the first answer to `old` would lose under `new`, in words; empty when every answer keeps its meaning.

    New questions, new choices and other words lose nothing; a question or choice less, another kind, another scale do.
    """
    kept = by_key(new)
    return next((problem for one in old if (problem := _lost(one, kept.get(one.key)))), "")


def _lost(old: Question, new: Question | None) -> str:
    if new is None:
        return f"the question “{old.key}” is not there"
    if new.kind != old.kind:
        return f"the question “{old.key}” is of another kind"
    if old.kind == "scale" and (old.low, old.high) != (new.low, new.high):
        return f"the scale of “{old.key}” is another one"
    if gone := [value for value in old.values if value not in new.values]:
        return f"“{old.key}” has no choice “{gone[0]}”"
    return ""
