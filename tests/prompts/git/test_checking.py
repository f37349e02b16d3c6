"""Trees, commits, tags and refs are read strictly."""

from __future__ import annotations

import pytest
from dulwich.objects import Blob, Commit, Tag, Tree

from prompts.git import checking
from prompts.git.checking import Refused

SHA = bytes(range(20))
HEX = SHA.hex().encode()
PERSON = b"Ada <ada@example.com> 1700000000 +0100"
COMMIT = b"tree " + HEX + b"\nparent " + HEX + b"\nauthor " + PERSON + b"\ncommitter " + PERSON + b"\n\nHello\n"


def line(mode: bytes, name: bytes) -> bytes:
    return mode + b" " + name + b"\0" + SHA


def test_a_tree_that_dulwich_writes_is_read() -> None:
    tree = Tree()
    tree.add(b"a.txt", 0o100644, Blob.from_string(b"a").id)
    tree.add(b"a", 0o40000, Tree().id)
    tree.add("größe".encode(), 0o100755, Blob.from_string(b"b").id)
    data = tree.as_raw_string()
    assert [(entry.name, entry.is_folder) for entry in checking.tree(data)] == [
        ("a.txt", False), ("a", True), ("größe", False),
    ]  # fmt: skip
    assert checking.entries(data) == checking.tree(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (line(b"120000", b"link"), "symbolic link"),
        (line(b"160000", b"module"), "submodule"),
        (line(b"040000", b"padded"), "of mode 040000"),
        (line(b"100664", b"odd"), "of mode 100664"),
        (line(b"100644", b"a") * 2, "out of order or twice"),
        (line(b"100644", b"b") + line(b"100644", b"a"), "out of order"),
        (line(b"100644", b"A") + line(b"100644", b"a"), "upper and lower case"),
        (line(b"100644", b"a") + line(b"40000", b"a"), "upper and lower case"),
        (line(b"100644", b"a")[:-1], "broken"),
        (b"100644", "broken"),
        *[
            (line(b"100644", name), words)
            for name, words in [
                (b"", "empty"), (b".", "not accepted"), (b"..", "not accepted"), (b".git", "not accepted"),
                (b".GIT", "not accepted"), (b".git. ", "not accepted"), (b"GIT~1", "not accepted"),
                (b".gitmodules", "not accepted"), (b"a/b", "cannot be in file names"), (b"a\\b", "cannot be"),
                (b"c:x", "cannot be"), (b"a\nb", "invisible"), ("a\u202eb".encode(), "invisible"),
                ("e\u0301".encode(), "composed form"), (b"\xff", "not UTF-8"), (b"n" * 201, "longer than 200"),
            ]
        ],
    ],
)  # fmt: skip
def test_hostile_trees_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        checking.tree(data)


def test_a_commit_gives_its_links_and_its_words() -> None:
    assert checking.commit(COMMIT) == checking.CommitHead(SHA, (SHA,))
    text = checking.commit_text(COMMIT)
    known = Commit.from_string(COMMIT)
    assert (text.author.encode(), text.email, text.time) == (known.author, "ada@example.com", known.commit_time)
    assert text.message.encode() == known.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"tree " + HEX + b"\n",
        COMMIT.replace(b"tree ", b"tree x"),
        COMMIT.replace(b"author", b"writer"),
        COMMIT.replace(b"committer " + PERSON, b"committer Ada"),
        COMMIT.replace(b"1700000000", b"99999999999"),
        COMMIT.replace(b"1700000000", b"-1"),
        COMMIT.replace(b"+0100", b"+9900"),
        COMMIT.replace(b"Hello", b"Hel\0lo"),
        COMMIT.replace(b"parent " + HEX, b"parent 123"),
        b"parent " + HEX + b"\n" + COMMIT,
    ],
)
def test_a_broken_commit_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        checking.commit(data)


def test_a_tag_names_its_commit_and_nothing_else() -> None:
    tag = Tag()
    tag.object = (Commit, HEX)
    tag.name, tag.message, tag.tagger = b"v1", b"One\n", b"Ada <ada@example.com>"
    tag.tag_time, tag.tag_timezone = 1700000000, 0
    assert checking.tag(tag.as_raw_string()) == SHA
    tag.object = (Tree, HEX)
    with pytest.raises(Refused, match="no commit"):
        checking.tag(tag.as_raw_string())


@pytest.mark.parametrize("name", ["refs/heads/main", "refs/heads/tone/softer-2", "refs/tags/v1.0"])
def test_plain_branches_and_tags_are_accepted(name: str) -> None:
    checking.ref(name)


@pytest.mark.parametrize(
    "name",
    [
        "HEAD", "refs/heads/", "refs/notes/x", "refs/heads/../x", "refs/heads/a..b", "refs/heads/-x", "refs/heads/.x",
        "refs/heads/x.lock", "refs/heads/x.lock/y", "refs/heads/a//b", "refs/heads/a b", "refs/heads/a\n",
        "refs/heads/ä", "refs/heads/x.", "refs/heads/" + "x" * 200, "refs/heads/--upload-pack=x", "refs/heads/a\0b",
    ],
)  # fmt: skip
def test_other_refs_are_refused(name: str) -> None:
    with pytest.raises(Refused):
        checking.ref(name)
