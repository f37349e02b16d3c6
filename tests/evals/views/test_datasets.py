"""Pages of datasets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Dataset, DatasetVersion, Example
from evals.queries import datasets as queries
from evals.services import dataset_examples, datasets
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Project

HTMX = {"HX-Request": "true"}


def first_of(dataset: Dataset) -> Example:
    example = queries.examples_of(dataset).first()
    assert example is not None
    return example


def test_the_empty_list_says_what_a_dataset_is_and_offers_the_call(page: Client) -> None:
    body = page.get("/p/garden/datasets/").content.decode()
    assert "A dataset is a list of inputs with the answer you expect" in body
    assert "/api/v1/datasets" in body


@pytest.mark.parametrize("items", [1, 3])
def test_the_list_costs_the_same_for_one_and_for_three(
    page: Client, project: Project, by: Actor, items: int, django_assert_num_queries: Any
) -> None:
    for number in range(items):
        made = datasets.create(project=project, slug=f"mails-{number}", by=by)
        dataset_examples.add(dataset=made, rows=[ExampleRow(inputs={"mail": "Hello"})], by=by)
    page.get("/p/garden/datasets/")
    with django_assert_num_queries(5):
        answer = page.get("/p/garden/datasets/")
    assert answer.content.decode().count("row-link") == items


@pytest.mark.parametrize("items", [1, 3])
def test_the_rows_cost_the_same_for_one_and_for_three(
    page: Client, project: Project, by: Actor, items: int, django_assert_num_queries: Any
) -> None:
    made = datasets.create(project=project, slug="mails", by=by)
    rows = [ExampleRow(inputs={"mail": f"Hello {number}"}, tags=["a"]) for number in range(items)]
    dataset_examples.add(dataset=made, rows=rows, by=by)
    datasets.seal(dataset=made, by=by, now=timezone.now())
    page.get("/p/garden/datasets/mails/")
    with django_assert_num_queries(9):
        answer = page.get("/p/garden/datasets/mails/")
    assert answer.content.decode().count("row-link") == items


def test_a_new_dataset_gets_its_slug_from_the_name(page: Client, project: Project) -> None:
    answer = page.post("/p/garden/datasets/-/new/", {"name": "Golden mails, spring", "slug": "", "description": ""})
    assert answer.url == "/p/garden/datasets/golden-mails-spring/import/"  # type: ignore[attr-defined]


def test_a_taken_slug_comes_back_beside_its_field_with_everything_typed(page: Client, dataset: Dataset) -> None:
    answer = page.post("/p/garden/datasets/-/new/", {"name": "Other", "slug": "mails", "description": "For spring"})
    body = answer.content.decode()
    assert answer.context["form"].errors == {"slug": ["taken"]}
    assert 'value="Other"' in body
    assert "For spring" in body


def test_search_and_filters_narrow_the_rows(page: Client, dataset: Dataset) -> None:
    assert page.get("/p/garden/datasets/mails/?q=parcel+2").content.decode().count("row-link") == 1
    assert page.get("/p/garden/datasets/mails/?tag=parcel&split=dev").content.decode().count("row-link") == 3
    assert "No example fits" in page.get("/p/garden/datasets/mails/?split=test").content.decode()


def test_htmx_gets_the_rows_alone(page: Client, dataset: Dataset) -> None:
    body = page.get("/p/garden/datasets/mails/?q=parcel+2", headers=HTMX).content.decode()
    assert body.strip().startswith('<div id="rows">')
    assert "<html" not in body


def test_an_open_row_is_edited_in_place_and_the_old_version_keeps_its_text(page: Client, dataset: Dataset) -> None:
    key = first_of(dataset).uid
    opened = page.get(f"/p/garden/datasets/mails/?open={key}").content.decode()
    assert 'name="inputs.mail"' in opened
    answer = page.post(
        f"/p/garden/datasets/mails/examples/{key}/",
        {"inputs.mail": "Where is it?", "expected": "delivery", "tags": "parcel, short", "split": "dev"},
    )
    assert answer.status_code == 302
    changed = queries.example_in(dataset, key)
    assert (changed.inputs, changed.tags) == ({"mail": "Where is it?"}, ["parcel", "short"])
    assert queries.examples_of(dataset, 1).get(key=changed.key).inputs == {"mail": "Where is parcel 1?"}
    assert "1 change not saved as a version" in page.get("/p/garden/datasets/mails/").content.decode()


def test_keeping_a_row_as_it_was_changes_nothing(page: Client, project: Project, by: Actor) -> None:
    made = datasets.create(project=project, slug="numbers", by=by)
    row = ExampleRow(
        inputs={"age": 41, "note": None, "text": " a\nb "}, expected={"label": "x", "score": 0.5}, metadata={"id": 7}
    )
    dataset_examples.add(dataset=made, rows=[row], by=by)
    datasets.seal(dataset=made, by=by, now=timezone.now())
    example = first_of(made)
    body = page.get(f"/p/garden/datasets/numbers/?open={example.uid}")
    form = next(row.form for row in body.context["rows"] if row.form)
    sent = {bound.html_name: bound.value() or "" for bound in form}
    page.post(f"/p/garden/datasets/numbers/examples/{example.uid}/", sent)
    assert DatasetVersion.objects.filter(dataset=made).count() == 2
    assert first_of(made).content_hash == example.content_hash


def test_a_refused_edit_comes_back_under_its_row_with_what_was_typed(page: Client, dataset: Dataset) -> None:
    key = first_of(dataset).uid
    answer = page.post(
        f"/p/garden/datasets/mails/examples/{key}/",
        {"inputs.mail": "Kept text", "expected": "", "tags": "", "split": "s" * 41, "metadata": "{broken"},
        headers=HTMX,
    )
    body = answer.content.decode()
    assert "Kept text" in body
    assert "{broken" in body
    assert len(re.findall("field-error", body)) == 2


def test_an_example_is_added_and_removed(page: Client, dataset: Dataset) -> None:
    assert 'name="inputs.mail"' in page.get("/p/garden/datasets/mails/examples/-/new/").content.decode()
    page.post("/p/garden/datasets/mails/examples/-/new/", {"inputs.mail": "A fourth", "expected": "", "tags": ""})
    added = queries.examples_of(dataset).last()
    assert added is not None
    assert added.inputs == {"mail": "A fourth"}
    assert "A fourth" in page.get(f"/p/garden/datasets/mails/examples/{added.uid}/remove/").content.decode()
    page.post(f"/p/garden/datasets/mails/examples/{added.uid}/remove/")
    assert queries.examples_of(dataset).count() == 3


def test_the_first_example_is_typed_as_an_object(page: Client, project: Project, by: Actor) -> None:
    made = datasets.create(project=project, slug="fresh", by=by)
    refused = page.post("/p/garden/datasets/fresh/examples/-/new/", {"inputs": '["mail"]', "expected": ""})
    assert "must be a JSON object" in refused.content.decode()
    page.post("/p/garden/datasets/fresh/examples/-/new/", {"inputs": '{"mail": "Hi"}', "expected": "greeting"})
    assert first_of(made).inputs == {"mail": "Hi"}


def test_saving_the_open_version_gives_it_a_number(page: Client, dataset: Dataset, by: Actor) -> None:
    dataset_examples.add(dataset=dataset, rows=[ExampleRow(inputs={"mail": "New"})], by=by)
    page.post("/p/garden/datasets/mails/save/", {"message": "One more"})
    body = page.get("/p/garden/datasets/mails/versions/").content.decode()
    assert "One more" in body
    assert "v2" in body


def test_the_difference_of_two_versions_names_what_changed(page: Client, dataset: Dataset, by: Actor) -> None:
    one, two, _ = queries.examples_of(dataset)
    dataset_examples.change(dataset=dataset, uid=one.uid, row=ExampleRow(inputs={"mail": "Changed"}), by=by)
    dataset_examples.remove(dataset=dataset, uids=[two.uid], by=by)
    dataset_examples.add(dataset=dataset, rows=[ExampleRow(inputs={"mail": "Added"})], by=by)
    diff = page.get("/p/garden/datasets/mails/diff/?a=1&b=2").context["diff"]
    assert (diff.added, diff.removed, diff.changed, diff.same) == (1, 1, 1, 1)
    assert [row.word for row in diff.rows] == ["Changed", "Removed", "Added"]
    back = page.get("/p/garden/datasets/mails/diff/?a=2&b=1").context["diff"]
    assert (back.added, back.removed, back.changed, back.same) == (1, 1, 1, 1)


def test_paging_walks_forth_and_back_over_every_row_once(page: Client, project: Project, by: Actor) -> None:
    made = datasets.create(project=project, slug="long", by=by)
    dataset_examples.add(dataset=made, rows=[ExampleRow(inputs={"n": str(number)}) for number in range(120)], by=by)
    seen, address, pages = [], "/p/garden/datasets/long/", 0
    while address:
        context = page.get(address).context
        seen += [row.number for row in context["rows"]]
        last, address, pages = context["page"], context["page"].next, pages + 1
    assert (seen, pages) == (list(range(1, 121)), 3)
    assert (last.first, last.last) == (101, 120)
    before = page.get(last.previous).context
    assert ([row.number for row in before["rows"]], before["page"].first) == (list(range(51, 101)), 51)


@pytest.mark.parametrize("cursor", ["nonsense", "WyJuIiwgMF0", "WyJuIiwwLHt9LG51bGxd", "a" * 2000, "%00", "é"])
def test_a_made_up_cursor_shows_the_first_page(page: Client, dataset: Dataset, cursor: str) -> None:
    answer = page.get("/p/garden/datasets/mails/", {"cursor": cursor})
    assert len(answer.context["rows"]) == 3


def test_a_viewer_reads_rows_and_is_offered_no_change(
    member: Callable[[str], User], client_of: Callable[[User], Client], dataset: Dataset
) -> None:
    viewer = client_of(member("viewer"))
    body = viewer.get(f"/p/garden/datasets/mails/?open={first_of(dataset).uid}").content.decode()
    assert "Keep change" not in body
    assert "Where is parcel 1?" in body
    assert viewer.post("/p/garden/datasets/mails/save/", {}).status_code == 403


@pytest.mark.parametrize("text", ["\x00", "%", "_", "<script>", "é" * 300, "' OR 1=1"])
def test_odd_search_words_are_only_words(page: Client, dataset: Dataset, text: str) -> None:
    assert page.get("/p/garden/datasets/mails/", {"q": text, "tag": text, "split": text}).status_code == 200
    assert page.get("/p/garden/datasets/", {"q": text}).status_code == 200


def test_an_edit_through_htmx_brings_the_offer_to_save(page: Client, dataset: Dataset) -> None:
    answer = page.post(
        f"/p/garden/datasets/mails/examples/{first_of(dataset).uid}/",
        {"inputs.mail": "Other", "expected": "delivery", "tags": "", "split": ""},
        headers=HTMX,
    )
    body = answer.content.decode()
    assert '<div id="dataset-head" hx-swap-oob="true">' in body
    assert "Save as v2" in body


def test_only_who_may_erase_is_offered_it_and_what_is_erased_is_seen_nowhere(
    page: Client, project: Project, dataset: Dataset, member: Any, client_of: Any, by: Actor
) -> None:
    row = ExampleRow(inputs={"q": "my name is Grace"})
    (uid,) = dataset_examples.add(dataset=dataset, rows=[row], by=by).uids
    address = f"/p/{project.slug}/datasets/{dataset.slug}/examples/{uid}"
    assert "for good" in page.get(f"{address}/remove/").content.decode()
    editor = client_of(member("editor"))
    assert "for good" not in editor.get(f"{address}/remove/").content.decode()
    assert editor.post(f"{address}/erase/").status_code == 403
    done = page.post(f"{address}/erase/", follow=True).content.decode()
    assert "The example is erased" in done
    assert "Grace" not in done
