"""The pages and operations of matrices."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from evals.models import RunGroup
from evals.services import evaluators
from llmops.common import ids
from tests.evals.conftest import EXACT, PROMPT, Bench

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ready(bench: Bench) -> Bench:
    bench.prompt()
    bench.prompt(content=PROMPT.replace("{{ text }}", "Say {{ text }}"))
    bench.dataset(5)
    evaluators.create(project=bench.project, slug="exact", spec=EXACT, by=bench.by)
    return bench


CHOSEN = {
    "prompt": "repeat", "versions": "1, 2", "models": "model-1\nmodel-2 @ Local\n", "settings": '[{"temperature": 0}]',
    "dataset": "texts", "evaluators": "exact", "repeats": "1", "concurrency": "20", "max_cost_usd": "3",
}  # fmt: skip


def test_a_matrix_is_chosen_estimated_started_and_read(page: Client, ready: Bench) -> None:
    assert "No matrix yet" in page.get("/p/garden/runs/-/matrices/").content.decode()
    estimate = page.get("/p/garden/runs/-/matrix/estimate/", CHOSEN).content.decode()
    assert "<b>4</b> of 5 examples" in estimate
    assert "<b>20 calls</b>" in estimate
    assert "<b>20 calls</b>" in page.get("/p/garden/runs/-/matrix/", CHOSEN).content.decode()
    started = page.post("/p/garden/runs/-/matrix/", CHOSEN)
    assert started.status_code == 302
    assert 'hx-trigger="every 2s"' in page.get(started["Location"]).content.decode()
    part = page.get(started["Location"], headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith('<div id="matrix" hx-get=')
    ready.work()
    answer = page.get(started["Location"])
    shown = answer.content.decode()
    assert "hx-trigger" not in page.get(started["Location"], headers={"HX-Request": "true"}).content.decode()
    assert "temperature 0" in shown
    assert "Quality against latency" in shown
    assert [cell["score"] for cell in answer.context["cells"]] == ["100.0 %"] * 2 + ["0.0 %"] * 2
    assert [card.runs for card in page.get("/p/garden/evaluators/").context["cards"]] == [4]
    assert "4 of 4 finished" in page.get("/p/garden/runs/-/matrices/").content.decode()
    link = re.search(r'href="([^"]*/runs/-/pairs/[^"]*)"', shown)
    assert link is not None
    pairs = page.get(html.unescape(link[1]))
    assert len(pairs.context["found"]["lines"]) == 6
    assert "6 pairs" in pairs.content.decode()
    alone = page.get("/p/garden/runs/-/pairs/", {"run": answer.context["cells"][0]["uid"]})
    assert (alone.status_code, alone.context["problem"]) == (400, "Pairs need two to 8 different runs.")
    member = page.get(f"/p/garden/runs/{answer.context['cells'][0]['uid']}/").content.decode()
    assert "in the matrix" in member


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": "99"}, "has no version 99"),
        ({"versions": "nothing"}, "has no label"),
        ({"models": "model-1 @ Nowhere"}, "Nowhere"),
        ({"settings": "{}"}, "A list of objects"),
        ({"settings": "["}, "not JSON"),
        ({"settings": str([{"seed": n} for n in range(16)]).replace("'", '"')}, "at most 60 combinations"),
        ({"prompt": ""}, "Choose a prompt"),
    ],
)
def test_what_is_not_acceptable_stands_beside_its_field(
    page: Client, ready: Bench, change: dict[str, str], words: str
) -> None:
    answer = page.post("/p/garden/runs/-/matrix/", CHOSEN | change)
    assert answer.status_code == 400
    assert words in answer.content.decode() or any(words in str(one) for one in answer.context["form"].errors.values())
    assert not RunGroup.objects.exists()


@pytest.mark.parametrize("address", ["/p/garden/runs/-/matrix/", "/p/garden/runs/-/schedules/-/new/"])
def test_every_choice_of_the_form_is_on_its_page(page: Client, ready: Bench, address: str) -> None:
    answer = page.get(address)
    assert [name for name in answer.context["form"].fields if f'name="{name}"' not in answer.content.decode()] == []


def test_a_list_of_matrices_costs_the_same_for_many(page: Client, ready: Bench) -> None:
    counts = []
    for _ in range(2):
        page.post("/p/garden/runs/-/matrix/", CHOSEN)
        page.get("/p/garden/runs/-/matrices/")
        with CaptureQueriesContext(connection) as queries:
            page.get("/p/garden/runs/-/matrices/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_matrix_page_costs_the_same_for_many_cells(page: Client, ready: Bench) -> None:
    counts = []
    for versions in ("1", "1, 2"):
        started = page.post("/p/garden/runs/-/matrix/", CHOSEN | {"versions": versions})
        ready.work()
        page.get(started["Location"])
        with CaptureQueriesContext(connection) as queries:
            page.get(started["Location"])
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_api_starts_reads_and_cancels_a_matrix(api: Any, ready: Bench) -> None:
    body = {
        "prompt": "repeat", "dataset": "texts", "evaluators": ["exact"], "max_cost_usd": "2", "priority": "high",
        "matrix": {"versions": [1, 2], "models": ["model-1", {"model": "model-2", "connection": "Local"}]},
    }  # fmt: skip
    answer = api.send("POST", "/runs", body)
    assert answer.status_code == 202, answer.content
    started = answer.json()
    assert len(started["runs"]) == 4
    one = api.send("GET", f"/runs/{started['runs'][0]['id']}").json()
    assert (one["group"], one["priority"]) == (started["id"], "high")
    ready.work()
    found = api.send("GET", f"/run-groups/{started['id']}").json()
    assert (found["states"], found["done"], len(found["cells"])) == ({"done": 4}, 20, 4)
    assert [cell["mean"] for cell in found["cells"]] == [1, 1, 0, 0]
    [listed] = api.send("GET", "/run-groups").json()["results"]
    assert (listed["id"], listed["runs"], listed["finished"]) == (started["id"], 4, 4)
    assert api.send("POST", f"/run-groups/{started['id']}/cancel").json()["states"] == {"done": 4}


@pytest.mark.parametrize(
    ("matrix", "field"),
    [
        ({"versions": [9]}, "matrix.versions[0]"),
        ({"versions": [1, True]}, "matrix.versions[1]"),
        ({"models": ["model-1", 5]}, "matrix.models[1]"),
        ({"models": [{"name": "x"}]}, "matrix.models[0]"),
        ({"parameters": [5]}, "matrix.parameters.0"),
        ({"parameters": [{"n": n} for n in range(50)], "models": ["a", "b"]}, "matrix"),
    ],
)
def test_the_api_names_the_value_that_cannot_be(api: Any, ready: Bench, matrix: Any, field: str) -> None:
    body = {"prompt": "repeat", "dataset": "texts", "evaluators": ["exact"], "matrix": matrix}
    answer = api.send("POST", "/runs", body)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == [field]
    assert not RunGroup.objects.exists()


def test_another_project_sees_no_matrix(api: Any, ready: Bench, client_of: Any, other_project: Any) -> None:
    body = {"prompt": "repeat", "dataset": "texts", "evaluators": ["exact"], "matrix": {"versions": [1]}}
    uid = api.send("POST", "/runs", body).json()["id"]
    eve = client_of(other_project.memberships.get().user)
    assert eve.get(f"/p/garden/runs/-/matrices/{uid}/").status_code == 404
    assert eve.get(f"/p/rival/runs/-/matrices/{uid}/").status_code == 404
    assert ids.parse("grp", uid) == RunGroup.objects.get().uid
