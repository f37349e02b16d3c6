from __future__ import annotations

from typing import Any

import pytest

from feedback import rubrics
from llmops.common.errors import Invalid

ITEM = {"output": "A fig tree sleeps.", "candidates": [{"name": "x", "text": "1"}, {"name": "y", "text": "2"}]}
ALL = rubrics.parse(
    [
        {"key": "ok", "kind": "pass_fail", "text": "Right?"},
        {
            "key": "topic",
            "kind": "category",
            "text": "About?",
            "choices": ["tree", {"value": "pay", "text": "Payment"}],
        },
        {"key": "tags", "kind": "categories", "text": "Tags?", "choices": ["a", "b", "c"], "required": False},
        {"key": "stars", "kind": "scale", "text": "Stars?", "low": 0, "high": 4},
        {"key": "why", "kind": "text", "text": "Why?"},
        {"key": "bad", "kind": "spans", "text": "Which words?", "choices": ["wrong"]},
        {"key": "fix", "kind": "correction", "text": "Better?"},
        {"key": "best", "kind": "pairwise", "text": "Better?"},
        {"key": "order", "kind": "ranking", "text": "Order?"},
    ]
)
RIGHT: dict[str, Any] = {
    "ok": "pass", "topic": "pay", "tags": ["c", "a"], "stars": "3", "why": " so ", "fix": "Yes",
    "bad": [{"start": 2, "end": 5, "label": "wrong"}], "best": "tie", "order": ["y", "x"],
}  # fmt: skip


def test_answers_of_every_kind_are_kept_in_one_spelling() -> None:
    assert rubrics.checked(ALL, RIGHT, ITEM) == RIGHT | {
        "tags": ["a", "c"], "stars": 3, "why": "so",
        "bad": [{"start": 2, "end": 5, "label": "wrong", "text": "fig"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ok", "maybe"), ("ok", None), ("ok", ["pass"]), ("topic", "Payment"), ("tags", ["d"]), ("tags", "a"),
        ("stars", 5), ("stars", 1.5), ("stars", True), ("why", "a\0b"), ("why", 3), ("best", "c"),
        ("order", ["x"]), ("order", ["x", "x"]), ("bad", [{"start": 0, "end": 99, "label": "wrong"}]),
        ("bad", [{"start": 3, "end": 3, "label": "wrong"}]), ("bad", [{"start": 0, "end": 2, "label": "?"}]),
        ("nobody", 1),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused_by_the_questions_name(key: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        rubrics.checked(ALL, RIGHT | {key: value}, ITEM)
    assert list(refused.value.fields) == [key]


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"key": "Ok", "kind": "text", "text": "?"}, "questions[0].key"),
        ({"key": "a", "kind": "vote", "text": "?"}, "questions[0].kind"),
        ({"key": "a", "kind": "text", "text": " "}, "questions[0].text"),
        ({"key": "a", "kind": "category", "text": "?"}, "questions[0].choices"),
        ({"key": "a", "kind": "category", "text": "?", "choices": ["x", "x"]}, "questions[0].choices"),
        ({"key": "a", "kind": "scale", "text": "?", "low": 5, "high": 1}, "questions[0].high"),
        ({"key": "a", "kind": "scale", "text": "?", "low": "1"}, "questions[0].low"),
        ({"key": "a", "kind": "text", "text": "?", "extra": 1}, "questions[0].extra"),
        ("why?", "questions[0]"),
    ],
)
def test_what_is_no_question_is_refused_with_its_place(question: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        rubrics.parse([question])
    assert list(refused.value.fields) == [field]


def test_questions_read_back_as_they_were_written() -> None:
    assert rubrics.parse([rubrics.as_json(one) for one in ALL]) == ALL


def test_a_majority_stands_and_a_tie_is_left_to_a_person() -> None:
    questions = ALL[:1]
    votes = [{"ok": vote} for vote in ("pass", "fail", "pass")]
    assert rubrics.combined(questions, votes, unanimous=False) == {"ok": "pass"}
    assert rubrics.combined(questions, votes, unanimous=True) is None
    assert rubrics.combined(questions, votes[:2], unanimous=False) is None
    assert rubrics.combined(questions, votes[:1], unanimous=True) == {"ok": "pass"}


def test_two_wordings_of_a_comment_are_left_out_and_two_corrections_need_a_person() -> None:
    said = [{"ok": "pass", "why": "a"}, {"ok": "pass", "why": "b"}]
    assert rubrics.combined(ALL, said, unanimous=True) == {"ok": "pass"}
    assert rubrics.combined(ALL, [one | {"fix": one["why"]} for one in said], unanimous=True) is None
