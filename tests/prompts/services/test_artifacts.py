"""Prompts move and leave with a commit; what points at them stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid, NotFound
from llmops.projects.models import Project
from prompts import queries
from prompts.git import refs, writing
from prompts.git.store import RowStore
from prompts.models import Artifact, Commit, Repository
from prompts.services import artifacts, labels, versions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXT = "system:\nBe brief.\n"


@pytest.fixture
def artifact(project: Project, by: Actor) -> Artifact:
    save(project, by, "other")
    return save(project, by, "mail/greet")


def save(project: Project, by: Actor, path: str, text: str = TEXT) -> Artifact:
    saved = versions.save(project=project, path=path, content=text, message="", by=by, now=NOW)
    return saved.version.artifact


def files(project: Project) -> set[str]:
    repository = Repository.objects.get(project=project)
    tip = refs.head(repository)
    assert tip is not None
    return {file.path for file in writing.files(RowStore(repository), tip.hex().encode())}


def test_a_move_keeps_versions_and_labels_and_remembers_the_old_path(
    project: Project, by: Actor, artifact: Artifact
) -> None:
    first = queries.latest_of(artifact)
    assert first is not None
    labels.move(artifact=artifact, name="production", to=first, by=by, now=NOW, may_release=True)
    artifacts.move(artifact=artifact, to="letters/hello", by=by, now=NOW)
    assert files(project) == {"prompts/other.prompty", "prompts/letters/hello.prompty"}
    moved = queries.artifact_in(project, "letters/hello")
    assert (moved, queries.version_in(moved, label="production")) == (artifact, first)
    assert [row.path for row in moved.paths.order_by("id")] == ["mail/greet", "letters/hello"]
    assert "Moved: mail/greet -> letters/hello" in Commit.objects.latest("main_seq").message
    assert save(project, by, "letters/hello", TEXT + "2\n") == artifact
    with pytest.raises(NotFound):
        queries.artifact_in(project, "mail/greet")


def test_a_prompt_does_not_move_onto_another_or_to_a_bad_path(project: Project, by: Actor, artifact: Artifact) -> None:
    with pytest.raises(Conflict, match="already"):
        artifacts.move(artifact=artifact, to="other", by=by, now=NOW)
    with pytest.raises(Invalid):
        artifacts.move(artifact=artifact, to="a/versions", by=by, now=NOW)
    assert Commit.objects.count() == 2


def test_an_archived_prompt_leaves_the_tree_and_its_path_is_free(
    project: Project, by: Actor, artifact: Artifact
) -> None:
    artifacts.archive(artifact=artifact, by=by, now=NOW)
    assert files(project) == {"prompts/other.prompty"}
    assert artifact.versions.count() == 1
    assert save(project, by, "mail/greet") != artifact


def test_a_prompt_under_a_protected_label_stays(by: Actor, artifact: Artifact) -> None:
    version = queries.latest_of(artifact)
    assert version is not None
    labels.move(artifact=artifact, name="production", to=version, by=by, now=NOW, may_release=True)
    with pytest.raises(Conflict, match="production"):
        artifacts.archive(artifact=artifact, by=by, now=NOW)
    labels.remove(artifact=artifact, name="production", by=by, may_release=True)
    artifacts.archive(artifact=artifact, by=by, now=NOW)
    assert not Artifact.objects.live().filter(pk=artifact.pk).exists()
