"""Lines of OpenAI's files for fine-tuning: a conversation with its right answer, or with a better and a worse one.

See https://platform.openai.com/docs/guides/supervised-fine-tuning and …/direct-preference-optimization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from feedback import rubrics
from feedback.rubrics import Question

Json = Any
ROLES = {
    "system": "system", "developer": "developer", "user": "user", "human": "user", "assistant": "assistant",
    "ai": "assistant", "tool": "tool",
}  # fmt: skip
# Why a settled item makes no line; the name is for machines.
REASONS = {
    "not_accepted": "no correction, and not every verdict is a pass",
    "no_preference": "nothing says which of two answers is better",
    "tie": "settled as no difference",
    "same_answers": "both answers are the same",
    "answer_is_no_text": "the answer is no text",
    "no_messages": "several inputs, and no version of a prompt that makes messages of them",
    "inputs_do_not_fit": "the inputs do not fit the version of the prompt",
    "unknown_role": "a message has an unknown role",
    "message_is_no_text": "a message is no text",
    "tools_are_not_known": "a message calls tools that the inputs do not describe",
    "answered_already": "the conversation ends with an answer",
    "hidden_inputs": "inputs that the queue hides are not there any more",
}


class Unfit(Exception):
    """An item that makes no line; `reason` is a key of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def own_messages(inputs: Json) -> list[Json] | None:
    """The messages that the inputs hold, where they are a conversation."""
    listed = inputs.get("messages") if isinstance(inputs, dict) else inputs
    if isinstance(inputs, dict) and set(inputs) == {"input"}:
        listed = inputs["input"]
    is_conversation = (
        isinstance(listed, list) and listed and all(isinstance(one, dict) and "role" in one for one in listed)
    )
    return listed if is_conversation else None


def only_text(inputs: Json) -> str | None:
    """The one text that the inputs are, where nothing else is in them."""
    values = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
    return values[0] if len(values) == 1 and isinstance(values[0], str) and values[0].strip() else None


def chat(prompt: Sequence[Json], inputs: Json, right: str) -> dict[str, Json]:
    """A line of supervised fine-tuning. `prompt` is the conversation before the answer, `inputs` may describe tools.

    :raises Unfit: when the conversation cannot stand in such a file.
    """
    messages, tools = _prompt(prompt, inputs)
    return {"messages": [*messages, _answer(right)], **tools}


def preference(prompt: Sequence[Json], inputs: Json, better: str, worse: str) -> dict[str, Json]:
    """A line of preference fine-tuning (DPO).

    :raises Unfit: when the conversation cannot stand in such a file.
    """
    messages, tools = _prompt(prompt, inputs)
    return {
        "input": {"messages": messages, **tools},
        "preferred_output": [_answer(better)],
        "non_preferred_output": [_answer(worse)],
    }


def accepted(questions: Sequence[Question], answers: Mapping[str, Json], snapshot: Mapping[str, Json]) -> str:
    """The answer that people settled as right: a correction, or an output that passed and was not corrected.

    :raises Unfit: when there is none.
    """
    asked = [question for question in questions if question.kind == "correction"] or [ANY]
    found = next((one for question in asked if (one := rubrics.expected(questions, question, answers, snapshot))), None)
    if found is None:
        raise Unfit("not_accepted")
    return text_of(found)


def pairs(
    questions: Sequence[Question], answers: Mapping[str, Json], snapshot: Mapping[str, Json]
) -> list[tuple[str, str]]:
    """Every better and worse answer that people settled: of two candidates, or a correction over the output.

    :raises Unfit: when there is none.
    """
    found, reason = [], "no_preference"
    for question in questions:
        if question.key not in answers or question.kind not in {"pairwise", "correction"}:
            continue
        try:
            found.append(_pair(question, answers[question.key], snapshot))
        except Unfit as error:
            reason = error.reason
    if not found:
        raise Unfit(reason)
    return found


def text_of(answer: Json) -> str:
    """:raises Unfit: for an answer that is no text, nor a message that is one."""
    content = answer.get("content") if isinstance(answer, dict) and "role" in answer else answer
    if not isinstance(content, str) or not content.strip():
        raise Unfit("answer_is_no_text")
    return content


def _pair(question: Question, answer: Json, snapshot: Mapping[str, Json]) -> tuple[str, str]:
    if question.kind == "correction":
        better, worse = text_of(answer), text_of(snapshot.get("output"))
    elif answer == "tie":
        raise Unfit("tie")
    else:
        sides = [text_of(one.get("text")) for one in snapshot.get("candidates") or []][:2]
        if len(sides) < 2:
            raise Unfit("answer_is_no_text")
        better, worse = sides if answer == "a" else reversed(sides)
    if better.strip() == worse.strip():
        raise Unfit("same_answers")
    return better, worse


def _prompt(prompt: Sequence[Json], inputs: Json) -> tuple[list[Json], dict[str, Json]]:
    messages = [_message(one) for one in prompt]
    if not messages or messages[-1]["role"] == "assistant":
        raise Unfit("answered_already")
    tools = inputs.get("tools") if isinstance(inputs, dict) else None
    known = {"tools": tools} if isinstance(tools, list) and tools else {}
    if not known and any("tool_calls" in message for message in messages):
        raise Unfit("tools_are_not_known")
    return messages, known


def _message(given: Json) -> dict[str, Json]:
    role = ROLES.get(str(given.get("role", "")).lower())
    if role is None:
        raise Unfit("unknown_role")
    calls = given.get("tool_calls")
    if role == "assistant" and isinstance(calls, list) and calls:
        return {"role": role, "tool_calls": calls}
    message = {"role": role, "content": _content(given.get("content"))}
    if role == "tool":
        message["tool_call_id"] = str(given.get("tool_call_id") or "")
    return message


def _content(given: Json) -> str:
    """A text, or parts that are all texts."""
    parts = given if isinstance(given, list) else [{"text": given}]
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not texts or not all(isinstance(one, str) for one in texts):
        raise Unfit("message_is_no_text")
    return "\n".join(texts)  # type: ignore[arg-type]


def _answer(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


ANY = Question("", "correction", "")  # stands in where a rubric asks for no correction
