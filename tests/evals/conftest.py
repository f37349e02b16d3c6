"""A project with a prompt, a dataset and a model server, ready to be run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from evals.engine import Limits
from evals.importers.rows import ExampleRow
from evals.models import Dataset, Evaluator, Example, Result, Run, Score
from evals.queries import evaluators as evaluator_queries
from evals.services import dataset_examples, datasets, judge_templates, run_requests, runs, work
from llmops.common.actors import Actor
from llmops.gateway.models import Connection
from llmops.gateway.services import connections
from llmops.projects.models import Project
from prompts.models import Version
from prompts.services import versions
from tests.fake_provider import FakeProvider

PROMPT = """---
name: Repeat
model:
  id: model-1
inputs:
  text:
    type: string
---
user:
{{ text }}
"""
EXACT = {"metric": "exact_match", "params": {}}


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    """A model server that answers with the last user message itself."""
    with FakeProvider(answer=lambda text: text) as fake:
        yield fake


@dataclass(frozen=True)
class Bench:
    """What a run needs, and short ways to start one and to work on it."""

    project: Project
    by: Actor
    connection: Connection
    fake: FakeProvider

    def prompt(self, path: str = "repeat", content: str = PROMPT) -> Version:
        return versions.save(
            project=self.project, path=path, content=content, message="First", by=self.by, now=timezone.now()
        ).version

    def dataset(self, rows: list[ExampleRow] | int, slug: str = "texts") -> Dataset:
        if isinstance(rows, int):
            rows = [ExampleRow(inputs={"text": f"text {n}"}, expected=f"text {n}") for n in range(rows)]
        dataset = datasets.create(project=self.project, slug=slug, by=self.by)
        dataset_examples.add(dataset=dataset, rows=rows, by=self.by)
        return dataset

    def start(self, dataset: Dataset, version: Version | None = None, **wanted: Any) -> Run:
        given = {"evaluators": [EXACT], "version": version, "dataset": dataset} | wanted
        return runs.start(project=self.project, wanted=run_requests.Wanted(**given), by=self.by)

    def work(self, longest_s: float = 30.0) -> None:
        work.run_slice(limits=Limits(longest_s=longest_s, linger_s=0.0))


@pytest.fixture
def bench(project: Project, by: Actor, fake: FakeProvider, settings: Any) -> Bench:
    settings.LLMOPS_EGRESS_ALLOW = [fake.host_port]
    connection = connections.create(
        project=project, name="Local", kind="openai-compatible", base_url=fake.openai_url, key="sk-local-test-key",
        by=by, is_default=True,
    )  # fmt: skip
    return Bench(project, by, connection, fake)


LABELLED = {("pass", "yes"): 88, ("fail", "yes"): 7, ("pass", "no"): 12, ("fail", "no"): 43}


@pytest.fixture
def tone(project: Project, by: Actor) -> Evaluator:
    """A judge from a template, named `tone`."""
    connections.ensure_demo(project=project)
    made = judge_templates.create(
        project=project, template="tone", slug="tone", settings={"model": "demo-small"}, by=by, now=timezone.now()
    )
    assert made.evaluator is not None
    return made.evaluator


def judged_run(project: Project, by: Actor, counts: dict[tuple[str, str], int], slug: str) -> Run:
    """A finished run of the judge, written as a worker would have; a key is verdict and label."""
    rows = [
        ExampleRow(inputs={"text": f"{n}"}, metadata={"out": f"{n}", "human": label, "verdict": verdict})
        for (verdict, label), count in counts.items()
        for n in range(count)
    ]
    dataset = datasets.create(project=project, slug=slug, by=by)
    dataset_examples.add(dataset=dataset, rows=rows, by=by)
    run = runs.start(
        project=project, wanted=run_requests.Wanted(dataset=dataset, evaluators=["tone"], recorded="out"), by=by
    )
    version = evaluator_queries.newest_version(project, "tone")
    for example in Example.objects.filter(dataset=dataset):
        verdict = example.metadata["verdict"]
        result = Result.objects.create(project=project, run=run, example=example, example_key=example.key, output="x")
        Score.objects.create(
            project=project, run=run, result=result, evaluator_version=version, state="scored", value=verdict == "pass",
            passed=verdict == "pass", category=verdict, reason="So.", model_asked="demo-small", model_answered="demo-1",
        )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state="done", is_planned=True)
    run.refresh_from_db()
    return run
