"""Pushes at the service: races, limits, objects that lie; nothing of a refused push stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from dulwich.objects import Blob, Commit, Tree

from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts import queries
from prompts.git import refs
from prompts.git.pushing import Command, Push
from prompts.models import Commit as CommitRow
from prompts.models import GitObject, GitRef, Repository, Version, VersionNumber
from prompts.services import git_push, versions
from tests.prompts.pushes import ALL, NOW, committed, pack_of, push

TEXT = b"system:\nBe brief.\n"
FILE = "prompts/greet.prompty"


def numbers() -> list[int]:
    return sorted(VersionNumber.objects.values_list("number", flat=True))


def test_a_push_leaves_objects_ref_version_and_audit_together(project: Project, by: Actor) -> None:
    new, objects = committed({FILE: TEXT}, None)
    report = push(project, by, old=None, new=new, objects=objects)
    assert (report.results, list(report.notes)) == ({refs.MAIN: None}, ["greet: version 1"])
    assert (GitObject.objects.count(), refs.head(Repository.objects.get()), numbers()) == (4, new, [1])
    event = Event.objects.get(name="git.pushed")
    assert (event.target_text, event.data["new"], event.data["versions"]) == (refs.MAIN, new.hex(), 1)


def test_900_commits_are_taken_in_one_push(project: Project, by: Actor) -> None:
    old: bytes | None = None
    everything = []
    for turn in range(900):
        old, objects = committed({FILE: TEXT + b"%d\n" % turn, f"prompts/p{turn % 30}.prompty": TEXT}, old)
        everything += objects
    assert old is not None
    report = push(project, by, old=None, new=old, objects=everything)
    assert report.results == {refs.MAIN: None}
    assert queries.latest_of(queries.artifact_in(project, "greet")).numbered.number == 900  # type: ignore[union-attr]
    assert CommitRow.objects.count() == 900


def test_objects_that_are_missing_or_of_the_wrong_type_are_refused(project: Project, by: Actor) -> None:
    new, objects = committed({FILE: TEXT}, None)
    without_blob = [one for one in objects if not isinstance(one, Blob)]
    assert "is missing" in str(push(project, by, old=None, new=new, objects=without_blob).unpack)
    tree = next(one for one in objects if isinstance(one, Tree))
    commit = next(one for one in objects if isinstance(one, Commit))
    commit.tree = objects[0].id
    wrong = push(project, by, old=None, new=bytes.fromhex(commit.id.decode()), objects=[objects[0], tree, commit])
    assert "another type" in wrong.unpack
    assert not GitObject.objects.exists()
    assert not GitRef.objects.exists()


@pytest.mark.parametrize("ref", ["HEAD", "refs/notes/x", "refs/heads/../x", "refs/heads/--upload-pack=x"])
def test_other_refs_are_refused_and_leave_nothing(project: Project, by: Actor, ref: str) -> None:
    new, objects = committed({FILE: TEXT}, None)
    assert "only branches and tags" in str(push(project, by, old=None, new=new, objects=objects, ref=ref).results[ref])
    assert not GitObject.objects.exists()


def test_a_ref_cannot_point_at_a_file_or_at_nothing(project: Project, by: Actor) -> None:
    new, objects = committed({FILE: TEXT}, None)
    blob = bytes.fromhex(objects[0].id.decode())
    for target in (blob, bytes(19) + b"\1"):
        report = push(project, by, old=None, new=target, objects=objects)
        assert report.results == {refs.MAIN: "it does not point at a commit"}
    assert not GitObject.objects.exists()
    assert push(project, by, old=None, new=new, objects=objects).results == {refs.MAIN: None}


def test_of_two_refs_the_good_one_is_kept_unless_all_or_none_was_asked(project: Project, by: Actor) -> None:
    new, objects = committed({FILE: TEXT}, None)
    commands = (Command(refs.MAIN, None, new), Command("refs/notes/x", None, new))
    for capabilities, kept in ((ALL | {"atomic"}, False), (ALL, True)):
        sent = Push(commands, frozenset(capabilities), pack_of(objects))
        report = git_push.receive(project=project, push=sent, by=by, now=NOW)
        assert [reason is None for reason in report.results.values()] == [kept, False]
        assert GitRef.objects.filter(name=refs.MAIN).exists() is kept


def test_an_unrelated_history_is_no_fast_forward(project: Project, by: Actor) -> None:
    first, objects = committed({FILE: TEXT}, None)
    push(project, by, old=None, new=first, objects=objects)
    other, objects = committed({FILE: TEXT + b"Other.\n"}, None, "Another beginning")
    report = push(project, by, old=first, new=other, objects=objects)
    assert "not a fast-forward" in str(report.results[refs.MAIN])
    assert numbers() == [1]


def test_equal_text_gives_no_version_and_a_removed_prompt_starts_anew(project: Project, by: Actor) -> None:
    first, objects = committed({FILE: TEXT, "README.md": b"1"}, None)
    second, more = committed({FILE: TEXT, "README.md": b"2"}, first)
    third, again = committed({"README.md": b"2"}, second)
    fourth, last = committed({FILE: TEXT, "README.md": b"2"}, third)
    report = push(project, by, old=None, new=fourth, objects=[*objects, *more, *again, *last])
    assert report.results == {refs.MAIN: None}
    artifact = queries.artifact_in(project, "greet")
    assert [version.numbered.number for version in queries.versions_of(artifact)] == [1]
    assert Version.objects.count() == 2


def test_a_moved_trailer_keeps_the_history_of_a_prompt_whose_text_changes_too(project: Project, by: Actor) -> None:
    first, objects = committed({FILE: TEXT}, None)
    second, more = committed({"prompts/mail/hi.prompty": TEXT + b"2\n"}, first, "Rename\n\nMoved: greet -> mail/hi")
    push(project, by, old=None, new=second, objects=[*objects, *more])
    assert numbers() == [1, 2]
    assert queries.artifact_in(project, "mail/hi").versions.count() == 2


def test_a_folder_with_the_name_of_a_prompt_and_odd_names_do_no_harm(project: Project, by: Actor) -> None:
    files = {"prompts/a.prompty/b.txt": b"x", "prompts/.prompty": TEXT, "chains/x.chain.yaml": b"a: 1", "a": b""}
    new, objects = committed({"a": b"", "prompts/a.prompty/b.txt": b"x"}, None)
    assert push(project, by, old=None, new=new, objects=objects).results == {refs.MAIN: None}
    odd, objects = committed(files, new)
    assert "needs a path" in str(push(project, by, old=new, new=odd, objects=objects).results[refs.MAIN])


@pytest.mark.django_db(transaction=True)
def test_pushers_and_savers_at_once_lose_nothing(project: Project, by: Actor) -> None:
    """Every accepted commit is exactly one version; a refused push is told and tries again."""
    versions.save(project=project, path="greet", content="system:\nStart.\n", message="Start", by=by, now=NOW)

    def pusher(person: int) -> list[bytes]:
        accepted: list[bytes] = []
        try:
            for turn in range(5):
                while len(accepted) == turn:
                    tip = refs.head(Repository.objects.get())
                    new, objects = committed({FILE: TEXT + b"%d %d\n" % (person, turn)}, tip, f"{person} {turn}")
                    if push(project, by, old=tip, new=new, objects=objects).results == {refs.MAIN: None}:
                        accepted.append(new)
            return accepted
        finally:
            connections.close_all()

    def saver(person: int) -> list[bytes]:
        try:
            return [
                bytes(
                    versions.save(
                        project=project, path="greet", content=f"system:\n{person} {turn}\n", message="", by=by, now=NOW
                    ).version.commit.sha
                )
                for turn in range(10)
            ]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(pusher, person) for person in range(4)] + [pool.submit(saver, 8), pool.submit(saver, 9)]
        accepted = [sha for job in jobs for sha in job.result()]
    assert len(set(accepted)) == 40
    artifact = queries.artifact_in(project, "greet")
    line = {bytes(version.commit.sha) for version in queries.versions_of(artifact)}
    assert line >= set(accepted)
    assert numbers() == list(range(1, 42))
    assert sorted(CommitRow.objects.values_list("main_seq", flat=True)) == list(range(1, 42))
