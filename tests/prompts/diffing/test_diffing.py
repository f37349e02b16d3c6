"""Diffs say what changed, word by word, and lose no text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prompts import diffing
from prompts.prompty import Part, PromptSpec


def test_words_that_moved_in_a_line_are_marked_and_the_rest_is_not() -> None:
    (line,) = diffing.lines("Be very kind.", "Be kind and brief.")
    assert [(piece.op, piece.text) for piece in line.pieces] == [
        ("same", "Be"), ("removed", " very"), ("same", " kind"), ("added", " and brief"), ("same", "."),
    ]  # fmt: skip


def test_equal_lines_far_from_a_change_are_left_out_and_counted() -> None:
    before = "\n".join(f"line {number}" for number in range(20))
    found = diffing.lines(before, before.replace("line 10", "row 10"))
    assert [(line.op, line.count) for line in found if line.op == "skip"] == [("skip", 8), ("skip", 7)]


def test_settings_and_parts_that_come_and_go_are_named() -> None:
    old = PromptSpec(parts=(Part("system", "A"),), model="m1", parameters={"temperature": 0})
    new = PromptSpec(parts=(Part("system", "A"), Part("user", "B")), model="m2", parameters={"temperature": 0})
    diff = diffing.compare(old, new)
    assert [(setting.name, setting.old, setting.new) for setting in diff.settings] == [("model", "m1", "m2")]
    assert [(part.role, part.changed) for part in diff.parts] == [("system", 0), ("user", 1)]


texts = st.text(alphabet="ab \n.,é", max_size=60)


@given(texts, texts)
def test_the_new_text_stands_whole_in_the_diff(old: str, new: str) -> None:
    after = new.split("\n") if new else []
    shown: list[str] = []
    for line in diffing.lines(old, new):
        if line.op == "skip":
            start = len(shown)
            shown += after[start : start + line.count]
        elif line.op != "removed":
            shown.append("".join(piece.text for piece in line.pieces if piece.op != "removed"))
    assert shown == after


@given(texts)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert all(line.op in {"same", "skip"} for line in diffing.lines(text, text))
