"""The pages of proposed rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.models import Dataset, Proposal, ProposalRequest
from evals.queries import datasets as queries
from evals.services import proposing
from llmops.common import ids
from llmops.gateway.services import connections

ADDRESS = "/p/garden/datasets/mails/proposals/"
FORM = {"source": "description", "description": "Late parcels", "count": "2", "split": "dev", "model": "", "run": "",
        "tags": "", "connection": ""}  # fmt: skip


@pytest.fixture
def asked(page: Client, dataset: Dataset) -> ProposalRequest:
    """A request that the demo provider has answered."""
    connections.ensure_demo(project=dataset.project)
    answer = page.post(ADDRESS, FORM)
    assert answer.status_code == 302, answer.content.decode()
    made = ProposalRequest.objects.get()
    assert answer.url == url(made)  # type: ignore[attr-defined]
    proposing.work(request_id=made.pk)
    made.refresh_from_db()
    assert made.state == "done", made.error
    return made


def url(made: ProposalRequest) -> str:
    return f"/p/garden/proposals/{ids.public('ask', made.uid)}/"


@pytest.mark.django_db(transaction=True)
class TestAnswered:
    def test_the_rows_are_shown_with_their_provenance(self, page: Client, asked: ProposalRequest) -> None:
        body = page.get(url(asked)).content.decode()
        assert "Demo case 1 about Late parcels" in body
        assert "Accept row 2" in body
        assert "Late parcels" in page.get(ADDRESS).content.decode()

    def test_a_row_is_accepted_as_edited(self, page: Client, asked: ProposalRequest, dataset: Dataset) -> None:
        form = {"then": "accept", "inputs.mail": "Where is my second box?", "expected": "delivery", "tags": "box, late",
                "split": "dev", "contexts": "", "metadata": ""}  # fmt: skip
        assert page.post(f"{url(asked)}rows/1/", form).status_code == 302
        row = Proposal.objects.get(request=asked, position=1)
        assert (row.state, row.is_edited) == ("accepted", True)
        example = queries.examples_of(dataset).get(key=row.example_key)
        assert example.inputs == {"mail": "Where is my second box?"}
        assert example.tags == ["box", "late"]
        assert example.metadata["proposed_by"]["kind"] == "model"
        body = page.get(url(asked)).content.decode()
        assert "Accepted, edited" in body
        assert "Accept row 1" not in body
        assert page.post(f"{url(asked)}rows/1/", form).status_code == 409

    def test_a_row_is_refused(self, page: Client, asked: ProposalRequest, dataset: Dataset) -> None:
        assert page.post(f"{url(asked)}rows/2/", {"then": "refuse"}).status_code == 302
        assert Proposal.objects.get(request=asked, position=2).state == "refused"
        assert queries.examples_of(dataset).count() == 3

    def test_a_wrong_edit_comes_back_as_it_was_typed(self, page: Client, asked: ProposalRequest) -> None:
        form = {"then": "accept", "inputs.mail": "Kept text", "expected": "x", "tags": "t" * 100, "metadata": "{"}
        answer = page.post(f"{url(asked)}rows/1/", form)
        assert answer.status_code == 400
        assert "Kept text" in answer.content.decode()
        assert Proposal.objects.get(request=asked, position=1).state == "proposed"

    def test_rows_that_are_not_there_are_404(self, page: Client, asked: ProposalRequest) -> None:
        for position in (9, 10**12):
            assert page.post(f"{url(asked)}rows/{position}/", {"then": "refuse"}).status_code == 404

    def test_a_viewer_reads_and_a_labeler_may_not_ask(
        self, asked: ProposalRequest, member: Any, client_of: Any
    ) -> None:
        viewer = client_of(member("viewer"))
        assert "Accept row" not in viewer.get(url(asked)).content.decode()
        assert viewer.post(f"{url(asked)}rows/1/", {"then": "refuse"}).status_code == 403
        assert client_of(member("labeler")).get(ADDRESS).status_code == 403


def test_a_text_that_could_not_be_read_is_shown(page: Client, dataset: Dataset) -> None:
    made = ProposalRequest.objects.create(
        project=dataset.project, dataset=dataset, source="description", wanted=1, model="m", connection_name="c",
        state="failed", error="The answer could not be read: no JSON.", answer="<b>A poem</b>",
        finished_at=timezone.now(),
    )  # fmt: skip
    body = page.get(url(made)).content.decode()
    assert "The answer could not be read" in body
    assert "&lt;b&gt;A poem&lt;/b&gt;" in body


def test_a_request_that_waits_is_polled_and_can_be_cancelled(page: Client, dataset: Dataset) -> None:
    made = ProposalRequest.objects.create(
        project=dataset.project, dataset=dataset, source="description", wanted=1, model="m", connection_name="c"
    )
    body = page.get(url(made)).content.decode()
    assert 'hx-trigger="every 1s"' in body
    assert page.get(url(made), headers={"HX-Request": "true"}).content.decode().lstrip().startswith('<div id="state"')
    assert page.post(f"{url(made)}cancel/").status_code == 302
    made.refresh_from_db()
    assert made.state == "cancelled"
    assert "every 1s" not in page.get(url(made)).content.decode()


def test_what_cannot_be_asked_is_told_beside_the_field(page: Client, dataset: Dataset) -> None:
    connections.ensure_demo(project=dataset.project)
    answer = page.post(ADDRESS, {**FORM, "description": ""})
    assert answer.status_code == 400
    assert "say what the new rows should be about" in answer.content.decode()
    assert page.post(ADDRESS, {**FORM, "source": "hard_rows"}).status_code == 400
    assert page.post(ADDRESS, {**FORM, "run": "run_nonsense"}).status_code == 400


@pytest.mark.parametrize("items", [1, 4])
def test_the_list_costs_the_same_for_one_and_for_many(
    page: Client, dataset: Dataset, items: int, django_assert_num_queries: Any
) -> None:
    for _ in range(items):
        ProposalRequest.objects.create(
            project=dataset.project, dataset=dataset, source="tags", wanted=1, model="m", connection_name="c"
        )
    page.get(ADDRESS)
    with django_assert_num_queries(9):
        page.get(ADDRESS)
