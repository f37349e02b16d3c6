"""A real git client against the real server: clone, edit, push, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from pytest_django.live_server_helper import LiveServer

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from prompts import queries
from prompts.models import Artifact, Commit, GitObject, GitPack, Version, VersionNumber
from prompts.services import labels, versions

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXT = "---\nname: greet\n---\nsystem:\nBe brief.\n\nuser:\nGreet {{ name }}.\n"
FILE = "prompts/mail/greet.prompty"


class Git:
    """Runs git in one folder, with nothing of this machine's configuration."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            **environment,
        }

    def run(self, *arguments: str, fails: bool = False) -> str:
        """The output of `git …`, both streams."""
        # The threaded server of the tests does not read chunked bodies, so none is sent.
        done = subprocess.run(
            ["git", "-c", "http.postBuffer=100000000", "-c", "pull.rebase=false", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, said
        return said

    def write(self, file: str, text: str | None, message: str = "Change") -> str:
        """Write a file (None: remove it) and commit it; the commit's hash."""
        path = self.folder / file
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        self.run("add", "-A")
        self.run("commit", "-q", "-m", message)
        return self.run("rev-parse", "HEAD").strip()


@pytest.fixture
def address(live_server: LiveServer, project: Project, admin: User, by: Actor) -> str:
    """The repository's address with Ada's personal key in it."""
    return address_of(live_server, project, admin, by)


def address_of(live_server: LiveServer, project: Project, user: User, by: Actor) -> str:
    key = api_keys.issue(project=project, kind="personal", name="git", user=user, by=by).text
    return f"http://{quote(user.email)}:{key}@{urlsplit(live_server.url).netloc}/git/{project.slug}.git"


@pytest.fixture
def clone(address: str, tmp_path: Path) -> Callable[..., Git]:
    """Clones the project's repository into a new folder."""

    def make(name: str = "work", *options: str) -> Git:
        Git(tmp_path).run("clone", "-q", *options, address, name)
        return Git(tmp_path / name)

    return make


def save(project: Project, by: Actor, text: str = TEXT, path: str = "mail/greet") -> versions.Saved:
    return versions.save(project=project, path=path, content=text, message="Try", by=by, now=NOW)


def test_a_clone_has_every_saved_version_and_is_sound(project: Project, by: Actor, clone: Callable[..., Git]) -> None:
    first, second = save(project, by), save(project, by, TEXT + "Bye.\n")
    git = clone()
    assert (git.folder / FILE).read_text() == TEXT + "Bye.\n"
    assert git.run("log", "--format=%H").split() == [second.version.commit.hex, first.version.commit.hex]
    assert git.run("hash-object", FILE).strip() == second.version.content.blob
    assert git.run("fsck", "--full", "--strict").strip() == ""
    assert GitPack.objects.count() == 1


def test_a_pushed_file_becomes_a_version_with_its_own_hashes(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    save(project, by)
    git = clone()
    pushed = git.write(FILE, TEXT + "Bye.\n", "Say goodbye")
    said = git.run("push")
    assert "mail/greet: version 2" in said
    version = queries.version_in(queries.artifact_in(project, "mail/greet"), number=2)
    assert (version.commit.hex, version.source) == (pushed, Version.Source.PUSH)
    assert version.content.blob == git.run("hash-object", FILE).strip()
    assert (version.commit.message, version.commit.author_user) == ("Say goodbye\n", User.objects.get())


def test_an_empty_repository_is_cloned_and_its_first_push_makes_prompts(
    project: Project, clone: Callable[..., Git]
) -> None:
    git = clone()
    git.write(FILE, TEXT)
    git.write("README.md", "Ours\n")
    assert "mail/greet: version 1" in git.run("push", "-u", "origin", "main")
    assert Artifact.objects.get().path == "mail/greet"
    assert list(Commit.objects.order_by("main_seq").values_list("main_seq", flat=True)) == [1, 2]


def test_a_broken_file_is_refused_with_file_and_line_and_nothing_is_kept(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    save(project, by)
    git = clone()
    git.write(FILE, TEXT + "{{ name.__class__ }}\n")
    before = GitObject.objects.count()
    said = git.run("push", fails=True)
    assert f"remote: {FILE}:9:9: names that start with an underscore" in said
    assert "[remote rejected]" in said
    assert (Version.objects.count(), GitObject.objects.count()) == (1, before)


def test_a_mistake_mended_in_the_next_commit_can_be_pushed(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    save(project, by)
    git = clone()
    broken = git.write(FILE, TEXT + "{{ name\n")
    git.run("push", fails=True)
    git.write(FILE, TEXT + "{{ name }}\n")
    said = git.run("push")
    assert f"no version at {broken[:7]}" in said
    assert sorted(VersionNumber.objects.values_list("number", flat=True)) == [1, 2]
    assert Commit.objects.count() == 3


def test_each_commit_of_a_push_makes_its_version(project: Project, by: Actor, clone: Callable[..., Git]) -> None:
    git = clone()
    hashes = [git.write(FILE, f"{TEXT}{turn}\n", f"Turn {turn}") for turn in range(5)]
    git.run("push", "origin", "main")
    artifact = queries.artifact_in(project, "mail/greet")
    found = [(version.numbered.number, version.commit.hex) for version in queries.versions_of(artifact)]
    assert found == [(number, hashes[number - 1]) for number in (5, 4, 3, 2, 1)]


def test_what_is_no_fast_forward_is_refused_and_a_merge_is_taken(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    save(project, by)
    git = clone()
    mine = git.write("prompts/other.prompty", TEXT)
    theirs = save(project, by, TEXT + "Theirs.\n")
    assert "rejected" in git.run("push", fails=True)
    assert "rejected" in git.run("push", "--force", fails=True)
    git.run("pull", "-q", "--no-edit")
    assert "other: version 1" in git.run("push")
    other = queries.artifact_in(project, "other")
    numbered = queries.latest_of(other)
    side = Version.objects.get(artifact=other, numbered=None)
    assert numbered is not None
    assert (numbered.commit.hex, side.commit.hex) == (git.run("rev-parse", "HEAD").strip(), mine)
    line = list(Commit.objects.exclude(main_seq=None).order_by("main_seq"))
    assert [commit.hex for commit in line][1:] == [theirs.version.commit.hex, numbered.commit.hex]


def test_a_shallow_clone_pushes_fetches_and_is_deepened(project: Project, by: Actor, clone: Callable[..., Git]) -> None:
    for turn in range(6):
        save(project, by, f"{TEXT}{turn}\n")
    git = clone("shallow", "--depth=1")
    assert len(git.run("log", "--format=%H").split()) == 1
    git.write(FILE, TEXT + "From the shallow one.\n")
    assert "mail/greet: version 7" in git.run("push")
    save(project, by, TEXT + "And theirs.\n")
    git.run("pull", "-q", "--ff-only")
    assert (git.folder / FILE).read_text() == TEXT + "And theirs.\n"
    git.run("fetch", "-q", "--deepen=2")
    assert len(git.run("log", "--format=%H").split()) == 5
    git.run("fetch", "-q", "--unshallow")
    assert len(git.run("log", "--format=%H").split()) == 8
    assert git.run("fsck", "--full", "--strict").strip() == ""


def test_a_fetch_brings_only_what_is_new(project: Project, by: Actor, clone: Callable[..., Git]) -> None:
    for turn in range(20):
        save(project, by, f"{TEXT}{turn}\n", f"p{turn}")
    git = clone()
    save(project, by, TEXT + "New.\n", "p3")
    git.run("pull", "-q", "--ff-only")
    assert (git.folder / "prompts/p3.prompty").read_text() == TEXT + "New.\n"
    assert "in-pack: 60" not in git.run("count-objects", "-v")
    assert git.run("fetch") == ""


def test_a_moved_file_keeps_its_versions_and_labels(project: Project, by: Actor, clone: Callable[..., Git]) -> None:
    saved = save(project, by)
    artifact = saved.version.artifact
    labels.move(artifact=artifact, name="production", to=saved.version, by=by, now=NOW, may_release=True)
    git = clone()
    git.run("mv", FILE, "prompts/mail/hello.prompty")
    git.run("commit", "-q", "-m", "Rename")
    git.write("prompts/mail/hello.prompty", TEXT + "Bye.\n")
    git.run("push")
    moved = queries.artifact_in(project, "mail/hello")
    assert moved == artifact
    assert [path.path for path in moved.paths.order_by("id")] == ["mail/greet", "mail/hello"]
    assert queries.version_in(moved, label="production") == saved.version
    assert queries.latest_of(moved).numbered.number == 2  # type: ignore[union-attr]


def test_removing_a_file_archives_the_prompt_unless_a_protected_label_is_on_it(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    saved = save(project, by)
    save(project, by, path="spare")
    labels.move(artifact=saved.version.artifact, name="production", to=saved.version, by=by, now=NOW, may_release=True)
    git = clone()
    git.write("prompts/spare.prompty", None)
    git.run("push")
    assert Artifact.objects.get(path="spare").archived_at is not None
    git.write(FILE, None)
    assert "“production” is on this prompt" in git.run("push", fails=True)
    assert Artifact.objects.get(path="mail/greet").archived_at is None


def test_an_include_is_pinned_to_the_file_of_the_same_commit(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    git = clone()
    git.write("prompts/tone.prompty", "system:\nKind.\n")
    (git.folder / "prompts/tone.prompty").write_text("system:\nStrict.\n")
    git.write("prompts/answer.prompty", 'system:\n{% include "tone" %}\n')
    git.run("push", "origin", "main")
    answer = queries.latest_of(queries.artifact_in(project, "answer"))
    assert answer is not None
    assert answer.pins.get().pinned == queries.version_in(queries.artifact_in(project, "tone"), number=2)
    git.write("prompts/lost.prompty", 'system:\n{% include "nowhere" %}\n')
    assert "there is no prompt “nowhere”" in git.run("push", fails=True)
    git.write("prompts/lost.prompty", None)
    git.write("prompts/tone.prompty", 'system:\n{% include "answer" %}\n')
    assert "a circle" in git.run("push", fails=True)


def test_branches_and_tags_are_kept_and_main_takes_their_commits(
    project: Project, by: Actor, clone: Callable[..., Git]
) -> None:
    save(project, by)
    git = clone()
    git.run("checkout", "-q", "-b", "tone/softer")
    git.write(FILE, TEXT + "Softly.\n")
    git.run("tag", "-a", "v1", "-m", "One")
    git.run("push", "origin", "tone/softer", "v1")
    assert VersionNumber.objects.count() == 1
    other = clone("other")
    assert "origin/tone/softer" in other.run("branch", "-r")
    assert other.run("tag").strip() == "v1"
    git.run("checkout", "-q", "main")
    git.run("merge", "-q", "--ff-only", "tone/softer")
    assert "mail/greet: version 2" in git.run("push", "origin", "main")
    git.run("push", "origin", "--delete", "tone/softer")
    assert "main cannot be deleted" in git.run("push", "origin", "--delete", "main", fails=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "a symbolic link"),
        (lambda folder: (folder / "a\u202eb.txt").write_text("x"), "invisible characters"),
        (lambda folder: [(folder / name).write_text("x") for name in ("Ab", "aB")], "only in upper and lower case"),
        (lambda folder: (folder / ".gitmodules").write_text("x"), "is not accepted"),
        (lambda folder: (folder / "prompts/versions.prompty").write_text(TEXT), "is reserved"),
        (lambda folder: (folder / "prompts/a b.prompty").write_text(TEXT), "cannot be part of a path"),
        (lambda folder: (folder / "prompts/b.prompty").write_bytes(b"user:\nhi\nf\xff\n"), "b.prompty:3: the file"),
    ],
)  # fmt: skip
def test_hostile_trees_are_refused_in_words(
    clone: Callable[..., Git], make: Callable[[Path], object], words: str
) -> None:
    git = clone()
    (git.folder / "prompts").mkdir()
    make(git.folder)
    git.run("add", "-A")
    git.run("commit", "-q", "-m", "Hostile")
    assert words in git.run("push", "origin", "main", fails=True)
    assert not GitObject.objects.exists()


def test_a_viewer_clones_and_does_not_push_and_a_stranger_finds_nothing(
    live_server: LiveServer, project: Project, other_project: Project, by: Actor, member: Callable[[str], User],
    tmp_path: Path,
) -> None:  # fmt: skip
    save(project, by)
    viewer = member("viewer")
    address = address_of(live_server, project, viewer, by)
    Git(tmp_path).run("clone", "-q", address, "work")
    git = Git(tmp_path / "work")
    git.write(FILE, TEXT + "Mine.\n")
    assert "prompt:write" in git.run("push", fails=True)
    stranger = address.replace(f"/{project.slug}.git", f"/{other_project.slug}.git")
    assert "There is no such repository" in Git(tmp_path).run("clone", stranger, "x", fails=True)
    assert "Authentication failed" in Git(tmp_path).run("clone", address.replace(":uk-", ":uk-x"), "x", fails=True)
