"""Several writers at once, each on its own connection."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from evals.importers import checked
from evals.models import DatasetVersion, EvaluatorVersion, Example, Import
from evals.services import dataset_examples, datasets, evaluators, imports
from llmops.common.actors import Actor
from llmops.common.errors import Conflict
from llmops.projects.models import Project

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # kombu's embedded broker, when a message is sent
]


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    """Run `do(0)`, `do(1)`, … in threads that start together; errors are re-raised."""
    barrier, results, errors = threading.Barrier(count), [None] * count, []

    def run(number: int) -> None:
        try:
            barrier.wait()
            results[number] = do(number)
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_many_writers_share_one_open_version_and_lose_nothing(project: Project, by: Actor) -> None:
    dataset = datasets.create(project=project, slug="mails", by=by)

    def write(number: int) -> None:
        for step in range(5):
            row = checked({"inputs": {"q": f"{number}.{step}"}})
            dataset_examples.add(dataset=dataset, rows=[row], by=by)
            if number == 0 and step % 2:
                try:
                    datasets.seal(dataset=dataset, by=by, now=timezone.now())
                except Conflict:
                    pass  # nothing new since the last one

    at_once(6, write)
    assert Example.objects.filter(dataset=dataset).count() == 30
    positions = Counter(Example.objects.filter(dataset=dataset).values_list("position", flat=True))
    assert set(positions) == set(range(1, 31))
    numbers = sorted(DatasetVersion.objects.filter(dataset=dataset).values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    newest = DatasetVersion.objects.get(dataset=dataset, number=numbers[-1])
    assert newest.examples == 30
    for version in DatasetVersion.objects.filter(dataset=dataset).exclude(sealed_at=None):
        assert Example.objects.filter(dataset=dataset).at(version.number).count() == version.examples
        assert datasets.content_hash(dataset, version.number) == version.content_hash


def test_the_same_file_sent_at_once_has_one_effect(project: Project, by: Actor, tmp_path: Path, settings: Any) -> None:
    settings.UPLOADS_DIR = tmp_path
    dataset = datasets.create(project=project, slug="mails", by=by)
    body = b"".join(b'{"input": "%d"}\n' % number for number in range(300))

    def send(number: int) -> Import:
        stored = imports.upload(project=project, chunks=[body], name="a.jsonl")
        return imports.start(dataset=dataset, digest=stored.digest, name="a.jsonl", by=by)

    started = at_once(4, send)
    assert len({one.pk for one in started}) == 1
    at_once(4, lambda _: imports.work(import_id=started[0].pk))
    assert Example.objects.filter(dataset=dataset).count() == 300


def test_the_same_configuration_asked_for_at_once_is_one_evaluator(project: Project, by: Actor) -> None:
    made = at_once(6, lambda _: evaluators.ensure(project=project, spec={"metric": "token_f1"}, by=by))
    assert len({one.pk for one in made}) == 1
    assert EvaluatorVersion.objects.count() == 1
