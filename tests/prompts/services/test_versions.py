"""A save is a real commit and a gapless number; nobody's text is lost."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connections
from dulwich.objects import Blob
from dulwich.objects import Commit as GitCommit

from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project
from prompts import queries
from prompts.git.store import RowStore
from prompts.models import Commit, GitObject, Repository, Version, VersionNumber
from prompts.rendering import TemplateProblem
from prompts.services import versions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXT = "---\nname: greet\n---\nsystem:\nBe brief.\n\nuser:\nGreet {{ name }}.\n"


def save(project: Project, by: Actor, text: str = TEXT, path: str = "mail/greet", **more: object) -> versions.Saved:
    return versions.save(project=project, path=path, content=text, message="Try", by=by, now=NOW, **more)  # type: ignore[arg-type]


def test_the_first_save_makes_version_1_with_inputs_found_in_the_text(project: Project, by: Actor) -> None:
    saved = save(project, by)
    assert (saved.number, saved.created) == (1, True)
    assert saved.version.content.inputs == [{"name": "name", "kind": "string"}]
    assert saved.version.artifact.path == "mail/greet"


def test_blob_and_commit_hashes_are_those_that_git_computes(project: Project, by: Actor) -> None:
    first, second = save(project, by), save(project, by, TEXT + "Bye.\n")
    assert first.version.content.blob == Blob.from_string(TEXT.encode()).id.decode()
    store = RowStore(Repository.objects.get())
    commit = store[second.version.commit.hex.encode()]
    assert isinstance(commit, GitCommit)
    again = GitCommit.from_string(commit.as_raw_string())
    assert again.id.decode() == second.version.commit.hex
    assert commit.parents == [first.version.commit.hex.encode()]
    assert commit.author == b"Ada <ada@example.com>"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_hash_object_gives_the_same_blob_hash(project: Project, by: Actor) -> None:
    saved = save(project, by)
    printed = subprocess.run(
        ["git", "hash-object", "--stdin"], input=TEXT.encode(), capture_output=True, check=True
    ).stdout.decode()
    assert printed.strip() == saved.version.content.blob


def test_equal_text_makes_no_new_version(project: Project, by: Actor) -> None:
    first, again = save(project, by), save(project, by)
    assert (again.version, again.created) == (first.version, False)
    assert Commit.objects.count() == 1


def test_a_save_based_on_an_older_version_is_refused_with_the_others(project: Project, by: Actor) -> None:
    save(project, by)
    other = save(project, by, TEXT + "Two.\n", base_version=1)
    with pytest.raises(versions.StaleBase) as refused:
        save(project, by, TEXT + "Three.\n", base_version=1)
    assert (refused.value.current, refused.value.number) == (other.version, 2)
    assert Version.objects.count() == 2


def test_a_new_prompt_does_not_overwrite_one_that_appeared_meanwhile(project: Project, by: Actor) -> None:
    save(project, by, base_version=0)
    with pytest.raises(versions.StaleBase):
        save(project, by, TEXT + "Mine.\n", base_version=0)


def test_a_broken_template_is_refused_with_its_place_in_the_file_and_leaves_nothing(
    project: Project, by: Actor
) -> None:
    with pytest.raises(TemplateProblem) as refused:
        save(project, by, TEXT + "{{ name.__class__ }}\n")
    assert (refused.value.line, refused.value.column) == (9, 9)
    assert not Version.objects.exists()
    assert not GitObject.objects.exists()


@pytest.mark.parametrize("path", ["", "a//b", "../x", "a/versions", "x.lock", "a b", "ä", "a" * 81, "/".join("a" * 9)])
def test_paths_that_git_or_addresses_cannot_hold_are_refused(project: Project, by: Actor, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        save(project, by, path=path)
    assert "path" in refused.value.fields


def test_an_include_is_pinned_to_the_version_in_the_same_tree(project: Project, by: Actor) -> None:
    tone = save(project, by, "system:\nKind.\n", path="shared/tone")
    user = save(project, by, 'system:\n{% include "shared/tone" %}\n', path="mail/answer")
    save(project, by, "system:\nStrict.\n", path="shared/tone")
    pin = user.version.pins.get()
    assert (pin.path, pin.pinned) == ("shared/tone", tone.version)


def test_an_include_of_nothing_and_a_circle_are_refused(project: Project, by: Actor) -> None:
    with pytest.raises(Invalid, match="no prompt"):
        save(project, by, 'system:\n{% include "nowhere" %}\n')
    save(project, by, "system:\nA\n", path="a")
    save(project, by, 'system:\n{% include "a" %}\n', path="b")
    with pytest.raises(Invalid, match="circle"):
        save(project, by, 'system:\n{% include "b" %}\n', path="a")


def test_a_version_is_found_by_number_label_and_short_commit(project: Project, by: Actor) -> None:
    first, second = save(project, by), save(project, by, TEXT + "Two.\n")
    artifact = first.version.artifact
    assert queries.version_in(artifact, number=1) == first.version
    assert queries.version_in(artifact, label="latest") == second.version
    assert queries.version_in(artifact, commit=first.version.commit.hex[:9]) == first.version


@pytest.mark.django_db(transaction=True)
def test_eight_people_saving_at_once_give_gapless_numbers(project: Project, by: Actor) -> None:
    def work(person: int) -> int:
        try:
            for turn in range(25):
                save(project, by, f"{TEXT}{person} {turn}\n")
            return 25
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(work, range(8)))
    numbers = sorted(VersionNumber.objects.values_list("number", flat=True))
    assert (done, numbers) == (200, list(range(1, 201)))
    assert sorted(Commit.objects.values_list("main_seq", flat=True)) == list(range(1, 201))
