"""Put files into a tree and make the commit: pure git, no versions."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dulwich.objects import Blob, Commit, Tree

from llmops.common.errors import Invalid
from prompts.git.store import RowStore

COMMITTER = b"LLMOps <llmops@localhost>"


@dataclass(frozen=True, slots=True)
class File:
    """A file in a tree: mode and the blob's 40-digit hash."""

    path: str
    mode: int
    sha: bytes


def commit_files(
    store: RowStore,
    *,
    parent: bytes | None,
    changes: Mapping[str, bytes | None],
    author: str,
    at: datetime,
    message: str,
) -> Commit:
    """A commit on `parent` (40-digit hash) with files replaced, added, or removed (None); objects are in the store.

    Time is whole seconds, as git keeps it.
    """
    root = store[store[parent].tree] if parent else Tree()
    for path, data in changes.items():
        root = _with(store, root, path.split("/"), data)
    store.add_object(root)
    commit = Commit()
    commit.tree = root.id
    commit.parents = [parent] if parent else []
    commit.author = author.encode()
    commit.committer = COMMITTER
    commit.author_time = commit.commit_time = int(at.timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = message.encode()
    store.add_object(commit)
    return commit


def _with(store: RowStore, tree: Tree, path: list[str], data: bytes | None) -> Tree:
    """A copy of the tree with one file changed; only the folders on its way are written anew."""
    copy = Tree()
    for entry in tree.iteritems():
        copy.add(entry.path, entry.mode, entry.sha)
    name = path[0].encode()
    if len(path) == 1:
        _put(store, copy, name, data)
        return copy
    below = store[copy[name][1]] if name in copy else Tree()
    if not isinstance(below, Tree):
        raise Invalid(f"“{path[0]}” is a file, not a folder.", fields={"path": "a prompt has this name"})
    below = _with(store, below, path[1:], data)
    if len(below) == 0:
        if name in copy:
            del copy[name]
        return copy
    store.add_object(below)
    copy.add(name, stat.S_IFDIR, below.id)
    return copy


def _put(store: RowStore, tree: Tree, name: bytes, data: bytes | None) -> None:
    if data is None:
        if name in tree:
            del tree[name]
        return
    if name in tree and stat.S_ISDIR(tree[name][0]):
        raise Invalid(f"“{name.decode()}” is a folder.", fields={"path": "a folder has this name"})
    blob = Blob.from_string(data)
    store.add_object(blob)
    tree.add(name, stat.S_IFREG | 0o644, blob.id)


def author_line(name: str, email: str) -> str:
    """`Name <address>` with what git forbids in it removed."""
    clean = "".join(char for char in name if char not in "<>\n\r\0").strip() or "unknown"
    address = "".join(char for char in email if char not in "<>\n\r\0 ")
    return f"{clean} <{address}>"


def files(store: RowStore, commit: bytes) -> Iterator[File]:
    """Every file of a commit's tree."""
    yield from _walk(store, store[commit].tree, "")


def _walk(store: RowStore, tree: bytes, prefix: str) -> Iterator[File]:
    for entry in store[tree].iteritems():
        path = prefix + entry.path.decode(errors="replace")
        if stat.S_ISDIR(entry.mode):
            yield from _walk(store, entry.sha, path + "/")
        else:
            yield File(path, entry.mode, entry.sha)
