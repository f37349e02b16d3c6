"""A run's scores in parts."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from evals.importers.rows import ExampleRow
from evals.models import Run
from evals.queries import slices
from evals.queries.runs import evaluators_of
from llmops.common import ids
from llmops.common.errors import Invalid
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(bench: Bench) -> Run:
    """40 examples; those in German (10) are all wrong."""
    rows = [
        ExampleRow(
            inputs={"text": f"text {n}"},
            expected="other" if n % 4 == 0 else f"text {n}",
            tags=["even", "all"] if n % 2 == 0 else ["all"],
            split="dev" if n < 30 else "",
            metadata={"lang": "de" if n % 4 == 0 else "en", "level": n % 2, "only": "x"} if n else {"lang": "de"},
        )
        for n in range(40)
    ]
    run = bench.start(bench.dataset(rows), bench.prompt())
    bench.work()
    run.refresh_from_db()
    return run


def found(run: Run, by: str) -> dict[str, tuple[int, int | None, bool]]:
    rows = slices.slices_of(run, evaluators_of(run)[0], by).rows
    return {one.name: (one.n, one.passed, one.is_small) for one in rows}


def test_scores_are_sliced_by_tag_split_and_metadata_the_weakest_first(run: Run) -> None:
    assert found(run, "tag") == {"even": (20, 10, False), "all": (40, 30, False)}
    assert found(run, "split") == {"dev": (30, 22, False), "none": (10, 8, True)}
    assert found(run, "metadata.lang") == {"de": (10, 0, True), "en": (30, 30, False)}
    assert list(found(run, "metadata.lang")) == ["de", "en"]
    assert found(run, "metadata.level") == {"0": (19, 10, True), "1": (20, 20, False), "none": (1, 0, True)}
    assert slices.dimensions_of(run) == ["tag", "split", "metadata.lang", "metadata.level", "metadata.only"]


def test_smaller_slices_are_left_out_and_counted(run: Run) -> None:
    cut = slices.slices_of(run, evaluators_of(run)[0], "metadata.level", most=1)
    assert ([one.name for one in cut.rows], cut.left_out) == (["1"], 2)


@pytest.mark.parametrize("way", ["", "nothing", "metadata.", "metadata"])
def test_what_is_no_dimension_is_refused(run: Run, way: str) -> None:
    with pytest.raises(Invalid):
        slices.slices_of(run, evaluators_of(run)[0], way)


def test_the_api_gives_slices_with_intervals(api: Any, run: Run) -> None:
    uid = ids.public("run", run.uid)
    body = api.send("GET", f"/runs/{uid}/slices?by=metadata.lang").json()
    assert [(one["name"], one["mean"], one["small"]) for one in body["slices"]] == [("de", 0, True), ("en", 1, False)]
    assert body["slices"][0]["high"] == pytest.approx(0.2775, abs=1e-4)  # Wilson, 0 of 10
    assert body["evaluator"] == "exact_match"
    for query, field in (("by=x", "by"), ("evaluator=x", "evaluator")):
        refused = api.send("GET", f"/runs/{uid}/slices?{query}")
        assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, [field])


def test_the_page_shows_the_chosen_slices_and_marks_small_ones(page: Client, run: Run) -> None:
    address = f"/p/garden/runs/{ids.public('run', run.uid)}/"
    shown = page.get(address).context["slices"]
    assert [one["key"] for one in shown["ways"]][:3] == ["tag", "split", "metadata.lang"]
    answer = page.get(f"{address}?slice=metadata.lang")
    german, english = answer.context["slices"]["rows"]
    assert (german["name"], german["value"], german["counts"]) == ("de", "", "0 of 10")
    assert (english["value"], german["bar"]["tone"]) == ("100.0 %", "bad")
    assert "too few" in answer.content.decode()
    assert page.get(f"{address}?slice=nonsense").context["slices"]["by"] == "tag"
