"""The whole demo project, with its runs, calls, keys and git repository, comes back from a backup as it was."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.utils import timezone

from llmops.common.actors import SYSTEM
from llmops.gateway import crypto
from llmops.gateway.models import Connection
from llmops.projects import keys, tenancy
from llmops.projects.models import Project
from llmops.projects.services import backups
from prompts.git.packs import Raw, name_of
from prompts.models import Commit, GitObject
from tests import running
from tests.fleet import PROVIDER_KEY, World
from tests.projects.services.test_backups import vanish

# Made by a fetch, by work that is under way, by a broken file, and by chains.
WITHOUT_ROWS = {"prompts.gitpack", "evals.workitem", "evals.importproblem", "prompts.versionpin"} | {
    "feedback.loosespan"
}
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def world(transactional_db: None) -> World:
    return running.demo_world()


def content_of(project: Project) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of the project; a primary key is told by its place in its table."""
    tables = [(table.model, list(table.rows(project).order_by("pk"))) for table in tenancy.tables()]
    places = {(model, row.pk): place for model, rows in tables for place, row in enumerate(rows)}
    return {model._meta.label_lower: [_told(row, places) for row in rows] for model, rows in tables}


def _told(row: models.Model, places: dict[tuple[Any, Any], int]) -> dict[str, Any]:
    values = {}
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if field.name == "id" or field.attname == "project_id":
            continue
        if isinstance(field, models.ForeignKey):
            value = places.get((field.related_model, value), "outside") if value is not None else None
        values[field.attname] = bytes(value) if isinstance(value, memoryview) else value
    return values


def seen_by_a_client(world: World) -> Iterator[tuple[str, Any]]:
    """What the REST API answers to the project's own key."""
    client = Client(headers={"Authorization": f"Bearer {world.secrets['secret']}"})
    run = world.values["run"]
    paths = ["prompts", f"prompts/{world.values['prompt']}", "datasets", f"runs/{run}", f"runs/{run}/results?limit=200"]
    for path in paths:
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.content
        yield path, answer.json()


def test_the_demo_project_comes_back_whole(world: World, tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl.gz"
    rows, answers = content_of(world.project), dict(seen_by_a_client(world))
    assert sum(map(len, rows.values())) > 1_000
    empty = {name for name, found in rows.items() if not found}
    backups.write(project=world.project, path=path, now=timezone.now())
    vanish(world.project)
    restored = backups.read(path=path, by=SYSTEM)

    found = content_of(restored)
    assert found.pop("audit.event")[:-1] == rows.pop("audit.event")  # the restore itself is the last one
    assert found == rows
    keys.forget()  # the grant of a key is kept in memory for a moment
    assert dict(seen_by_a_client(world)) == answers
    assert empty == WITHOUT_ROWS


def test_git_hashes_still_fit_their_bytes_and_sealed_keys_open(world: World, tmp_path: Path) -> None:
    path = tmp_path / "demo.jsonl.gz"
    backups.write(project=world.project, path=path, now=timezone.now())
    vanish(world.project)
    restored = backups.read(path=path, by=SYSTEM)
    objects = list(GitObject.objects.filter(repository__project=restored))
    assert len(objects) > 10
    for row in objects:
        assert name_of(Raw(row.type, zlib.decompress(row.data))) == bytes(row.sha)
    shas = {bytes(row.sha) for row in objects}
    assert all(bytes(commit.sha) in shas for commit in Commit.objects.filter(project=restored))
    connection = Connection.objects.get(project=restored, name="Main account")
    assert crypto.unseal(connection.sealed_key, project=restored.uid) == PROVIDER_KEY
