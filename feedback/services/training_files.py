"""Fine-tuning files of what people settled: OpenAI's chat and preference (DPO) lines, and why some items make none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from feedback import rubrics
from feedback.labelfiles import training
from feedback.labelfiles.training import REASONS, Unfit
from feedback.models import Queue, QueueItem, Settled
from feedback.queries import queues
from feedback.queries import rubrics as rubric_queries
from feedback.services import filling, settled_examples
from llmops.common.errors import DomainError
from prompts.models import Version
from prompts.services import execution

BATCH = 200
MOST_COMPILED = 100

Json = Any


@dataclass(frozen=True, slots=True)
class Counted:
    """How many lines a file has, and how many settled items make none, by reason."""

    lines: int
    left_out: dict[str, int]

    @property
    def said(self) -> list[tuple[str, int]]:
        """The reasons in words, the most frequent first."""
        return sorted(((REASONS[name], n) for name, n in self.left_out.items()), key=lambda one: -one[1])


def chat(queue: Queue) -> Iterator[bytes]:
    """A line for each settled item whose right answer is known."""
    return _lines(queue, _chat)


def preferences(queue: Queue) -> Iterator[bytes]:
    """A line for each better and worse answer that was settled."""
    return _lines(queue, _preferences)


def count_chat(queue: Queue) -> Counted:
    return _count(queue, _chat)


def count_preferences(queue: Queue) -> Counted:
    return _count(queue, _preferences)


@dataclass(frozen=True, slots=True)
class _Item:
    """A settled item with all of its inputs, and the questions that were asked about it."""

    asked: tuple[rubrics.Question, ...]
    settled: Settled
    inputs: Json
    prompts: _Prompts

    @property
    def prompt(self) -> list[Json]:
        """:raises Unfit: when nothing makes messages of the inputs."""
        return self.prompts.of(self.settled.item, self.inputs)


Make = Callable[[_Item], list[Json]]


def _chat(one: _Item) -> list[Json]:
    right = training.accepted(one.asked, one.settled.answers, one.settled.item.snapshot)
    return [training.chat(one.prompt, one.inputs, right)]


def _preferences(one: _Item) -> list[Json]:
    found = training.pairs(one.asked, one.settled.answers, one.settled.item.snapshot)
    return [training.preference(one.prompt, one.inputs, better, worse) for better, worse in found]


def _lines(queue: Queue, make: Make) -> Iterator[bytes]:
    for made in _made(queue, make):
        if not isinstance(made, str):
            yield b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in made)


def _count(queue: Queue, make: Make) -> Counted:
    lines, left_out = 0, Counter[str]()
    for made in _made(queue, make):
        if isinstance(made, str):
            left_out[made] += 1
        else:
            lines += len(made)
    return Counted(lines, dict(left_out))


def _made(queue: Queue, make: Make) -> Iterator[list[Json] | str]:
    """For each settled item its lines, or the reason why it has none; in bounded memory."""
    asked = rubric_queries.questions_of(queue.rubric_version)
    hides_inputs = bool(set(queue.hidden) - set(filling.NOT_INPUTS))
    prompts = _Prompts(queue)
    for batch in queues.settled_batches(queue, BATCH):
        whole = settled_examples.whole_of(queue, batch)
        prompts.learn(batch)
        for one in batch:
            if hides_inputs and one.item_id not in whole:
                yield "hidden_inputs"
                continue
            inputs = whole.get(one.item_id, one.item.snapshot).get("inputs")
            try:
                yield make(_Item(asked, one, inputs, prompts))
            except Unfit as error:
                yield error.reason


class _Prompts:
    """The conversation before an item's answer: its own messages, or what its version makes of its inputs."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._ready: dict[int, execution.Compiled | None] = {}

    def learn(self, batch: list[Settled]) -> None:
        """Make ready the versions of these items that are prompts."""
        if len(self._ready) > MOST_COMPILED:
            self._ready.clear()
        wanted = {one.item.version_id for one in batch if one.item.version_id} - self._ready.keys()
        found = Version.objects.filter(project=self._queue.project_id, pk__in=wanted).select_related("content")
        for version in found.order_by("pk"):
            self._ready[version.pk] = _compiled(version)

    def of(self, item: QueueItem, inputs: Json) -> list[Json]:
        """:raises Unfit: when nothing makes messages of the inputs."""
        own = training.own_messages(inputs)
        if own is not None:
            return own
        ready = self._ready.get(item.version_id or 0)
        if ready is not None:
            return _rendered(ready, inputs if isinstance(inputs, dict) else {})
        text = training.only_text(inputs)
        if text is None:
            raise Unfit("no_messages")
        return [{"role": "user", "content": text}]


def _compiled(version: Version) -> execution.Compiled | None:
    return execution.compiled(version) if version.content.kind == "prompt" else None


def _rendered(ready: execution.Compiled, inputs: Mapping[str, Json]) -> list[Json]:
    try:
        return [message.as_json() for message in ready.messages(inputs)]
    except DomainError:
        raise Unfit("inputs_do_not_fit") from None
