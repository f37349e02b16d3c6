"""Reports over HTTP: the API's operation and the page's links give the same files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from defusedxml import ElementTree
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from evals.models import Run
from evals.queries import reports
from llmops.common import ids
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(bench: Bench) -> Run:
    bench.fake.answer = lambda text: "=1+1" if text == "text 3" else text
    run = bench.start(bench.dataset(7), bench.prompt())
    bench.work()
    run.refresh_from_db()
    return run


def body(answer: Any) -> str:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def test_every_format_is_streamed_with_its_type_and_name(api: Any, run: Run) -> None:
    uid = ids.public("run", run.uid)
    found = {}
    for name, media_type in {
        "json": "application/json", "csv": "text/csv; charset=utf-8", "junit": "application/xml; charset=utf-8",
        "markdown": "text/markdown; charset=utf-8",
    }.items():  # fmt: skip
        answer = api.send("GET", f"/runs/{uid}/report?format={name}", headers={"Accept": "text/csv"})
        assert answer["Content-Type"] == media_type
        assert uid in answer["Content-Disposition"]
        found[name] = body(answer)
    assert len(json.loads(found["json"])["results"]) == 7
    outputs = [line["output"] for line in csv.DictReader(io.StringIO(found["csv"], newline=""))]
    assert sorted(outputs)[0] == "'=1+1"
    suite = ElementTree.fromstring(found["junit"])[0]
    assert (suite.get("tests"), suite.get("failures"), len(suite.findall("testcase/failure"))) == ("7", "1", 1)
    assert found["markdown"].startswith("# repeat v1 on texts v1")


def test_an_unknown_format_is_refused_by_name(api: Any, run: Run) -> None:
    answer = api.send("GET", f"/runs/{ids.public('run', run.uid)}/report?format=xlsx")
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["format"]


def test_the_run_page_links_every_format(page: Client, run: Run) -> None:
    address = f"/p/garden/runs/{ids.public('run', run.uid)}/"
    shown = page.get(address).content.decode()
    for name in ("markdown", "junit", "json", "csv"):
        assert f"{address}report/?format={name}" in shown
    assert "text 3" in body(page.get(f"{address}report/?format=csv"))
    assert page.get(f"{address}report/?format=nothing").status_code == 400


def test_rows_cost_two_queries_a_batch_however_many_they_are(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "BATCH", 3)
    with CaptureQueriesContext(connection) as queries:
        assert len(list(reports.rows_of(run))) == 7
    assert len(queries) == 1 + 3 * 2
