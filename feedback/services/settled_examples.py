"""Make examples of what people settled: the answer to one question becomes the expected output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from evals.importers import rows
from evals.importers.rows import ExampleRow
from evals.models import Dataset, Example
from evals.services import dataset_examples, datasets
from feedback import rubrics
from feedback.models import Call, Queue, QueueItem, Settled
from feedback.queries import queues, sources
from feedback.queries.made_examples import LABEL
from feedback.services import filling
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid

ENOUGH = 1_000  # examples written in one turn, and up to a batch more
BATCH = 200
LONGEST_LABEL = 2_000  # of an answer beside the expected one, in the metadata


@dataclass(frozen=True, slots=True)
class Kept:
    """How many settled answers became examples, replaced the expected output of one, were there already, or have no
    answer that can be expected; `has_more` when they did not all fit in one go."""

    added: int
    renewed: int
    known: int
    unusable: int
    has_more: bool = False


@transaction.atomic
def add(*, queue: Queue, dataset: Dataset, question: str, by: Actor, split: str = "") -> Kept:
    """Put every settled answer of the queue into the dataset, once: the answer to `question` as the expected output.

    An item that was settled anew since, or whose call is an example of the dataset already, gets its expected output
    replaced; what people changed there besides stays. A long queue takes several turns.

    :raises Invalid: for a question that the rubric does not ask, or whose answers are no outputs.
    """
    asked = rubrics.parse(queue.rubric_version.questions)
    chosen = next((one for one in rubrics.expectable(asked) if one.key == question), None)
    if chosen is None:
        raise Invalid("Choose a question whose answer is an output.", fields={"question": "no such question"})
    Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)  # two at once would add the same twice
    turn = _Turn(queue, dataset, asked, chosen, split)
    for batch in queues.settled_batches(queue, BATCH):
        turn.take(batch)
        if turn.written >= ENOUGH:
            break
    return turn.write(by)


@transaction.atomic
def add_to(
    *, queue: Queue, dataset: Dataset | None, new_dataset: str, question: str, by: Actor, split: str = ""
) -> tuple[Dataset, Kept]:
    """As `add`, into the dataset or, without one, into a new one of this slug.

    :raises Invalid: naming the field that is not acceptable.
    :raises Conflict: when there is a dataset of that slug.
    """
    try:
        into = dataset or datasets.create(project=queue.project, slug=new_dataset, by=by)
    except (Invalid, Conflict) as error:
        raise type(error)(error.message, fields={"new_dataset": error.message}) from None
    return into, add(queue=queue, dataset=into, question=question, by=by, split=split)


class _Turn:
    """One adding: what it found, and what it will write."""

    def __init__(
        self,
        queue: Queue,
        dataset: Dataset,
        asked: Sequence[rubrics.Question],
        chosen: rubrics.Question,
        split: str,
    ) -> None:
        self.queue, self.dataset, self.asked, self.chosen, self.split = queue, dataset, asked, chosen, split
        self.fresh: list[tuple[UUID, ExampleRow]] = []
        self.changed: list[tuple[Example, ExampleRow]] = []
        self.known = self.unusable = 0
        self.last = 0

    @property
    def written(self) -> int:
        return len(self.fresh) + len(self.changed)

    def take(self, batch: Sequence[Settled]) -> None:
        there = _examples_of(self.dataset, [one.item for one in batch])
        calls, whole = _calls(self.queue, batch), whole_of(self.queue, batch)
        for one in batch:
            self.last = one.pk
            example = there.get((LABEL, one.item.uid)) or there.get((one.item.source_kind, one.item.source_uid))
            if example is not None and self._has(example, one):
                self.known += 1
                continue
            row = self._row(one, example, calls.get(one.item.source_uid), whole.get(one.item_id, one.item.snapshot))
            if row is None:
                self.unusable += 1
            elif example is None:
                self.fresh.append((one.item.uid, row))
            else:
                self.changed.append((example, row))

    def write(self, by: Actor) -> Kept:
        if self.fresh:
            dataset_examples.add(
                dataset=self.dataset, rows=[row for _, row in self.fresh], by=by, source_kind=LABEL,
                source_uids=[uid for uid, _ in self.fresh],
            )  # fmt: skip
        for example, row in self.changed:
            dataset_examples.change(dataset=self.dataset, uid=example.key, row=row, by=by)
        if self.written:
            audit.record(
                "queue.settled_kept", by=by, target=self.queue, dataset=self.dataset.slug, question=self.chosen.key,
                added=len(self.fresh), renewed=len(self.changed),
            )  # fmt: skip
        more = self.written >= ENOUGH and queues.settled_of(self.queue).filter(pk__gt=self.last).exists()
        return Kept(len(self.fresh), len(self.changed), self.known, self.unusable, more)

    def _has(self, example: Example, one: Settled) -> bool:
        return all(example.metadata.get(name) == value for name, value in _named(one, self.chosen).items())

    def _row(
        self, one: Settled, example: Example | None, call: Call | None, snapshot: Mapping[str, Any]
    ) -> ExampleRow | None:
        """The example as it should be; None when the item has no answer that can be expected, or makes no example."""
        answer = rubrics.expected(self.asked, self.chosen, one.answers, one.item.snapshot)
        if answer is None:
            return None
        said = _named(one, self.chosen) | _labels(one)
        if example is not None:
            content = dataset_examples.row_of(example)
            raw = {name: getattr(content, name) for name in rows.PARTS} | {"metadata": content.metadata | said}
        else:
            raw = _content(snapshot, call, said) | {"split": self.split}
        try:
            return rows.checked(raw | {"expected": answer})
        except Invalid as error:
            if "split" in error.fields:  # what was asked for is wrong, not the item
                raise
            return None


def _content(snapshot: Mapping[str, Any], call: Call | None, said: Mapping[str, Any]) -> dict[str, Any]:
    inputs, origin = snapshot.get("inputs"), snapshot.get("origin") or {}
    named = {"call": call.client_id} if call else {}
    return {
        "inputs": inputs if isinstance(inputs, dict) else {"input": inputs},
        "contexts": [_text(context) for context in snapshot.get("contexts") or []],
        "metadata": {"output": snapshot.get("output"), **origin, **named, **said},
        "tags": call.tag_list if call else [],
    }


def _named(one: Settled, chosen: rubrics.Question) -> dict[str, Any]:
    """What an example says about where its expected output comes from."""
    return {"item": ids.public("qi", one.item.uid), "settled": ids.public("stl", one.uid), "question": chosen.key}


def _labels(one: Settled) -> dict[str, Any]:
    """Everything that was settled, as columns that a judge can be measured against."""
    return {f"label_{key}": _short(answer) for key, answer in one.answers.items()}


def _examples_of(dataset: Dataset, items: Sequence[QueueItem]) -> dict[tuple[str, UUID], Example]:
    """The dataset's examples of these items or of their calls, by source; the oldest of each."""
    uids = [item.uid for item in items] + [item.source_uid for item in items if item.source_kind == "call"]
    found = Example.objects.filter(
        dataset=dataset, source_uid__in=uids, source_kind__in=[LABEL, "call"], removed_in=None
    ).order_by("-id")
    return {(example.source_kind, example.source_uid): example for example in found if example.source_uid}


def _calls(queue: Queue, batch: Sequence[Settled]) -> dict[UUID, Call]:
    uids = [one.item.source_uid for one in batch if one.item.source_kind == "call"]
    return {call.uid: call for call in Call.objects.filter(project=queue.project_id, uid__in=uids, erased_at=None)}


def whole_of(queue: Queue, batch: Sequence[Settled]) -> dict[int, dict[str, Any]]:
    """By item: what labelers saw together with what the queue hid from them, masked as the queue asks."""
    if not queue.hidden:
        return {}
    by_source = sources.by_uid(queue.project, [one.item for one in batch])
    found = {}
    for one in batch:
        source = by_source.get((one.item.source_kind, one.item.source_uid))
        if source is not None:
            found[one.item_id] = _joined(filling.masked(queue, source.snapshot), one.item.snapshot)
    return found


def _joined(whole: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    inputs = [part.get("inputs") for part in (whole, seen)]
    joined = {**whole, **seen}
    if all(isinstance(part, dict) for part in inputs):
        joined["inputs"] = inputs[0] | inputs[1]  # type: ignore[operator]
    return joined


def _short(answer: Any) -> Any:
    return answer[:LONGEST_LABEL] if isinstance(answer, str) else answer


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
