"""Which prompt files differ between two trees."""

from __future__ import annotations

from typing import NamedTuple

from prompts.git import checking
from prompts.git.checking import Entry, Refused
from prompts.git.store import RowStore
from prompts.prompty import paths

MAX_DEPTH = 20


class Change(NamedTuple):
    """A prompt file that was added (no `old`), removed (no `new`) or edited; blobs as 20-byte hashes."""

    file: str
    path: str
    old: bytes | None
    new: bytes | None


def between(store: RowStore, old: bytes | None, new: bytes | None) -> list[Change]:
    """The changes of prompt files from one root tree to another, by path; equal folders are not opened.

    :raises Refused: when folders are nested too deeply.
    """
    folder = paths.FOLDER.rstrip("/")
    found: list[Change] = []
    waiting = [(paths.FOLDER, _folder(_entries(store, old), folder), _folder(_entries(store, new), folder))]
    while waiting:
        prefix, before, after = waiting.pop()
        if prefix.count("/") > MAX_DEPTH:
            raise Refused(f"folders in {paths.FOLDER} are nested too deeply")
        ours, theirs = _entries(store, before), _entries(store, after)
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) == theirs.get(name):
                continue
            below = _folder(ours, name), _folder(theirs, name)
            if below != (None, None):
                waiting.append((f"{prefix}{name}/", *below))
            path = paths.path_of(prefix + name)
            blobs = _blob(ours, name), _blob(theirs, name)
            if path is not None and blobs[0] != blobs[1]:
                found.append(Change(prefix + name, path, *blobs))
    return sorted(found)


def blob_at(store: RowStore, tree: bytes, path: str) -> bytes | None:
    """The blob of the prompt at a path in a root tree, or None."""
    *folders, name = paths.file_of(path).split("/")
    at: bytes | None = tree
    for folder in folders:
        at = _folder(_entries(store, at), folder)
    return _blob(_entries(store, at), name)


def _entries(store: RowStore, tree: bytes | None) -> dict[str, Entry]:
    if tree is None:
        return {}
    _, data = store.get_raw(tree.hex().encode())
    return {entry.name: entry for entry in checking.entries(data)}


def _folder(entries: dict[str, Entry], name: str) -> bytes | None:
    entry = entries.get(name)
    return entry.sha if entry is not None and entry.is_folder else None


def _blob(entries: dict[str, Entry], name: str) -> bytes | None:
    entry = entries.get(name)
    return entry.sha if entry is not None and not entry.is_folder else None
