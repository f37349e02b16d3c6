"""Runs over one split, and how often a prompt has looked at the test split."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from evals.importers.rows import ExampleRow
from evals.models import Dataset, Result, Run
from evals.queries import looks
from evals.services import evaluators
from llmops.common import ids
from llmops.common.errors import Invalid
from prompts.models import Version
from tests.conftest import ApiClient
from tests.evals.conftest import EXACT, Bench

pytestmark = pytest.mark.django_db(transaction=True)


def rows_of(**counts: int) -> list[ExampleRow]:
    return [
        ExampleRow(inputs={"text": f"{split} {n}"}, expected=f"{split} {n}", split="" if split == "none" else split)
        for split, count in counts.items()
        for n in range(count)
    ]


def finished(bench: Bench, dataset: Dataset, version: Version, **wanted: Any) -> Run:
    run = bench.start(dataset, version, **wanted)
    bench.work()
    run.refresh_from_db()
    assert run.state == Run.State.DONE
    return run


def test_a_run_over_a_split_makes_results_of_its_rows_alone(bench: Bench) -> None:
    dataset = bench.dataset(rows_of(train=5, dev=3, test=2, none=1))
    run = finished(bench, dataset, bench.prompt(), split="dev", repeats=2)
    assert run.total == 6
    splits = Result.objects.filter(run=run).values_list("example__split", flat=True)
    assert list(splits) == ["dev"] * 6
    assert run.provenance["dataset"]["split"] == "dev"
    assert run.test_rows == 0


def test_recorded_outputs_can_be_limited_to_a_split_too(bench: Bench) -> None:
    rows = [
        ExampleRow(inputs={"text": "x"}, expected="a", metadata={"out": "a"}, split=split) for split in ("dev", "test")
    ]
    run = bench.start(bench.dataset(rows), recorded="out", split="test")
    bench.work()
    assert Result.objects.get(run=run).example.split == "test"


def test_a_split_without_rows_is_refused_with_the_names_of_those_that_have_some(bench: Bench) -> None:
    dataset = bench.dataset(rows_of(train=2, test=1))
    with pytest.raises(Invalid) as refused:
        bench.start(dataset, bench.prompt(), split="validation")
    assert "test, train" in refused.value.fields["split"]
    assert not Run.objects.exists()


def test_each_finished_run_that_sees_test_rows_is_a_look_of_its_prompt(bench: Bench) -> None:
    dataset, version = bench.dataset(rows_of(train=2, TEST=2, none=1)), bench.prompt()
    first = finished(bench, dataset, version)
    finished(bench, dataset, version, split="train")
    other = finished(bench, dataset, bench.prompt(path="another"))
    third = finished(bench, dataset, bench.prompt(content=version.content.text + "\nMore."), split="TEST")
    found = [looks.look_of(Run.objects.get(pk=run.pk)) for run in (first, other, third)]
    assert [look.number for look in found if look] == [1, 1, 2]
    assert found[0] is not None
    assert found[0].rows == 2
    newest = dataset.versions.get()
    after = looks.next_look(version.artifact, newest)
    assert after is not None
    assert (after.number, after.sentence) == (3, "This would be the 3rd look of repeat at the test split of texts.")
    assert looks.next_look(version.artifact, newest, "train") is None


def test_a_cancelled_run_is_no_look(bench: Bench) -> None:
    dataset, version = bench.dataset(rows_of(test=1)), bench.prompt()
    run = finished(bench, dataset, version)
    Run.objects.filter(pk=run.pk).update(state=Run.State.CANCELLED)
    assert looks.looks_of(version.artifact, dataset).count() == 0


def test_looks_at_another_dataset_do_not_count(bench: Bench) -> None:
    dataset, version = bench.dataset(rows_of(test=1, dev=1)), bench.prompt()
    finished(bench, bench.dataset(rows_of(test=1), slug="others"), version)
    finished(bench, dataset, version)
    assert looks.looks_of(version.artifact, dataset).count() == 1


@pytest.mark.parametrize(
    ("number", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (113, "113th"),
                         (21, "21st"), (102, "102nd")],
)  # fmt: skip
def test_ordinals_are_spelled_as_people_say_them(number: int, word: str) -> None:
    assert looks.ordinal(number) == word


def test_the_pages_count_the_looks_and_warn_after_the_fifth(bench: Bench, page: Client) -> None:
    dataset, version = bench.dataset(rows_of(test=1)), bench.prompt()
    done = [finished(bench, dataset, version) for _ in range(looks.WARN_AFTER + 1)]
    fifth, sixth = (ids.public("run", run.uid) for run in done[-2:])
    shown = page.get(reverse("evals:run-detail", args=["garden", fifth])).content.decode()
    assert "the 5th look of repeat at the test split of texts" in shown
    assert "looks better than it is" not in shown
    shown = page.get(reverse("evals:run-detail", args=["garden", sixth])).content.decode()
    assert "the 6th look" in shown
    assert "looks better than it is" in shown
    compared = page.get(reverse("evals:run-compare", args=["garden"]), {"a": fifth, "b": sixth}).content.decode()
    assert "the 6th look" in compared
    evaluators.create(project=bench.project, slug="exact", spec=EXACT, by=bench.by)
    wanted = {"source": "prompt", "prompt": "repeat", "dataset": "texts", "evaluators": ["exact"], "repeats": 1}
    address = reverse("evals:run-estimate", args=["garden"])
    estimate = page.get(address, {**wanted, "concurrency": 1, "connection": "Local"}).content.decode()
    assert "This would be the 7th look" in estimate
    assert "looks better than it is" in estimate


def test_the_api_takes_a_split_and_tells_the_look(bench: Bench, api: ApiClient) -> None:
    bench.dataset(rows_of(test=1, dev=2))
    bench.prompt()
    body = {"prompt": "repeat", "dataset": "texts", "evaluators": [EXACT], "split": "test"}
    started = api.send("POST", "/runs", body)
    assert started.status_code == 202, started.content
    bench.work()
    run = api.send("GET", f"/runs/{started.json()['id']}").json()
    assert (run["split"], run["total"]) == ("test", 1)
    assert run["test_split"] == {"look": 1, "rows": 1, "warn_after": looks.WARN_AFTER, "too_many": False}
    refused = api.send("POST", "/runs", {**body, "split": "none"})
    assert refused.status_code == 400
    assert "split" in refused.json()["error"]["fields"]
