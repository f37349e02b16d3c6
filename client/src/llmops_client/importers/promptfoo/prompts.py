"""promptfoo's prompts: texts, chats in JSON or YAML, and files of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmops_client import yamls
from llmops_client.errors import Problem
from llmops_client.importers import prompty, templates
from llmops_client.importers.promptfoo.context import Context, Place, is_code, name_of
from llmops_client.importers.prompty import Message
from llmops_client.importers.reading import NotThere

Json = Any
FILES = (".txt", ".json", ".jsonl", ".yaml", ".yml", ".j2", ".md", ".csv")
_SEPARATOR = re.compile(r"^---[ \t]*$", re.M)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages as templates of the platform. `label` may be empty."""

    label: str
    messages: tuple[Message, ...]
    place: Place

    @property
    def variables(self) -> set[str]:
        return {name for _, text in self.messages for name in templates.variables(text)}


def read(data: Json, context: Context) -> list[Prompt]:
    """Every prompt that can be written as messages; the others are findings."""
    if data is None:
        return []
    if isinstance(data, dict):  # an older form: from the file or text to its label
        items: list[tuple[Json, Place]] = [
            ({"id": text, "label": label}, context.at("prompts", text)) for text, label in data.items()
        ]
    else:
        listed = data if isinstance(data, list) else [data]
        items = [(one, context.at("prompts", number)) for number, one in enumerate(listed)]
    return [prompt for item, place in items for prompt in _prompts(item, place, context)]


def _prompts(item: Json, place: Place, context: Context) -> Iterator[Prompt]:
    label, text = "", item
    if isinstance(item, dict):
        label = str(item.get("label") or item.get("display") or "")
        text = item.get("raw") or item.get("id")
        for key in item.keys() - {"id", "raw", "label", "display"}:
            context.lose(place, "setting of a prompt", key)
    if not isinstance(text, str) or not text.strip():
        context.lose(place, "prompt", "neither a text nor a file")
        return
    if not _is_file(text, context):
        yield from _converted(label, text, place, context)
        return
    if is_code(text):
        context.lose(place, "prompt made by code", name_of(text))
        return
    try:
        names = context.folder.matching(name_of(text)) if "*" in text else [name_of(text)]
        for name in names:
            yield from _of_file(label or name.rpartition("/")[2], name, place, context)
    except NotThere as error:
        context.lose(place, "file of a prompt", str(error))


def _is_file(text: str, context: Context) -> bool:
    """promptfoo takes a text for a file when it says so, or when there is one of that name."""
    if text.startswith("file://"):
        return True
    if "\n" in text or "{{" in text or not (text.lower().endswith(FILES) or is_code(text)):
        return False
    return " " not in text.strip()


def _of_file(label: str, name: str, place: Place, context: Context) -> Iterator[Prompt]:
    if is_code(name):
        context.lose(place, "prompt made by code", name)
        return
    text = context.folder.text(name)
    at = Place(name, 1)
    if name.endswith(".jsonl"):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield from _converted(f"{label}-{number}", line, Place(name, number), context)
    elif name.endswith(".csv"):
        context.lose(place, "prompts in a CSV file", name)
    elif name.endswith((".json", ".yaml", ".yml")):
        yield from _converted(label, text, at, context)
    else:
        parts = [part for part in _SEPARATOR.split(text) if part.strip()]
        for number, part in enumerate(parts, start=1):
            yield from _converted(label if len(parts) == 1 else f"{label}-{number}", part.strip("\r\n"), at, context)


def _converted(label: str, text: str, place: Place, context: Context) -> Iterator[Prompt]:
    messages: list[Message] = []
    try:
        found = _messages(text)
    except ValueError as error:
        context.lose(place, "messages of a prompt", str(error))
        return
    for role, content in found:
        body, problems = templates.converted(content)
        for problem in problems:
            context.lose(place, "template", problem)
        if problems:
            return
        messages.append((role, body))
    if any(content.strip() for _, content in messages):
        yield Prompt(label, tuple(messages), place)
    else:
        context.lose(place, "prompt", "no text")


def _messages(text: str) -> list[Message]:
    """A chat's messages; anything that is no chat is what the user says.

    :raises ValueError: for messages that are no texts.
    """
    bare = text.strip()
    chat: Json = None
    if bare.startswith("["):
        try:
            chat = json.loads(bare)
        except ValueError:
            if '"role"' in bare:
                raise ValueError("a chat in JSON that only a template makes readable") from None
    elif re.match(r"-\s+role:", bare):
        try:
            chat, _ = yamls.load(bare, "prompt")
        except Problem as problem:
            raise ValueError(str(problem)) from None
    if not isinstance(chat, list) or not chat or not all(isinstance(one, dict) and "role" in one for one in chat):
        return [("user", text)]
    return [_message(one) for one in chat]


def _message(one: Json) -> Message:
    role, content = str(one["role"]).lower(), one.get("content")
    if role not in prompty.ROLES:
        raise ValueError(f"a message of the role {role!r}")
    if isinstance(content, list):
        texts = [str(part["text"]) for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        if len(texts) != len(content):
            raise ValueError("a message with images, sound or files")
        content = "\n".join(texts)
    if not isinstance(content, str):
        raise ValueError("a message without text")
    if set(one) - {"role", "content", "name"}:
        raise ValueError(f"a message with {', '.join(sorted(set(one) - {'role', 'content', 'name'}))}")
    return role, str(content)
