"""Any history of edits against a plain model of it: sealed versions never change, the newest is what was done."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.importers import checked
from evals.queries import datasets as queries
from evals.services import dataset_examples, datasets, example_erasure
from llmops.common.actors import Actor
from llmops.common.errors import Conflict
from llmops.common.ids import uuid7
from llmops.projects.models import Project

steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "change", "remove", "mark", "seal", "erase"]), st.integers(0, 9), st.integers(0, 3)
    ),
    max_size=14,
)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_histories(project: Project, by: Actor, history: list[tuple[str, int, int]]) -> None:
    dataset = datasets.create(project=project, slug=f"d{uuid7().hex}", by=by)
    now = timezone.now()
    newest: dict[str, tuple[str, tuple[str, ...]]] = {}
    sealed: dict[int, dict[str, tuple[str, tuple[str, ...]]]] = {}
    hashes: dict[int, str] = {}
    dirty = False

    for action, place, letter in history:
        uid = list(newest)[place % len(newest)] if newest else None
        text = "abcd"[letter]
        if action == "add":
            [made] = dataset_examples.add(dataset=dataset, rows=[checked({"inputs": {"q": text}})], by=by).uids
            newest[made], dirty = (text, ()), True
        elif action == "seal":
            if dirty:
                version = datasets.seal(dataset=dataset, by=by, now=now)
                sealed[version.number], hashes[version.number], dirty = dict(newest), version.content_hash, False
            else:
                with pytest.raises(Conflict):
                    datasets.seal(dataset=dataset, by=by, now=now)
        elif uid is None:
            continue
        elif action == "change":
            row = checked({"inputs": {"q": text}, "tags": list(newest[uid][1])})
            dataset_examples.change(dataset=dataset, uid=uid, row=row, by=by)
            newest[uid], dirty = (text, newest[uid][1]), True
        elif action == "mark":
            dataset_examples.mark(dataset=dataset, uids=[uid], add_tag=text, by=by)
            newest[uid], dirty = (newest[uid][0], tuple(dict.fromkeys((*newest[uid][1], text)))), True
        elif action == "remove":
            dataset_examples.remove(dataset=dataset, uids=[uid], by=by)
            del newest[uid]
            dirty = True
        else:
            example_erasure.erase(dataset=dataset, uid=uid, by=by, now=now)
            del newest[uid]
            dirty = True
            for version in sealed.values():
                if uid in version:
                    version[uid] = ("", ())

    assert shown(dataset) == newest
    for number, expected in sealed.items():
        assert shown(dataset, number) == expected
        assert queries.version_of(dataset, number).examples == len(expected)
        assert datasets.content_hash(dataset, number) == hashes[number]
    found = queries.newest_version(dataset)
    assert (found.examples if found else 0) == len(newest)


def shown(dataset: Any, number: int | None = None) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {
        example.uid: (example.inputs.get("q", ""), tuple(example.tags))
        for example in queries.examples_of(dataset, number)
    }
