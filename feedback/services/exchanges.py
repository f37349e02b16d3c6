"""Bring in what people labeled in other tools: into a queue, or as a new queue under a rubric made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from feedback.labelfiles import EXCHANGES, Asked, Exchange, LeftOut
from feedback.models import Queue, RubricVersion
from feedback.queries import rubrics as rubric_queries
from feedback.services import label_additions, label_imports, queues, rubrics
from feedback.services.label_imports import Imported
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project


@dataclass(frozen=True, slots=True)
class Given:
    """The content of a file of another tool: its records, the settings that ask for them, and names for people whom
    the records only number."""

    format: str
    records: Any
    settings: Any = None
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brought:
    """What came in, how many known items gained answers, and everything that did not come in."""

    queue: Queue
    made: Imported
    completed: int
    left_out: tuple[LeftOut, ...]


@transaction.atomic
def bring(*, queue: Queue, given: Given, by: Actor, now: datetime, only_look: bool = False) -> Brought:
    """Put the records into the queue, all of them or none; the queue's rubric says what is an answer.

    With `only_look` everything is tried and nothing kept.

    :raises Invalid: naming the record or the part of the settings that is not acceptable.
    """
    tool = _tool(given)
    found = _brought(queue, tool, given, tool.asked(given.settings) if given.settings else None, by, now)
    if only_look:
        transaction.set_rollback(True)
    return found


@transaction.atomic
def start(
    *, project: Project, wanted: queues.Wanted, given: Given, by: Actor, now: datetime, only_look: bool = False
) -> Brought:
    """A new queue of these records, under a new rubric of its name that asks what the settings ask.

    :raises Invalid: naming the record or the part of the settings that is not acceptable.
    :raises Conflict: when the project has a queue or a rubric of that slug.
    """
    tool = _tool(given)
    if not given.settings:
        raise Invalid(f"Add the {tool.settings}: it says what is asked.", fields={"settings": "is needed"})
    asked = tool.asked(given.settings)
    version = _rubric(project, wanted, asked, by)
    queue = queues.create(project=project, rubric_version=version, wanted=wanted, by=by)
    found = _brought(queue, tool, given, asked, by, now)
    if only_look:
        transaction.set_rollback(True)
    return found


def _brought(queue: Queue, tool: Exchange, given: Given, asked: Asked | None, by: Actor, now: datetime) -> Brought:
    questions = rubric_queries.questions_of(queue.rubric_version)
    read = tool.read(_list(tool, given.records), questions, asked, given.people)
    added = label_additions.add(queue=queue, found=read.items, by=by, now=now)
    made = label_imports.labels(queue=queue, found=read.items, by=by, now=now)
    whole = replace(
        made, answers=made.answers + added.answers, skips=made.skips + added.skips,
        settled=made.settled + added.settled, left_alone=made.left_alone - added.items,
    )  # fmt: skip
    return Brought(queue, whole, added.items, (*read.left_out, *added.left_out))


def _rubric(project: Project, wanted: queues.Wanted, asked: Asked, by: Actor) -> RubricVersion:
    try:
        return rubrics.create(
            project=project, slug=wanted.slug, name=wanted.name, questions=asked.questions, guidelines=asked.guidelines,
            by=by,
        )  # fmt: skip
    except Invalid as error:
        fields = {name if name in {"slug", "name"} else "settings": reason for name, reason in error.fields.items()}
        raise Invalid(error.message, fields=fields) from None


def _tool(given: Given) -> Exchange:
    if given.format not in EXCHANGES:
        raise Invalid("There is no such format.", fields={"format": f"one of {', '.join(EXCHANGES)}"})
    return EXCHANGES[given.format]


def _list(tool: Exchange, records: Any) -> Sequence[Any]:
    if not isinstance(records, list) or not records:
        raise Invalid(f"Send a list of {tool.records}.", fields={"records": f"must be a list of {tool.records}"})
    if len(records) > label_imports.MOST:
        raise Invalid(
            f"At most {label_imports.MOST:,} {tool.records} at once.",
            fields={"records": f"at most {label_imports.MOST:,}"},
        )
    return records
