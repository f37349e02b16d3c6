"""Fine-tuning files: every line keeps the documented rules, and every settled item is a line or a reason."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from feedback.labelfiles.training import REASONS
from feedback.models import Queue, QueueItem
from feedback.queries.sources import Source
from feedback.services import filling, queue_exports, settling, training_files
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.services import versions
from tests.feedback import labeling
from tests.feedback.labeling import NOW

QUESTIONS = [
    {"key": "good", "kind": "pass_fail", "text": "Right?", "required": False},
    {"key": "better", "kind": "correction", "text": "What would be right?"},
    {"key": "which", "kind": "pairwise", "text": "Which?", "required": False},
]
PROMPTY = "---\nname: reply\ninputs:\n  question: {}\n---\nsystem:\nBe short.\n\nuser:\n{{question}}\n"
TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "human", "content": [{"type": "text", "text": "Where"}, {"type": "text", "text": "is it?"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "t1", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "content": "Paris", "tool_call_id": "t1"},
]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
TWO = [{"name": "a", "text": "Here"}, {"name": "b", "text": "There"}]


def settled(queue: Queue, by: Actor, answers: dict[str, Any], **parts: Any) -> QueueItem:
    """An item with these parts, and what stands for it."""
    version_id = parts.pop("version_id", None)
    snapshot = {"inputs": {"question": "Where is it?"}, "output": "In Rome."} | parts
    source = Source("import", uuid4(), "Item", snapshot, version_id=version_id)
    filling.add(queue=queue, found=[source], by=by, how="test")
    item = QueueItem.objects.get(source_uid=source.uid)
    settling.settle(item=item, answers=answers, by=by, now=NOW)
    return item


def lines(queue: Queue, form: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in b"".join(queue_exports.FORMS[form].chunks(queue)).splitlines()]
    for line in found:
        (check_chat if form == "openai_chat" else check_preference)(line)
    return found


def check_messages(messages: Any) -> None:
    """https://platform.openai.com/docs/guides/supervised-fine-tuning, and the checks of OpenAI's cookbook."""
    assert isinstance(messages, list)
    assert messages
    for message in messages:
        assert message.keys() <= {"role", "content", "name", "tool_calls", "tool_call_id"}
        assert message["role"] in {"system", "developer", "user", "assistant", "tool"}
        assert isinstance(message.get("content"), str) or message.get("tool_calls")
        assert message["role"] != "tool" or message["tool_call_id"]


def check_chat(line: dict[str, Any]) -> None:
    assert line.keys() <= {"messages", "tools", "parallel_tool_calls"}
    check_messages(line["messages"])
    assert (line["messages"][-1]["role"], bool(line["messages"][-1]["content"])) == ("assistant", True)


def check_preference(line: dict[str, Any]) -> None:
    """https://platform.openai.com/docs/guides/direct-preference-optimization"""
    assert line.keys() == {"input", "preferred_output", "non_preferred_output"}
    assert line["input"].keys() <= {"messages", "tools", "parallel_tool_calls"}
    check_messages(line["input"]["messages"])
    assert line["input"]["messages"][-1]["role"] != "assistant"
    for side in ("preferred_output", "non_preferred_output"):
        [message] = line[side]
        assert (message["role"], bool(message["content"].strip())) == ("assistant", True)
    assert line["preferred_output"] != line["non_preferred_output"]


@pytest.fixture
def queue(project: Project, by: Actor) -> Queue:
    return labeling.queue(project, by, questions=QUESTIONS)


def test_a_correction_is_the_right_answer_and_better_than_the_output(queue: Queue, by: Actor) -> None:
    settled(queue, by, {"good": "fail", "better": "In Paris."})
    asked = {"role": "user", "content": "Where is it?"}
    right, wrong = ({"role": "assistant", "content": text} for text in ("In Paris.", "In Rome."))
    assert lines(queue, "openai_chat") == [{"messages": [asked, right]}]
    assert lines(queue, "openai_preferences") == [
        {"input": {"messages": [asked]}, "preferred_output": [right], "non_preferred_output": [wrong]}
    ]


def test_an_output_that_passed_is_the_right_answer_also_where_no_correction_is_asked(
    project: Project, queue: Queue, by: Actor
) -> None:
    other = labeling.queue(project, by, slug="other")
    for one in (queue, other):
        settled(one, by, {"good": "pass"}, output={"role": "assistant", "content": "In Paris."})
        settled(one, by, {"good": "fail"})
        [line] = lines(one, "openai_chat")
        assert line["messages"][-1]["content"] == "In Paris."
        assert training_files.count_chat(one) == training_files.Counted(1, {"not_accepted": 1})


def test_the_messages_of_a_call_are_the_conversation_with_its_tools(queue: Queue, by: Actor) -> None:
    settled(queue, by, {"good": "pass"}, inputs={"messages": TALK, "tools": TOOLS})
    [line] = lines(queue, "openai_chat")
    assert [message["role"] for message in line["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert (line["messages"][1]["content"], line["tools"]) == ("Where\nis it?", TOOLS)


def test_the_version_that_answered_makes_the_messages_of_its_inputs(project: Project, queue: Queue, by: Actor) -> None:
    version = versions.save(project=project, path="reply", content=PROMPTY, message="First", by=by, now=NOW).version
    settled(queue, by, {"good": "pass"}, version_id=version.pk, inputs={"question": "Where?", "unused": 1})
    settled(queue, by, {"good": "pass"}, version_id=version.pk, inputs={"other": "x"})
    [line] = lines(queue, "openai_chat")
    assert [(one["role"], one["content"]) for one in line["messages"]] == [
        ("system", "Be short."), ("user", "Where?"), ("assistant", "In Rome."),
    ]  # fmt: skip
    assert training_files.count_chat(queue).left_out == {"inputs_do_not_fit": 1}


@pytest.mark.parametrize(("which", "better"), [("a", "Here"), ("b", "There")])
def test_the_preferred_candidate_is_the_preferred_output(queue: Queue, by: Actor, which: str, better: str) -> None:
    settled(queue, by, {"which": which, "better": "In Paris."}, candidates=TWO)
    pair, correction = sorted(lines(queue, "openai_preferences"), key=lambda one: "Paris" in str(one))
    assert pair["preferred_output"][0]["content"] == better
    assert correction["non_preferred_output"][0]["content"] == "In Rome."


@pytest.mark.parametrize(
    ("form", "answers", "parts", "reason"),
    [
        ("openai_chat", {"good": "fail"}, {}, "not_accepted"),
        ("openai_chat", {"which": "a"}, {}, "not_accepted"),
        ("openai_chat", {"good": "pass"}, {"output": {"city": "Rome"}}, "answer_is_no_text"),
        ("openai_chat", {"good": "pass"}, {"inputs": {"a": "x", "b": "y"}}, "no_messages"),
        ("openai_chat", {"good": "pass"}, {"inputs": {"messages": [{"role": "x"}]}}, "unknown_role"),
        ("openai_chat", {"good": "pass"}, {"inputs": {"messages": TALK}}, "tools_are_not_known"),
        (
            "openai_chat", {"good": "pass"}, {"inputs": {"messages": [{"role": "user", "content": [{"image": 1}]}]}},
            "message_is_no_text",
        ),
        (
            "openai_chat", {"good": "pass"}, {"inputs": {"messages": [{"role": "ai", "content": "Rome"}]}},
            "answered_already",
        ),
        ("openai_preferences", {"good": "pass"}, {}, "no_preference"),
        ("openai_preferences", {"which": "tie"}, {"candidates": TWO}, "tie"),
        ("openai_preferences", {"which": "a"}, {}, "answer_is_no_text"),
        ("openai_preferences", {"which": "a"}, {"candidates": [TWO[0], TWO[0]]}, "same_answers"),
        ("openai_preferences", {"better": "In Rome. "}, {}, "same_answers"),
    ],
)  # fmt: skip
def test_a_settled_item_that_makes_no_line_is_counted_by_its_reason(
    queue: Queue, by: Actor, form: str, answers: dict[str, Any], parts: dict[str, Any], reason: str
) -> None:
    settled(queue, by, answers, **parts)
    assert lines(queue, form) == []
    assert queue_exports.FORMS[form].headers(queue) == {"X-Lines": "0", "X-Left-Out": f"{reason}=1"}
    assert reason in REASONS


def test_what_the_queue_hid_is_in_the_line_and_an_item_whose_source_is_gone_makes_none(
    project: Project, by: Actor
) -> None:
    queue = labeling.queue(project, by, questions=QUESTIONS, hidden=["question"])
    settled(queue, by, {"good": "pass"}, inputs={"question": "secret", "more": "x"})
    assert training_files.count_chat(queue) == training_files.Counted(0, {"hidden_inputs": 1})


def test_a_long_queue_is_read_in_batches(
    queue: Queue, by: Actor, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        settled(queue, by, {"good": "pass"})
    monkeypatch.setattr(training_files, "BATCH", 2)
    with django_assert_num_queries(4):
        assert len(lines(queue, "openai_chat")) == 5
