"""Change the examples of a dataset: every change goes into the open version, sealed ones keep what they had."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Max

from evals.importers import rows as example_rows
from evals.importers.rows import ExampleRow
from evals.models import Dataset, DatasetVersion, Example
from evals.services import datasets
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Invalid, NotFound

MAX_AT_ONCE = 10_000
BATCH = 500


@dataclass(frozen=True, slots=True)
class Added:
    """What an addition did: the new examples' outside ids in the order given, and the version that holds them."""

    uids: list[str]
    version: int


@transaction.atomic
def add(
    *,
    dataset: Dataset,
    rows: Sequence[ExampleRow],
    by: Actor,
    source_kind: str = "api",
    source_uid: uuid.UUID | None = None,
    source_uids: Sequence[uuid.UUID] = (),
) -> Added:
    """Append examples to the open version: all of them or, on any error, none.

    `source_uid` is where all of them came from; `source_uids` names a source for each.

    :raises Invalid: when there are none or more than MAX_AT_ONCE.
    """
    if not rows or len(rows) > MAX_AT_ONCE:
        raise Invalid(f"Send 1 to {MAX_AT_ONCE:,} examples at once; larger files are for the import.")
    version = datasets.open_for_edits(dataset=dataset, by=by)
    made = append(version=version, rows=rows, source_kind=source_kind, source_uid=source_uid, source_uids=source_uids)
    audit.record("dataset.examples_added", by=by, target=dataset, version=version.number, examples=len(made))
    return Added(uids=[example.uid for example in made], version=version.number)


@transaction.atomic
def change(*, dataset: Dataset, uid: str | uuid.UUID, row: ExampleRow, by: Actor) -> Example:
    """Replace the content of an example; sealed versions keep the old one.

    :raises NotFound: when the newest version has no such example.
    """
    version = datasets.open_for_edits(dataset=dataset, by=by)
    [old] = _current(dataset, [uid])
    if old.content_hash == row.content_hash:
        return old
    _close([old], version)
    new = _example(version, row, position=old.position, source_kind=old.source_kind, source_uid=old.source_uid)
    new.key = old.key
    new.save(force_insert=True)
    _remember_columns(version.dataset, [row])
    audit.record("dataset.example_edited", by=by, target=dataset, version=version.number, example=old.uid)
    return new


@transaction.atomic
def remove(*, dataset: Dataset, uids: Sequence[str | uuid.UUID], by: Actor) -> int:
    """Take examples out of the newest version; returns how many.

    :raises NotFound: when one of them is not in it.
    """
    version = datasets.open_for_edits(dataset=dataset, by=by)
    gone = _current(dataset, uids)
    _close(gone, version)
    DatasetVersion.objects.filter(pk=version.pk).update(examples=F("examples") - len(gone))
    audit.record("dataset.examples_removed", by=by, target=dataset, version=version.number, examples=len(gone))
    return len(gone)


@transaction.atomic
def mark(
    *,
    dataset: Dataset,
    uids: Sequence[str | uuid.UUID],
    by: Actor,
    add_tag: str = "",
    remove_tag: str = "",
    split: str | None = None,
) -> int:
    """Give many examples a tag or a split at once; returns how many changed.

    :raises Invalid: for a tag or split that is not acceptable.
    """
    example_rows.checked({"inputs": {"-": ""}, "tags": [add_tag], "split": split or ""})
    version = datasets.open_for_edits(dataset=dataset, by=by)
    changed, fresh = [], []
    for old in _current(dataset, uids):
        row = row_of(old)
        tags = [tag for tag in row.tags if tag != remove_tag]
        tags += [add_tag] if add_tag and add_tag not in tags else []
        new_row = ExampleRow(
            inputs=row.inputs,
            expected=row.expected,
            contexts=row.contexts,
            metadata=row.metadata,
            tags=tags,
            split=row.split if split is None else split,
        )
        if new_row.content_hash != old.content_hash:
            new = _example(
                version, new_row, position=old.position, source_kind=old.source_kind, source_uid=old.source_uid
            )
            new.key = old.key
            changed.append(old)
            fresh.append(new)
    _close(changed, version)
    Example.objects.bulk_create(fresh, batch_size=BATCH)
    audit.record("dataset.examples_marked", by=by, target=dataset, version=version.number, examples=len(fresh))
    return len(fresh)


def append(
    *,
    version: DatasetVersion,
    rows: Sequence[ExampleRow],
    source_kind: str,
    source_uid: uuid.UUID | None,
    source_uids: Sequence[uuid.UUID] = (),
) -> list[Example]:
    """Insert examples at the end of an open version that the caller has locked."""
    sources: Sequence[uuid.UUID | None] = source_uids or [source_uid] * len(rows)
    dataset = version.dataset
    last = Example.objects.filter(dataset=dataset).aggregate(last=Max("position"))["last"] or 0
    made = [
        _example(version, row, position=last + place, source_kind=source_kind, source_uid=source)
        for place, (row, source) in enumerate(zip(rows, sources, strict=True), start=1)
    ]
    Example.objects.bulk_create(made, batch_size=BATCH)
    DatasetVersion.objects.filter(pk=version.pk).update(examples=F("examples") + len(made))
    _remember_columns(dataset, rows)
    return made


def row_of(example: Example) -> ExampleRow:
    """The content of a stored example."""
    return ExampleRow(
        inputs=example.inputs,
        expected=example.expected,
        contexts=example.contexts,
        metadata=example.metadata,
        tags=example.tags,
        split=example.split,
    )


def _key(uid: str | uuid.UUID) -> uuid.UUID:
    return uid if isinstance(uid, uuid.UUID) else ids.parse("ex", uid)


def _example(
    version: DatasetVersion, row: ExampleRow, *, position: int, source_kind: str, source_uid: uuid.UUID | None
) -> Example:
    return Example(
        project_id=version.project_id,
        dataset_id=version.dataset_id,
        added_in=version.number,
        position=position,
        inputs=row.inputs,
        expected=row.expected,
        contexts=row.contexts,
        metadata=row.metadata,
        tags=row.tags,
        split=row.split,
        content_hash=row.content_hash,
        source_kind=source_kind,
        source_uid=source_uid,
    )


def _current(dataset: Dataset, uids: Iterable[str | uuid.UUID]) -> list[Example]:
    keys = list(dict.fromkeys(_key(uid) for uid in uids))
    if len(keys) > MAX_AT_ONCE:
        raise Invalid(f"At most {MAX_AT_ONCE:,} examples at once.")
    found: list[Example] = []
    for start in range(0, len(keys), BATCH):
        found += Example.objects.filter(dataset=dataset, removed_in=None, key__in=keys[start : start + BATCH])
    if len(found) < len(keys):
        missing = (set(keys) - {example.key for example in found}).pop()
        raise NotFound(f"There is no example {ids.public('ex', missing)} in the newest version of {dataset.slug}.")
    return found


def _close(examples: Sequence[Example], version: DatasetVersion) -> None:
    """End the ranges of rows; a row that only the open version ever held goes away."""
    for start in range(0, len(examples), BATCH):
        rows = Example.objects.filter(pk__in=[example.pk for example in examples[start : start + BATCH]])
        rows.filter(added_in=version.number).purge()
        rows.filter(added_in__lt=version.number).rewrite(removed_in=version.number)


def _remember_columns(dataset: Dataset, rows: Iterable[ExampleRow]) -> None:
    columns = {part: dict.fromkeys(dataset.columns.get(part, [])) for part in ("inputs", "metadata")}
    for row in rows:
        columns["inputs"].update(dict.fromkeys(row.inputs))
        columns["metadata"].update(dict.fromkeys(row.metadata))
    known = {part: list(names)[:500] for part, names in columns.items()}
    if known != dataset.columns:
        dataset.columns = known
        Dataset.objects.filter(pk=dataset.pk).update(columns=known)
