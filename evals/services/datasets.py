"""Create datasets, open their versions for changes, and seal them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from evals.models import Dataset, DatasetVersion, Example, Import
from llmops.audit import services as audit
from llmops.common import text
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid, NotFound
from llmops.projects.models import Project
from llmops.projects.models.project import SLUG

EDITABLE = frozenset({"name", "description"})


@transaction.atomic
def create(*, project: Project, slug: str, by: Actor, name: str = "", description: str = "") -> Dataset:
    """A dataset without examples.

    :raises Invalid: when slug, name or description is not acceptable.
    :raises Conflict: when the project has a dataset of that slug.
    """
    check_slug(slug)
    _check_texts(name=name, description=description)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                project=project, slug=slug, name=name or slug, description=description, created_by=by.text
            )
    except IntegrityError:
        raise Conflict(f"There is a dataset “{slug}” already.", fields={"slug": "taken"}) from None
    audit.record("dataset.created", by=by, target=dataset, slug=slug)
    return dataset


@transaction.atomic
def edit(*, dataset: Dataset, by: Actor, **changes: str) -> Dataset:
    """Change name or description.

    :raises TypeError: for any other field.
    """
    if unknown := changes.keys() - EDITABLE:
        raise TypeError(f"not editable: {sorted(unknown)}")
    _check_texts(**changes)
    for field, value in changes.items():
        setattr(dataset, field, value)
    dataset.save(update_fields=list(changes))
    audit.record("dataset.edited", by=by, target=dataset, changes=dict(changes))
    return dataset


@transaction.atomic
def archive(*, dataset: Dataset, by: Actor, now: datetime) -> None:
    """Take the dataset off the lists and free its slug; runs keep their examples."""
    audit.record("dataset.archived", by=by, target=dataset)
    Dataset.objects.filter(pk=dataset.pk, archived_at=None).update(
        archived_at=now, slug=f"{dataset.slug[:40]}-archived-{dataset.pk}"[:60]
    )


@transaction.atomic
def seal(*, dataset: Dataset, by: Actor, now: datetime, message: str = "") -> DatasetVersion:
    """Save the open version: from now on it never changes.

    :raises Conflict: when nothing has changed since the last version, or an import is still writing.
    """
    text_problem = text.problem(message)
    if text_problem or len(message) > 500:
        raise Invalid("The message is not acceptable.", fields={"message": text_problem or "at most 500 characters"})
    _lock(dataset)
    version = DatasetVersion.objects.filter(dataset=dataset, sealed_at=None).first()
    if version is None:
        raise Conflict("Nothing has changed since the last version.", code="nothing_to_save")
    if Import.objects.filter(dataset=dataset, state__in=Import.ACTIVE).exists():
        raise Conflict(
            "An import is still writing into this dataset. Wait for it, or cancel it.", code="import_running"
        )
    version.content_hash = content_hash(dataset, version.number)
    version.sealed_at = now
    version.message = message
    version.save(update_fields=["content_hash", "sealed_at", "message"])
    audit.record(
        "dataset.version_sealed", by=by, target=version, text=f"{dataset.slug} v{version.number}", dataset=dataset.slug
    )
    return version


@transaction.atomic
def pin(*, dataset: Dataset, by: Actor, now: datetime, number: int | None = None) -> DatasetVersion:
    """The sealed version that a run uses: `number`, or the newest, which is sealed first if it is open.

    :raises NotFound: when there is no such version.
    :raises Invalid: when it has no examples.
    """
    versions = DatasetVersion.objects.filter(dataset=dataset).order_by("-number")
    version = (versions if number is None else versions.filter(number=number)).first()
    if version is None and number is not None:
        raise NotFound(f"{dataset.slug} has no version {number}.")
    if version is None or not version.examples:
        raise Invalid(f"{dataset.slug} has no examples yet.", fields={"dataset": "has no examples"})
    return version if version.sealed_at else seal(dataset=dataset, by=by, now=now, message="Sealed by a run")


def content_hash(dataset: Dataset, number: int) -> str:
    """SHA-256 over the sorted content hashes of a version's examples."""
    total = hashlib.sha256()
    hashes = Example.objects.filter(dataset=dataset).at(number).order_by("content_hash")
    for one in hashes.values_list("content_hash", flat=True).iterator(chunk_size=5_000):
        total.update(one.encode())
    return total.hexdigest()


def open_for_edits(*, dataset: Dataset, by: Actor) -> DatasetVersion:
    """The open version, made if there is none; the dataset stays locked until the caller's transaction ends."""
    dataset = _lock(dataset)
    newest = DatasetVersion.objects.filter(dataset=dataset).order_by("-number").first()
    if newest is not None and newest.sealed_at is None:
        newest.dataset = dataset
        return newest
    return DatasetVersion.objects.create(
        project_id=dataset.project_id,
        dataset=dataset,
        number=newest.number + 1 if newest else 1,
        examples=newest.examples if newest else 0,
        by=by.text,
    )


def check_slug(slug: str) -> None:
    """:raises Invalid: when it is not one."""
    try:
        SLUG(slug)
    except ValidationError:
        raise Invalid("The slug is not acceptable.", fields={"slug": str(SLUG.message)}) from None


def _lock(dataset: Dataset) -> Dataset:
    """The dataset's row as it is now, locked: numbers and positions are given out by one writer at a time."""
    return Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)


def _check_texts(**texts: str) -> None:
    wrong = {name: reason for name, value in texts.items() if (reason := text.problem(value))}
    if len(texts.get("name", "")) > 120:
        wrong["name"] = "at most 120 characters"
    if len(texts.get("description", "")) > 20_000:
        wrong["description"] = "at most 20,000 characters"
    if wrong:
        raise Invalid("The input is not acceptable.", fields=wrong)
