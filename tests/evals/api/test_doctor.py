"""The API of the dataset doctor and of proposed rows, as a client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from evals.importers.rows import ExampleRow
from evals.models import Checkup, Dataset, ProposalRequest
from evals.services import dataset_examples, datasets, examining, proposing
from llmops.common.actors import Actor
from llmops.gateway.services import connections
from llmops.projects.models import Project
from tests.conftest import ApiClient

pytestmark = pytest.mark.django_db(transaction=True)

SAME = "My parcel was to come on Monday, and nobody has seen the courier since then."


@pytest.fixture
def dataset(project: Project, by: Actor) -> Dataset:
    connections.ensure_demo(project=project)
    made = datasets.create(project=project, slug="mails", by=by)
    rows = [ExampleRow(inputs={"mail": SAME}, expected=answer, split=answer) for answer in ("a", "b")]
    dataset_examples.add(dataset=made, rows=rows, by=by)
    return made


def test_a_look_is_started_watched_and_read(api: ApiClient, dataset: Dataset) -> None:
    assert api.send("GET", "/datasets/mails/doctor").status_code == 404
    started = api.send("POST", "/datasets/mails/doctor", {"threshold": 0.9})
    assert started.status_code == 202
    assert (started.json()["state"], started.json()["progress"]) == ("waiting", 0.0)
    examining.work(checkup_id=Checkup.objects.get().pk)
    look = api.send("GET", "/datasets/mails/doctor").json()
    assert (look["state"], look["progress"], look["rows"], look["threshold"]) == ("finished", 1.0, 2, 0.9)
    assert look["counts"]["conflict"] == 1
    page = api.send("GET", "/datasets/mails/doctor/findings?limit=2").json()
    assert [one["kind"] for one in page["results"]] == ["conflict", "split_leak"]
    rest = api.get(page["next"]).json()["results"]
    assert [one["kind"] for one in rest] == ["duplicate"]
    only = api.send("GET", "/datasets/mails/doctor/findings?kind=conflict").json()["results"]
    assert [row["number"] for row in only[0]["rows"]] == [1, 2]
    row = api.send("GET", f"/datasets/mails/examples/{only[0]['rows'][0]['example']}").json()
    assert row["inputs"] == {"mail": SAME}


def test_a_look_is_cancelled(api: ApiClient, dataset: Dataset) -> None:
    api.send("POST", "/datasets/mails/doctor", {})
    assert api.send("DELETE", "/datasets/mails/doctor").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "field"),
    [({"threshold": 0.1}, "threshold"), ({"threshold": "x"}, "threshold"), ({"last_runs": 0}, "last_runs"),
     ({"version": -1}, "version")],
)  # fmt: skip
def test_bad_wishes_name_the_field(api: ApiClient, dataset: Dataset, body: dict[str, Any], field: str) -> None:
    refused = api.send("POST", "/datasets/mails/doctor", body)
    assert refused.status_code == 400
    assert field in refused.json()["error"]["fields"]


def test_an_unknown_kind_is_refused(api: ApiClient, dataset: Dataset) -> None:
    api.send("POST", "/datasets/mails/doctor", {})
    refused = api.send("GET", "/datasets/mails/doctor/findings?kind=nonsense")
    assert refused.status_code == 400
    assert "conflict" in refused.json()["error"]["fields"]["kind"]


def test_rows_are_asked_for_accepted_and_refused(api: ApiClient, dataset: Dataset) -> None:
    started = api.send("POST", "/datasets/mails/proposals", {"description": "Late parcels", "count": 3})
    assert started.status_code == 202, started.content
    address = f"/proposals/{started.json()['id']}"
    assert api.send("GET", address).json()["state"] == "waiting"
    proposing.work(request_id=ProposalRequest.objects.get().pk)
    asked = api.send("GET", address).json()
    assert (asked["state"], asked["cost_usd"], len(asked["rows"])) == ("done", 0.0, 3)
    accepted = api.send("POST", f"{address}/rows/1", {"decision": "accept"})
    assert accepted.status_code == 200, accepted.content
    example = api.send("GET", f"/datasets/mails/examples/{accepted.json()['example']}").json()
    assert example["metadata"]["proposed_by"]["request"] == asked["id"]
    edited = {"inputs": {"mail": "My own words"}, "expected": "x"}
    kept = api.send("POST", f"{address}/rows/2", {"decision": "accept", "row": edited}).json()
    assert (kept["inputs"], kept["is_edited"]) == ({"mail": "My own words"}, True)
    assert api.send("POST", f"{address}/rows/3", {"decision": "refuse"}).json()["state"] == "refused"
    assert api.send("POST", f"{address}/rows/3", {"decision": "accept"}).status_code == 409
    listed = api.send("GET", "/datasets/mails/proposals").json()["results"]
    assert [one["id"] for one in listed] == [asked["id"]]


def test_a_run_that_is_not_there_names_its_field(api: ApiClient, dataset: Dataset) -> None:
    for run in ("run_nonsense", "run_" + "0" * 32):
        refused = api.send("POST", "/datasets/mails/proposals", {"source": "hard_rows", "run": run})
        assert refused.status_code == 400
        assert "run" in refused.json()["error"]["fields"]


def test_another_projects_rows_are_out_of_reach(
    api: ApiClient, dataset: Dataset, other_project: Project, by: Actor
) -> None:
    made = api.send("POST", "/datasets/mails/proposals", {"description": "x"}).json()["id"]
    ProposalRequest.objects.update(project=other_project)
    assert api.send("GET", f"/proposals/{made}").status_code == 404
    assert api.send("POST", f"/proposals/{made}/rows/1", {"decision": "refuse"}).status_code == 404
