from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from evals.importers import rows
from evals.importers.rows import ExampleRow
from evals.models import Dataset, DatasetVersion, Example
from evals.queries import datasets as queries
from evals.services import dataset_examples, datasets, example_erasure
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, DomainError, Invalid, NotFound
from llmops.common.models import RowIsImmutable
from llmops.projects.models import Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project: Project, by: Actor) -> Dataset:
    return datasets.create(project=project, slug="mails", name="Mails", by=by)


def row(question: str, expected: Any = "yes", **parts: Any) -> ExampleRow:
    return rows.checked({"inputs": {"question": question}, "expected": expected, **parts})


def questions(dataset: Dataset, number: int | None = None) -> list[str]:
    return [example.inputs["question"] for example in queries.examples_of(dataset, number)]


def seal(dataset: Dataset, by: Actor) -> DatasetVersion:
    return datasets.seal(dataset=dataset, by=by, now=timezone.now())


def test_edits_collect_in_one_open_version_and_sealed_versions_never_change(dataset: Dataset, by: Actor) -> None:
    added = dataset_examples.add(dataset=dataset, rows=[row("a"), row("b"), row("c")], by=by)
    first = seal(dataset, by)
    assert (first.number, first.examples, added.version) == (1, 3, 1)

    dataset_examples.change(dataset=dataset, uid=added.uids[1], row=row("B"), by=by)
    dataset_examples.remove(dataset=dataset, uids=[added.uids[0]], by=by)
    dataset_examples.add(dataset=dataset, rows=[row("d")], by=by)
    assert questions(dataset, 1) == ["a", "b", "c"]
    assert questions(dataset) == ["B", "c", "d"]
    opened = queries.open_version(dataset)
    assert opened is not None
    assert (opened.number, opened.examples) == (2, 3)
    changes = queries.changes_of(opened)
    assert (changes.added, changes.edited, changes.removed) == (1, 1, 1)

    second = seal(dataset, by)
    assert second.content_hash != first.content_hash
    dataset_examples.change(dataset=dataset, uid=added.uids[1], row=row("b again"), by=by)
    assert questions(dataset, 1) == ["a", "b", "c"]
    assert questions(dataset, 2) == ["B", "c", "d"]
    assert queries.example_in(dataset, added.uids[1]).inputs == {"question": "b again"}


def test_a_version_is_known_by_the_hash_over_its_examples_whatever_their_order(project: Project, by: Actor) -> None:
    hashes = []
    for slug, order in (("one", "abc"), ("two", "cab")):
        dataset = datasets.create(project=project, slug=slug, by=by)
        dataset_examples.add(dataset=dataset, rows=[row(letter) for letter in order], by=by)
        hashes.append(seal(dataset, by).content_hash)
    assert hashes[0] == hashes[1]
    parts = sorted(row(letter).content_hash for letter in "abc")
    assert hashes[0] == hashlib.sha256("".join(parts).encode()).hexdigest()


def test_the_hash_of_an_example_survives_the_database(dataset: Dataset, by: Actor) -> None:
    hostile = row("é 😀", {"b": 1.0, "a": [-0.0, 1e16, 0.1, 1e-7]}, metadata={"z": None, "": 1} and {"z": None})
    dataset_examples.add(dataset=dataset, rows=[hostile], by=by)
    stored = queries.examples_of(dataset).get()
    assert dataset_examples.row_of(stored).content_hash == hostile.content_hash == stored.content_hash


def test_an_example_added_and_removed_in_the_same_open_version_leaves_nothing(dataset: Dataset, by: Actor) -> None:
    added = dataset_examples.add(dataset=dataset, rows=[row("a"), row("b")], by=by)
    dataset_examples.remove(dataset=dataset, uids=added.uids[:1], by=by)
    assert Example.objects.filter(dataset=dataset).count() == 1
    assert seal(dataset, by).examples == 1


def test_saving_a_version_without_changes_says_so(dataset: Dataset, by: Actor) -> None:
    with pytest.raises(Conflict):
        seal(dataset, by)
    added = dataset_examples.add(dataset=dataset, rows=[row("a")], by=by)
    seal(dataset, by)
    with pytest.raises(Conflict):
        seal(dataset, by)
    dataset_examples.change(dataset=dataset, uid=added.uids[0], row=row("a"), by=by)


def test_a_run_pins_the_newest_version_and_seals_it(dataset: Dataset, by: Actor) -> None:
    now = timezone.now()
    with pytest.raises(Invalid):
        datasets.pin(dataset=dataset, by=by, now=now)
    dataset_examples.add(dataset=dataset, rows=[row("a")], by=by)
    pinned = datasets.pin(dataset=dataset, by=by, now=now)
    assert pinned.sealed_at is not None
    assert datasets.pin(dataset=dataset, by=by, now=now) == pinned
    dataset_examples.add(dataset=dataset, rows=[row("b")], by=by)
    assert datasets.pin(dataset=dataset, by=by, now=now, number=1) == pinned
    assert datasets.pin(dataset=dataset, by=by, now=now).number == 2
    with pytest.raises(NotFound):
        datasets.pin(dataset=dataset, by=by, now=now, number=9)


def test_tags_and_splits_are_given_to_many_at_once_and_filtered(dataset: Dataset, by: Actor) -> None:
    added = dataset_examples.add(
        dataset=dataset, rows=[row("Äpfel", tags=["refund"]), row("b"), row("c", split="dev")], by=by
    )
    assert dataset_examples.mark(dataset=dataset, uids=added.uids[:2], add_tag="refund", split="test", by=by) == 2
    assert dataset_examples.mark(dataset=dataset, uids=added.uids[:2], add_tag="refund", split="test", by=by) == 0
    assert queries.tags_of(dataset) == {"refund": 2}
    assert queries.splits_of(dataset) == {"test": 2, "dev": 1}
    found = queries.examples_of(dataset, narrowed=queries.ExampleFilter(search="Äpfel", tag="refund", split="test"))
    assert [example.uid for example in found] == [added.uids[0]]
    assert not queries.examples_of(dataset, narrowed=queries.ExampleFilter(tag="ref"))
    with pytest.raises(Invalid):
        dataset_examples.mark(dataset=dataset, uids=added.uids, add_tag="x" * 61, by=by)


def test_erasing_blanks_every_version_and_keeps_counts_and_hashes(dataset: Dataset, by: Actor) -> None:
    added = dataset_examples.add(dataset=dataset, rows=[row("secret"), row("b")], by=by)
    first = seal(dataset, by)
    dataset_examples.change(dataset=dataset, uid=added.uids[0], row=row("secret again"), by=by)
    second = seal(dataset, by)
    assert example_erasure.erase(dataset=dataset, uid=added.uids[0], by=by, now=timezone.now()) == 2
    assert "secret" not in str(list(Example.objects.filter(dataset=dataset).values("inputs", "metadata")))
    assert queries.examples_of(dataset, 1).count() == 2
    assert questions(dataset) == ["b"]
    assert datasets.content_hash(dataset, 1) == first.content_hash
    assert datasets.content_hash(dataset, 2) == second.content_hash
    with pytest.raises(NotFound):
        example_erasure.erase(dataset=dataset, uid=uuid.uuid4(), by=by, now=timezone.now())


def test_examples_made_from_a_call_are_erased_with_it(dataset: Dataset, by: Actor, project: Project) -> None:
    call = uuid.uuid4()
    dataset_examples.add(dataset=dataset, rows=[row("mine")], by=by, source_kind="call", source_uid=call)
    dataset_examples.add(dataset=dataset, rows=[row("other")], by=by)
    seal(dataset, by)
    assert example_erasure.erase_from(project=project, source_uid=call, by=by, now=timezone.now()) == 1
    assert questions(dataset) == ["other"]


def test_every_change_is_in_the_audit_trail(dataset: Dataset, by: Actor) -> None:
    added = dataset_examples.add(dataset=dataset, rows=[row("a")], by=by)
    dataset_examples.change(dataset=dataset, uid=added.uids[0], row=row("b"), by=by)
    datasets.edit(dataset=dataset, name="Post", by=by)
    seal(dataset, by)
    dataset_examples.remove(dataset=dataset, uids=added.uids, by=by)
    datasets.archive(dataset=dataset, by=by, now=timezone.now())
    names = list(Event.objects.filter(name__startswith="dataset.").order_by("id").values_list("name", flat=True))
    assert names == [
        "dataset.created",
        "dataset.examples_added",
        "dataset.example_edited",
        "dataset.edited",
        "dataset.version_sealed",
        "dataset.examples_removed",
        "dataset.archived",
    ]


def test_names_are_per_project_and_slugs_are_checked(
    dataset: Dataset, other_project: Project, project: Project, by: Actor
) -> None:
    datasets.create(project=other_project, slug="mails", by=by)
    with pytest.raises(Conflict):
        datasets.create(project=project, slug="mails", by=by)
    for slug in ("", "Mails", "a b", "../x", "x" * 61, "a\x00"):
        with pytest.raises(Invalid):
            datasets.create(project=project, slug=slug, by=by)
    with pytest.raises(Invalid):
        datasets.create(project=project, slug="other", name="a\x00", by=by)
    datasets.archive(dataset=dataset, by=by, now=timezone.now())
    with pytest.raises(NotFound):
        queries.dataset_in(project, "mails")
    datasets.create(project=project, slug="mails", by=by)


def test_the_list_shows_the_newest_version_of_each_dataset(dataset: Dataset, project: Project, by: Actor) -> None:
    assert [item.newest_number for item in queries.datasets_in(project)] == [None]
    dataset_examples.add(dataset=dataset, rows=[row("a"), row("b")], by=by)
    [item] = queries.datasets_in(project)
    assert (item.newest_number, item.newest_examples, item.newest_sealed_at) == (1, 2, None)
    assert item.columns == {"inputs": ["question"], "metadata": []}


def test_the_database_holds_the_rules_of_versions(dataset: Dataset, by: Actor) -> None:
    dataset_examples.add(dataset=dataset, rows=[row("a")], by=by)
    example = queries.examples_of(dataset).get()
    with pytest.raises(RowIsImmutable):
        example.save()
    with pytest.raises(RowIsImmutable):
        Example.objects.filter(pk=example.pk).update(split="x")
    with pytest.raises(IntegrityError), transaction.atomic():
        DatasetVersion.objects.create(project=dataset.project, dataset=dataset, number=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        DatasetVersion.objects.filter(dataset=dataset).update(sealed_at=timezone.now(), content_hash="")
    with pytest.raises(IntegrityError), transaction.atomic():
        Example.objects.filter(pk=example.pk).rewrite(removed_in=1)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ([], "inputs"),
        ({}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": "text"}, "inputs"),
        ({"inputs": {"a": 1}, "labels": 1}, "labels"),
        ({"inputs": {"a": "x\x00"}}, "inputs.a"),
        ({"inputs": {"a": float("nan")}}, "inputs.a"),
        ({"inputs": {"a": "\ud800"}}, "inputs.a"),
        ({"inputs": {" ": 1}}, "inputs"),
        ({"inputs": {"a": 1}, "tags": [1]}, "tags"),
        ({"inputs": {"a": 1}, "tags": ["x\x00"]}, "tags"),
        ({"inputs": {"a": 1}, "tags": [str(n) for n in range(51)]}, "tags"),
        ({"inputs": {"a": 1}, "split": 3}, "split"),
        ({"inputs": {"a": 1}, "split": "s" * 41}, "split"),
        ({"inputs": {"a": 1}, "contexts": [{}]}, "contexts"),
        ({"inputs": {str(n): 1 for n in range(501)}}, "inputs"),
        ({"inputs": {"a": "x" * (1024 * 1024)}}, "inputs"),
    ],
)
def test_rows_that_cannot_be_stored_are_refused_with_the_place(raw: Any, field: str) -> None:
    with pytest.raises(DomainError) as refused:
        rows.checked(raw)
    assert field in refused.value.fields
