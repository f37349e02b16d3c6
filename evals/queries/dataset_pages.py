"""What the dataset pages show, computed before a template prints it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from evals.models import Dataset, DatasetVersion, Example
from evals.queries import datasets, paging
from llmops.common import ids
from llmops.projects.models import Project

DIFF_ROWS = 100


@dataclass(frozen=True, slots=True)
class Card:
    slug: str
    name: str
    description: str
    examples: int
    saved_number: int | None
    has_unsaved: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """The line under a dataset's name. `unsaved` counts what the open version changes."""

    examples: int
    saved_number: int | None
    content_hash: str
    unsaved: int
    open_number: int | None
    versions: int


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    number: int
    inputs: str
    expected: str
    tags: list[str]
    split: str
    example: Example
    call: str = ""  # the logged call that it was made of, as `call_…`
    item: str = ""  # the labeled item whose settled answer is expected, as `qi_…`


@dataclass(frozen=True, slots=True)
class VersionRow:
    number: int
    message: str
    examples: int
    added: int
    removed: int
    content_hash: str
    by: str
    sealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DiffRow:
    number: int
    word: str
    tone: str
    icon: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Diff:
    """How version `b` differs from version `a`; `rows` holds the first DIFF_ROWS of `total`."""

    a: int
    b: int
    added: int
    removed: int
    changed: int
    same: int
    rows: list[DiffRow] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.added + self.removed + self.changed

    @property
    def more(self) -> bool:
        return self.total > len(self.rows)


def cards(project: Project, *, text: str = "", cursor: str = "") -> paging.Page[Card]:
    """The project's datasets by slug, narrowed to names that hold the text."""
    rows = datasets.datasets_in(project)
    if text:
        rows = rows.filter(Q(name__icontains=text) | Q(slug__icontains=text))
    return paging.page(rows, order=("slug", "id"), cursor=cursor).map(_card)


def _card(row: Any) -> Card:
    number = row.newest_number
    is_open = number is not None and row.newest_sealed_at is None
    saved = (number - 1 if is_open else number) if number else None
    return Card(
        slug=row.slug,
        name=row.name,
        description=row.description,
        examples=row.newest_examples or 0,
        saved_number=saved or None,
        has_unsaved=is_open,
        changed_at=row.newest_sealed_at or row.created_at,
    )


def head(dataset: Dataset) -> Head:
    newest, *before = datasets.versions_of(dataset)[:2] or [None]
    if newest is None:
        return Head(examples=0, saved_number=None, content_hash="", unsaved=0, open_number=None, versions=0)
    saved = newest if newest.sealed_at else (before[0] if before else None)
    return Head(
        examples=newest.examples,
        saved_number=saved.number if saved else None,
        content_hash=saved.content_hash if saved else "",
        unsaved=0 if newest.sealed_at else datasets.changes_of(newest).total,
        open_number=None if newest.sealed_at else newest.number,
        versions=newest.number,
    )


def rows(
    dataset: Dataset, *, number: int | None, narrowed: datasets.ExampleFilter, cursor: str = ""
) -> paging.Page[Row]:
    """A page of examples in their order."""
    found = datasets.examples_of(dataset, number, narrowed)
    return paging.page(found, order=("position", "id"), cursor=cursor).map(row_of)


def cursor_to(example: Example) -> str:
    """The cursor of a page of `rows` that begins with the example; empty when the first page has it."""
    before = datasets.examples_of(example.dataset).filter(
        Q(position__lt=example.position) | Q(position=example.position, id__lt=example.pk)
    )
    count = before.count()
    if count < paging.SIZE:
        return ""
    return paging.starting_at([example.position, example.pk - 1], first=count + 1)


def row_of(example: Example) -> Row:
    return Row(
        key=example.uid,
        number=example.position,
        inputs=one_line(example.inputs),
        expected=one_line(example.expected),
        tags=list(example.tags),
        split=example.split,
        example=example,
        call=ids.public("call", example.source_uid) if example.source_kind == "call" and example.source_uid else "",
        item=datasets.labeled_item(example),
    )


def one_line(value: Any, most: int = 300) -> str:
    """A value as a table shows it: a single text as it is, an object as its values, cut."""
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, dict):
        parts = [one_line(item, most) for item in value.values()]
        line = parts[0] if len(parts) == 1 else ", ".join(part for part in parts if part)
    elif isinstance(value, str):
        line = value
    else:
        line = json.dumps(value, ensure_ascii=False)
    line = " ".join(line[: most * 2].split())
    return f"{line[: most - 1]}…" if len(line) > most else line


def columns_of(dataset: Dataset) -> list[str]:
    return list(dataset.columns.get("inputs", []))


def version_rows(dataset: Dataset, most: int = 200) -> list[VersionRow]:
    """The newest versions with how many rows each added and took out; an edit counts in both."""
    examples = Example.objects.filter(dataset=dataset)
    added = dict(examples.order_by("added_in").values_list("added_in").annotate(Count("id")))
    removed = dict(
        examples.exclude(removed_in=None).order_by("removed_in").values_list("removed_in").annotate(Count("id"))
    )
    return [
        VersionRow(
            number=version.number,
            message=version.message,
            examples=version.examples,
            added=added.get(version.number, 0),
            removed=removed.get(version.number, 0),
            content_hash=version.content_hash,
            by=version.by,
            sealed_at=version.sealed_at,
        )
        for version in datasets.versions_of(dataset)[:most]
    ]


def diff(dataset: Dataset, a: DatasetVersion, b: DatasetVersion) -> Diff:
    """What was added, removed and changed from `a` to `b`."""
    at_a, at_b = (datasets.examples_of(dataset, version.number) for version in (a, b))
    gone = at_a.exclude(pk__in=at_b.values("pk"))
    came = at_b.exclude(pk__in=at_a.values("pk"))
    changed = gone.filter(key__in=came.values("key")).count()
    removed, added = gone.count() - changed, came.count() - changed
    before = {example.key: example for example in gone[:DIFF_ROWS]}
    after = {example.key: example for example in came[:DIFF_ROWS]}
    # A changed row may be beyond the cut on one side.
    before.update({one.key: one for one in gone.filter(key__in=after.keys() - before.keys())})
    after.update({one.key: one for one in came.filter(key__in=before.keys() - after.keys())})
    keys = sorted(before.keys() | after.keys(), key=lambda key: (before.get(key) or after[key]).position)
    return Diff(
        a=a.number,
        b=b.number,
        added=added,
        removed=removed,
        changed=changed,
        same=a.examples - removed - changed,
        rows=[_diff_row(before.get(key), after.get(key)) for key in keys[:DIFF_ROWS]],
    )


def _diff_row(before: Example | None, after: Example | None) -> DiffRow:
    if before and after:
        word, tone, icon = "Changed", "accent", "pencil"
    elif before:
        word, tone, icon = "Removed", "bad", "minus"
    else:
        word, tone, icon = "Added", "good", "plus"
    one = before or after
    assert one is not None
    return DiffRow(one.position, word, tone, icon, before=_block(before), after=_block(after))


def _block(example: Example | None) -> str:
    if example is None:
        return ""
    lines = [f"{name}: {one_line(value)}" for name, value in example.inputs.items()]
    if example.expected is not None:
        lines.append(f"expected: {one_line(example.expected)}")
    if example.tags:
        lines.append(f"tags: {', '.join(example.tags)}")
    if example.split:
        lines.append(f"split: {example.split}")
    return "\n".join(lines)
