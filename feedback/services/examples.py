"""Make examples of logged calls, with the users' corrections as the right answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from evals.importers import rows
from evals.importers.rows import ExampleRow
from evals.models import Dataset, Example
from evals.services import dataset_examples
from feedback.models import Call, InboxItem
from feedback.queries import inbox as queries
from feedback.services import inbox
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project

MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class AddedMany:
    """How many items became examples; how many were in the dataset already, and how many have no usable call."""

    added: int
    known: int
    unusable: int


@transaction.atomic
def add(
    *, call: Call, dataset: Dataset, expected: Any, by: Actor, item: InboxItem | None = None, split: str = ""
) -> str:
    """Add the call to the dataset as an example; returns the example's uid.

    With `item`, the item is done. The example names the call as its source; the call's page shows its examples.

    :raises Invalid: when the call's content does not make an example.
    """
    row = row_of(call, expected, split)
    added = dataset_examples.add(dataset=dataset, rows=[row], by=by, source_kind="call", source_uid=call.uid)
    _remember(dataset.project, by, [item] if item else [], dataset, added.uids)
    return added.uids[0]


@transaction.atomic
def add_many(*, project: Project, items: Sequence[InboxItem], dataset: Dataset, by: Actor) -> AddedMany:
    """Add the calls of the items, each with its newest correction as expected; the items are done.

    Calls that are in the dataset already, and items whose call has not come or makes no example, stay as they are.

    :raises Invalid: for more than MOST_AT_ONCE items.
    """
    if len(items) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE} examples at once.", fields={"items": f"at most {MOST_AT_ONCE}"})
    calls, corrections = queries.calls_of(project, items), queries.corrections_of(project, items)
    sources = [call.uid for call in calls.values()]
    current = Example.objects.filter(dataset=dataset, source_uid__in=sources, removed_in=None)
    known = set(current.values_list("source_uid", flat=True))
    good: list[tuple[InboxItem, Call, ExampleRow]] = []
    for item in items:
        call = calls.get(item.pk)
        if call is None or call.uid in known:
            continue
        try:
            good.append((item, call, row_of(call, corrections.get(item.call_client_id), "")))
        except Invalid:
            continue
    if good:
        added = dataset_examples.add(
            dataset=dataset, rows=[row for _, _, row in good], by=by, source_kind="call",
            source_uids=[call.uid for _, call, _ in good],
        )  # fmt: skip
        _remember(project, by, [item for item, _, _ in good], dataset, added.uids)
    already = sum(item.pk in calls and calls[item.pk].uid in known for item in items)
    return AddedMany(len(good), already, len(items) - len(good) - already)


def row_of(call: Call, expected: Any, split: str) -> ExampleRow:
    """The call as an example.

    :raises Invalid: when its content does not make one.
    """
    return rows.checked(
        {
            "inputs": call.inputs if isinstance(call.inputs, dict) else {"input": call.inputs},
            "expected": expected,
            "contexts": [_text(context) for context in call.contexts] if isinstance(call.contexts, list) else [],
            "metadata": {"call": call.client_id, "output": call.output} | _origin(call),
            "tags": call.tag_list,
            "split": split,
        }
    )


def _remember(project: Project, by: Actor, items: Sequence[InboxItem], dataset: Dataset, uids: Sequence[str]) -> None:
    keys = [str(ids.parse("ex", uid)) for uid in uids]
    inbox.remember_examples(project=project, by=by, items=items, dataset=dataset, keys=keys)


def _origin(call: Call) -> dict[str, str]:
    named = {"prompt": call.artifact_path, "commit": call.commit, "model": call.model}
    return {name: value for name, value in named.items() if value}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
