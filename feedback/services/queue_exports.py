"""Queues as files of other tools: the audit row first, then a stream in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import transaction

from feedback.labelfiles import argilla, label_studio
from feedback.models import Queue
from feedback.queries import labeled, rubrics
from feedback.services import arrivals
from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Invalid


@dataclass(frozen=True, slots=True)
class Form:
    """One file that a queue can be taken away as."""

    tool: str
    what: str
    file: str
    content_type: str
    chunks: Callable[[Queue], Iterator[bytes]]


def _tasks(queue: Queue) -> Iterator[bytes]:
    asked = rubrics.questions_of(queue.rubric_version)
    numbered = enumerate(labeled.items(queue), start=1)
    return _list(arrivals.json_bytes(label_studio.task(asked, item, number)) for number, item in numbered)


def _records(queue: Queue) -> Iterator[bytes]:
    asked = rubrics.questions_of(queue.rubric_version)
    return _list(arrivals.json_bytes(argilla.record(asked, item)) for item in labeled.items(queue))


def _config(queue: Queue) -> Iterator[bytes]:
    version = queue.rubric_version
    yield label_studio.config(rubrics.questions_of(version), version.guidelines).encode()


def _settings(queue: Queue) -> Iterator[bytes]:
    version = queue.rubric_version
    asked = rubrics.questions_of(version)
    names = labeled.candidate_names(queue) if any(one.kind == "ranking" for one in asked) else []
    yield arrivals.json_bytes(argilla.settings(asked, names, version.guidelines))


FORMS = {
    "label_studio": Form("Label Studio", "Tasks with labels", "label-studio.json", "application/json", _tasks),
    "label_studio_config": Form(
        "Label Studio", "Labeling configuration", "label-studio.xml", "application/xml", _config
    ),
    "argilla": Form("Argilla", "Records with responses", "argilla-records.json", "application/json", _records),
    "argilla_settings": Form("Argilla", "Settings", "argilla-settings.json", "application/json", _settings),
}


def by_tool() -> list[tuple[str, list[tuple[str, str]]]]:
    """The forms of each tool: name and words."""
    tools = dict.fromkeys(form.tool for form in FORMS.values())
    return [(tool, [(name, form.what) for name, form in FORMS.items() if form.tool == tool]) for tool in tools]


@transaction.atomic
def note(*, queue: Queue, form: str, by: Actor) -> Form:
    """Write to the audit trail that a queue leaves the platform, before its first byte does.

    :raises Invalid: for a form that is not there.
    """
    if form not in FORMS:
        raise Invalid("There is no such form.", fields={"format": f"one of {', '.join(FORMS)}"})
    audit.record("queue.exported", by=by, target=queue, format=form)
    return FORMS[form]


def _list(rows: Iterator[bytes]) -> Iterator[bytes]:
    """A JSON list, one row in a line."""
    before = b"[\n"
    for row in rows:
        yield before + row
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"
