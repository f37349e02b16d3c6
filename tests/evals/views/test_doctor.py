"""The pages of the dataset doctor."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from evals.importers.rows import ExampleRow
from evals.models import Checkup, CheckupFinding, Dataset
from evals.queries import datasets as queries
from evals.services import checkups, dataset_examples, examining
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import Actor

SAME = "My parcel was to come on Monday, and nobody has seen the courier since then."
ADDRESS = "/p/garden/datasets/mails/doctor/"


@pytest.fixture
def look(dataset: Dataset, by: Actor) -> Checkup:
    """Two rows that conflict, examined."""
    rows = [ExampleRow(inputs={"mail": SAME}, expected=answer) for answer in ("delivery", "refund")]
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    return examined(dataset, by)


def examined(dataset: Dataset, by: Actor) -> Checkup:
    made = checkups.start(dataset=dataset, by=by)
    examining.work(checkup_id=made.pk)
    made.refresh_from_db()
    assert made.state == "finished", made.error
    return made


def finding_url(look: Checkup, kind: str = "conflict") -> str:
    found = CheckupFinding.objects.get(checkup=look, kind=kind)
    return f"/p/garden/findings/{ids.public('fnd', found.uid)}/"


def test_a_dataset_that_was_never_examined_says_what_would_be_found(page: Client, dataset: Dataset) -> None:
    body = page.get(ADDRESS).content.decode()
    assert "Not examined yet" in body
    assert "Examine 3 rows" in body
    assert "/api/v1/datasets/mails/doctor" in body


def test_a_look_is_started_followed_and_cancelled(page: Client, dataset: Dataset) -> None:
    assert page.post(f"{ADDRESS}-/start/", {"threshold": "0.9", "last_runs": "3"}).status_code == 302
    look = Checkup.objects.get()
    assert (look.threshold, look.last_runs, look.version_number) == (0.9, 3, 1)
    body = page.get(ADDRESS).content.decode()
    assert 'hx-trigger="every 1s"' in body
    assert "0 %" in body
    part = page.get(ADDRESS, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="state"')
    page.post(f"{ADDRESS}{ids.public('chk', look.uid)}/cancel/")
    look.refresh_from_db()
    assert look.state == "cancelled"
    body = page.get(ADDRESS).content.decode()
    assert "was cancelled" in body
    assert "every 1s" not in body


def test_a_wrong_number_comes_back_beside_its_field(page: Client, dataset: Dataset) -> None:
    answer = page.post(f"{ADDRESS}-/start/", {"threshold": "0.8", "last_runs": "99"})
    assert answer.status_code == 400
    assert "less than or equal to 20" in answer.content.decode()
    assert not Checkup.objects.exists()


def test_a_look_that_failed_says_why(page: Client, look: Checkup) -> None:
    Checkup.objects.update(state="failed", error="The worker stopped 3 times while it looked.")
    assert "The worker stopped 3 times" in page.get(ADDRESS).content.decode()


def test_findings_are_listed_by_kind_with_their_rows(page: Client, look: Checkup) -> None:
    body = page.get(ADDRESS).content.decode()
    assert "Conflicting answers" in body
    assert "equal inputs, 2 different expected answers" in body
    assert body.count("#4") >= 1
    only = page.get(f"{ADDRESS}?kind=duplicate", headers={"HX-Request": "true", "HX-Target": "rows"}).content.decode()
    assert only.lstrip().startswith('<div id="rows"')
    assert "different expected answers" in only
    assert "Conflicting" not in only
    assert page.get(f"{ADDRESS}?kind=nonsense").status_code == 200


def test_a_healthy_dataset_is_told_so(page: Client, dataset: Dataset, by: Actor) -> None:
    examined(dataset, by)
    page_now = page.get(ADDRESS).content.decode()
    assert "0 findings" in page_now
    assert "Nothing was found" in page_now


def test_both_rows_of_a_finding_stand_side_by_side(page: Client, look: Checkup) -> None:
    body = page.get(finding_url(look)).content.decode()
    assert body.count(SAME) == 2
    assert "delivery" in body
    assert "refund" in body
    assert "Remove #4" in body


def test_one_row_is_removed_and_then_shown_as_gone(page: Client, look: Checkup, dataset: Dataset) -> None:
    gone = queries.examples_of(dataset).get(position=5)
    answer = page.post(f"{finding_url(look)}act/", {"remove": gone.uid})
    assert answer.status_code == 302
    assert queries.examples_of(dataset).count() == 4
    body = page.get(finding_url(look)).content.decode()
    assert "not in the newest version" in body
    assert "Remove #5" not in body
    again = page.post(f"{finding_url(look)}act/", {"remove": gone.uid})
    assert again.status_code == 404
    assert "not in the newest" in page.get(ADDRESS).content.decode()


def test_a_row_of_another_finding_cannot_be_removed_here(page: Client, look: Checkup, dataset: Dataset) -> None:
    other = queries.examples_of(dataset).get(position=1)
    assert page.post(f"{finding_url(look)}act/", {"remove": other.uid}).status_code == 400
    assert queries.examples_of(dataset).count() == 5


def test_all_rows_of_a_finding_get_a_tag(page: Client, look: Checkup, dataset: Dataset) -> None:
    assert page.post(f"{finding_url(look)}act/", {"tag": "to check"}).status_code == 302
    tagged = queries.examples_of(dataset).tagged("to check")
    assert [row.position for row in tagged] == [4, 5]
    assert page.post(f"{finding_url(look)}act/", {}).status_code == 400


def test_a_viewer_reads_and_changes_nothing(look: Checkup, member: Any, client_of: Any) -> None:
    viewer: User = member("viewer")
    browser = client_of(viewer)
    body = browser.get(finding_url(look)).content.decode()
    assert "Remove #4" not in body
    assert browser.post(f"{finding_url(look)}act/", {"tag": "x"}).status_code == 403
    assert browser.post(f"{ADDRESS}-/start/", {"threshold": "0.8", "last_runs": "5"}).status_code == 403


@pytest.mark.parametrize("pairs", [1, 6])
def test_findings_cost_the_same_for_one_and_for_many(
    page: Client, dataset: Dataset, by: Actor, pairs: int, django_assert_num_queries: Any
) -> None:
    rows = [ExampleRow(inputs={"mail": f"{pair * 7919} {SAME[pair:]}"}) for pair in range(pairs) for _ in range(2)]
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    examined(dataset, by)
    page.get(ADDRESS)
    with django_assert_num_queries(12):
        page.get(ADDRESS)


def test_findings_are_paged(page: Client, dataset: Dataset, by: Actor) -> None:
    look = examined(dataset, by)
    member = {"key": str(queries.examples_of(dataset)[0].key), "number": 1, "split": ""}
    CheckupFinding.objects.bulk_create(
        CheckupFinding(project_id=look.project_id, checkup=look, kind="odd", rank=rank, members=[member], size=1,
                       strength=1.0, note=f"note {rank}")
        for rank in range(1, 41)
    )  # fmt: skip
    Checkup.objects.update(counts={"odd": 40})
    first = page.get(f"{ADDRESS}?kind=odd").content.decode()
    assert "note 25<" in first
    assert "note 26<" not in first
    assert 'rel="next"' in first
    assert "kind=odd" in first[first.index('class="pager"') :]


def test_a_row_far_down_the_list_is_opened_where_it_stands(page: Client, dataset: Dataset, by: Actor) -> None:
    dataset_examples.add(dataset=dataset, rows=[ExampleRow(inputs={"mail": f"Mail {n}"}) for n in range(120)], by=by)
    row = queries.examples_of(dataset).get(position=100)
    body = page.get(f"/p/garden/datasets/mails/examples/{row.uid}/", follow=True).content.decode()
    assert f'id="ex-{row.uid}" class="is-open"' in body
    assert "100 to" in body
