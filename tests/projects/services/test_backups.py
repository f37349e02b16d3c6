"""A project written to a file comes back whole, and nothing comes back from a file that is not whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from django.utils import timezone

from llmops.audit.models import Event
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects import keys, tenancy
from llmops.projects.models import ApiKey, Membership, Project
from llmops.projects.services import api_keys, backups


@pytest.fixture
def written(project: Project, by: Actor, tmp_path: Path) -> tuple[Path, str]:
    key = api_keys.issue(project=project, kind="secret", name="shop", by=by).text
    path = tmp_path / "garden.jsonl.gz"
    backups.write(project=project, path=path, now=timezone.now())
    return path, key


def vanish(project: Project) -> None:
    for table in reversed(tenancy.tables()):
        rows = table.rows(project)
        rows._raw_delete(rows.db)
    Project.objects.filter(pk=project.pk).delete()


def test_a_restored_project_has_its_members_keys_and_audit_trail(project: Project, written: tuple[Path, str]) -> None:
    path, key = written
    events = list(Event.objects.values_list("name", "at", "actor_text"))
    vanish(project)
    restored = backups.read(path=path, by=SYSTEM)
    assert (restored.slug, restored.uid) == (project.slug, project.uid)
    assert restored.created_at == project.created_at
    assert [str(member.user.email) for member in Membership.objects.filter(project=restored)] == ["ada@example.com"]
    assert keys.grant_for(key).project == restored
    assert list(Event.objects.values_list("name", "at", "actor_text"))[: len(events)] == events


def test_a_project_that_is_here_already_is_not_overwritten(written: tuple[Path, str]) -> None:
    with pytest.raises(Conflict, match="garden"):
        backups.read(path=written[0], by=SYSTEM)


@pytest.mark.parametrize("damage", ["torn", "changed", "other format", "not a backup"])
def test_a_damaged_file_restores_nothing(project: Project, written: tuple[Path, str], damage: str) -> None:
    path = written[0]
    with gzip.open(path, "rt") as file:
        lines = file.readlines()
    if damage == "torn":
        lines.pop()
    elif damage == "changed":
        lines[1] = lines[1].replace("Garden shop", "Garden shed")
    elif damage == "other format":
        lines[0] = json.dumps({**json.loads(lines[0]), "format": 99}) + "\n"
    else:
        lines = ["hello\n"]
    with gzip.open(path, "wt") as file:
        file.writelines(lines)
    vanish(project)
    with pytest.raises(Invalid):
        backups.read(path=path, by=SYSTEM)
    assert not Project.objects.exists()
    assert not ApiKey.objects.exists()


def test_every_table_comes_after_those_it_points_at() -> None:
    place = {table.model: index for index, table in enumerate(tenancy.tables())}
    late = [
        f"{model._meta.label}.{field.name}"
        for model in place
        for field in tenancy.foreign_keys(model)
        if not field.null and field.related_model in place and place[field.related_model] > place[model]
    ]
    assert late == []
