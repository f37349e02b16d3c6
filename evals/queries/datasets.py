"""Reads about datasets, their versions and examples, and imports."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from evals.models import Dataset, DatasetVersion, Example, Import, ImportProblem
from evals.models.dataset import ExampleQuerySet
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project

LABELED = re.compile("qi_[0-9a-f]{32}")  # how an example names a labeled item


@dataclass(frozen=True, slots=True)
class Changes:
    """What a version changes against the one before it."""

    added: int
    removed: int
    edited: int

    @property
    def total(self) -> int:
        return self.added + self.removed + self.edited


@dataclass(frozen=True, slots=True)
class ExampleFilter:
    """What a list of examples is narrowed to; empty texts narrow nothing. `search` looks into inputs and expected."""

    search: str = ""
    tag: str = ""
    split: str = ""


def datasets_in(project: Project) -> QuerySet[Dataset]:
    """The project's datasets by name, each with `newest_number`, `newest_examples` and `newest_sealed_at`."""
    newest = DatasetVersion.objects.filter(dataset=OuterRef("pk")).order_by("-number")
    return (
        Dataset.objects.filter(project=project, archived_at=None)
        .annotate(
            newest_number=Subquery(newest.values("number")[:1]),
            newest_examples=Subquery(newest.values("examples")[:1]),
            newest_sealed_at=Subquery(newest.values("sealed_at")[:1]),
        )
        .order_by("slug", "id")
    )


def slugs_in(project: Project, most: int | None = None) -> list[str]:
    """The names of the project's datasets in addresses, as `datasets_in` orders them, at most so many."""
    return list(datasets_in(project).values_list("slug", flat=True)[:most])


def dataset_row(project: Project, slug: str) -> Dataset:
    """One dataset as `datasets_in` lists it.

    :raises NotFound: when the project has none of that slug.
    """
    dataset = datasets_in(project).filter(slug=slug.lower()).first()
    if dataset is None:
        raise NotFound(f"There is no dataset “{slug[:60]}” here.")
    return dataset


def dataset_in(project: Project, slug: str) -> Dataset:
    """:raises NotFound: when the project has none of that slug."""
    dataset = Dataset.objects.filter(project=project, slug=slug.lower(), archived_at=None).first()
    if dataset is None:
        raise NotFound(f"There is no dataset “{slug[:60]}” here.")
    return dataset


def versions_of(dataset: Dataset) -> QuerySet[DatasetVersion]:
    """All versions, newest first."""
    return DatasetVersion.objects.filter(dataset=dataset).order_by("-number")


def newest_version(dataset: Dataset) -> DatasetVersion | None:
    """The open version if there is one, else the last sealed one; None for a dataset that never had an example."""
    return versions_of(dataset).first()


def open_version(dataset: Dataset) -> DatasetVersion | None:
    return versions_of(dataset).filter(sealed_at=None).first()


def version_of(dataset: Dataset, number: int) -> DatasetVersion:
    """:raises NotFound: when there is no such version."""
    version = versions_of(dataset).filter(number=number).first()
    if version is None:
        raise NotFound(f"{dataset.slug} has no version {number}.")
    return version


def examples_of(dataset: Dataset, number: int | None = None, narrowed: ExampleFilter | None = None) -> ExampleQuerySet:
    """The examples of version `number` (the newest without one), in their order."""
    rows: ExampleQuerySet = Example.objects.filter(dataset=dataset)
    rows = rows.current() if number is None else rows.at(number)
    if narrowed is not None:
        if narrowed.search:
            rows = rows.filter(Q(inputs__icontains=narrowed.search) | Q(expected__icontains=narrowed.search))
        if narrowed.tag:
            rows = rows.tagged(narrowed.tag)
        if narrowed.split:
            rows = rows.filter(split=narrowed.split)
    return rows.in_order()


def example_in(dataset: Dataset, uid: str | uuid.UUID) -> Example:
    """The current row of an example, by its outside id.

    :raises NotFound: when the newest version has none.
    """
    key = uid if isinstance(uid, uuid.UUID) else ids.parse("ex", uid)
    example = Example.objects.filter(dataset=dataset, key=key, removed_in=None).first()
    if example is None:
        raise NotFound(f"There is no example {str(uid)[:60]} in the newest version of {dataset.slug}.")
    return example


def positions_of(dataset: Dataset, keys: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The numbers of these rows, as far as the newest version has them."""
    return dict(examples_of(dataset).filter(key__in=list(keys)).values_list("key", "position"))


def keys_of(members: Iterable[Mapping[str, Any]]) -> list[uuid.UUID]:
    """The keys of rows that a finding names."""
    return [uuid.UUID(member["key"]) for member in members]


def current_keys(dataset: Dataset, uids: Iterable[str]) -> list[uuid.UUID]:
    """Which of the outside ids the newest version still has."""
    keys = [ids.parse("ex", uid) for uid in uids]
    return list(Example.objects.filter(dataset=dataset, removed_in=None, key__in=keys).values_list("key", flat=True))


def tags_of(dataset: Dataset, number: int | None = None, most: int = 5_000) -> dict[str, int]:
    """How often each tag is used, most used first, from the first `most` examples that have one."""
    counted: dict[str, int] = {}
    rows = examples_of(dataset, number).exclude(tags=[]).values_list("tags", flat=True)[:most]
    for tags in rows:
        for tag in tags:
            counted[tag] = counted.get(tag, 0) + 1
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def splits_of(dataset: Dataset, number: int | None = None) -> dict[str, int]:
    """How many examples each split has; the empty text is for those without."""
    rows = examples_of(dataset, number).order_by("split").values("split").annotate(n=Count("id"))
    return {row["split"]: row["n"] for row in rows}


def changes_of(version: DatasetVersion) -> Changes:
    """How many examples this version adds, removes and edits."""
    rows = Example.objects.filter(dataset_id=version.dataset_id)
    came = rows.filter(added_in=version.number)
    went = rows.filter(removed_in=version.number)
    edited = came.filter(key__in=went.values("key")).count()
    return Changes(added=came.count() - edited, removed=went.count() - edited, edited=edited)


def column(example: Example, name: str) -> Any:
    """The value of a dataset's column by name, wherever the example keeps it; None when it has none."""
    if name in example.metadata:
        return example.metadata[name]
    if name in example.inputs:
        return example.inputs[name]
    return example.expected if name == "expected" else None


def has_column(dataset: Dataset, name: str) -> bool:
    """Whether any example holds the column, as far as the dataset remembers."""
    return name == "expected" or any(name in names for names in dataset.columns.values())


def imports_of(dataset: Dataset) -> QuerySet[Import]:
    return Import.objects.filter(dataset=dataset).order_by("-id")


def import_in(project: Project, uid: str | uuid.UUID) -> Import:
    """:raises NotFound: when the project has none."""
    key = uid if isinstance(uid, uuid.UUID) else ids.parse("imp", uid)
    found = Import.objects.select_related("dataset").filter(project=project, uid=key).first()
    if found is None:
        raise NotFound("There is no such import here.")
    return found


def problems_of(of: Import) -> QuerySet[ImportProblem]:
    return ImportProblem.objects.filter(of=of).order_by("line", "id")


def labeled_item(example: Example) -> str:
    """The labeled item that the example comes from, or that its expected output was settled on later."""
    if example.source_kind == "label" and example.source_uid:
        return ids.public("qi", example.source_uid)
    named = example.metadata.get("item") if example.source_kind == "call" else None
    return named if isinstance(named, str) and LABELED.fullmatch(named) else ""
