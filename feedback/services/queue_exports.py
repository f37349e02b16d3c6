"""Queues as files of other tools: the audit row first, then a stream in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from feedback.labelfiles import argilla, label_studio
from feedback.models import Queue
from feedback.queries import labeled, rubrics
from feedback.services import training_files
from feedback.services.training_files import Counted
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Invalid

JSONL = "application/jsonl"


@dataclass(frozen=True, slots=True)
class Form:
    """One file that a queue can be taken away as."""

    tool: str
    what: str
    file: str
    content_type: str
    chunks: Callable[[Queue], Iterator[bytes]]
    counted: Callable[[Queue], Counted] | None = None

    def headers(self, queue: Queue) -> dict[str, str]:
        """What the file says beside its content: lines, and items that make none by reason, where not all make one."""
        if self.counted is None:
            return {}
        found = self.counted(queue)
        left_out = ", ".join(f"{name}={count}" for name, count in sorted(found.left_out.items()))
        return {"X-Lines": str(found.lines), "X-Left-Out": left_out}


def _tasks(queue: Queue) -> Iterator[bytes]:
    asked = rubrics.questions_of(queue.rubric_version)
    numbered = enumerate(labeled.items(queue), start=1)
    return _list(_json(label_studio.task(asked, item, number)) for number, item in numbered)


def _records(queue: Queue) -> Iterator[bytes]:
    asked = rubrics.questions_of(queue.rubric_version)
    return _list(_json(argilla.record(asked, item)) for item in labeled.items(queue))


def _config(queue: Queue) -> Iterator[bytes]:
    version = queue.rubric_version
    yield label_studio.config(rubrics.questions_of(version), version.guidelines).encode()


def _settings(queue: Queue) -> Iterator[bytes]:
    version = queue.rubric_version
    asked = rubrics.questions_of(version)
    names = labeled.candidate_names(queue) if any(one.kind == "ranking" for one in asked) else []
    yield _json(argilla.settings(asked, names, version.guidelines))


FORMS = {
    "label_studio": Form("Label Studio", "Tasks with labels", "label-studio.json", "application/json", _tasks),
    "label_studio_config": Form(
        "Label Studio", "Labeling configuration", "label-studio.xml", "application/xml", _config
    ),
    "argilla": Form("Argilla", "Records with responses", "argilla-records.json", "application/json", _records),
    "argilla_settings": Form("Argilla", "Settings", "argilla-settings.json", "application/json", _settings),
    "openai_chat": Form(
        "OpenAI", "Fine-tuning", "openai-chat.jsonl", JSONL, training_files.chat, training_files.count_chat
    ),
    "openai_preferences": Form(
        "OpenAI",
        "Preferences (DPO)",
        "openai-preferences.jsonl",
        JSONL,
        training_files.preferences,
        training_files.count_preferences,
    ),
}


def whole_by_tool() -> list[tuple[str, list[tuple[str, str]]]]:
    """The forms that hold the whole queue or what it asks, of each tool: name and words."""
    whole = {name: form for name, form in FORMS.items() if form.counted is None}
    tools = dict.fromkeys(form.tool for form in whole.values())
    return [(tool, [(name, form.what) for name, form in whole.items() if form.tool == tool]) for tool in tools]


def counted(queue: Queue) -> list[tuple[str, Form, Counted]]:
    """The forms that hold what some items make, with how many lines each would have now."""
    return [(name, form, form.counted(queue)) for name, form in FORMS.items() if form.counted is not None]


@transaction.atomic
def note(*, queue: Queue, form: str, by: Actor) -> Form:
    """Write to the audit trail that a queue leaves the platform, before its first byte does.

    :raises Invalid: for a form that is not there.
    """
    if form not in FORMS:
        raise Invalid("There is no such form.", fields={"format": f"one of {', '.join(FORMS)}"})
    audit.record("queue.exported", by=by, target=queue, format=form)
    return FORMS[form]


def _json(value: Any) -> bytes:
    """Keys in the order in which people saw them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _list(rows: Iterator[bytes]) -> Iterator[bytes]:
    """A JSON list, one row in a line."""
    before = b"[\n"
    for row in rows:
        yield before + row
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"
