"""Rows that the evaluation pages show."""

from __future__ import annotations

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Dataset
from evals.services import dataset_examples, datasets
from llmops.common.actors import Actor
from llmops.projects.models import Project


@pytest.fixture
def dataset(project: Project, by: Actor) -> Dataset:
    """Three mails, saved as version 1."""
    made = datasets.create(project=project, slug="mails", name="Golden mails", by=by)
    rows = [
        ExampleRow(inputs={"mail": f"Where is parcel {number}?"}, expected="delivery", tags=["parcel"], split="dev")
        for number in (1, 2, 3)
    ]
    dataset_examples.add(dataset=made, rows=rows, by=by)
    datasets.seal(dataset=made, by=by, now=timezone.now(), message="First")
    return made
