"""Pushes made by hand: objects, pack and commands, as a client would send them."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

from dulwich.objects import Blob, Commit, ShaFile, Tree

from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.git import packs, pktline, refs
from prompts.git.packs import Stored
from prompts.git.pushing import NOTHING, Command, Push, Report
from prompts.services import git_push

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALL = frozenset({"report-status", "side-band-64k"})


def committed(files: dict[str, bytes], parent: bytes | None, message: str = "Change") -> tuple[bytes, list[ShaFile]]:
    """A commit of these files (all of them) on a parent (20 bytes): its hash and the new objects."""
    objects: list[ShaFile] = []
    tree = _tree(files, objects)
    commit = Commit()
    commit.tree = tree.id
    commit.parents = [parent.hex().encode()] if parent else []
    commit.author = commit.committer = b"Ada <ada@example.com>"
    commit.author_time = commit.commit_time = 1_700_000_000
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = message.encode() + b"\n"
    objects.append(commit)
    return bytes.fromhex(commit.id.decode()), objects


def _tree(files: dict[str, bytes], objects: list[ShaFile]) -> Tree:
    tree, folders = Tree(), dict[str, dict[str, bytes]]()
    for path, data in files.items():
        name, _, rest = path.partition("/")
        if rest:
            folders.setdefault(name, {})[rest] = data
        else:
            blob = Blob.from_string(data)
            objects.append(blob)
            tree.add(name.encode(), 0o100644, blob.id)
    for name, below in folders.items():
        tree.add(name.encode(), 0o40000, _tree(below, objects).id)
    objects.append(tree)
    return tree


def pack_of(objects: list[ShaFile]) -> bytes:
    unique = {one.id: one for one in objects}
    rows = [Stored(one.type_num, one.raw_length(), zlib.compress(one.as_raw_string(), 1)) for one in unique.values()]
    return packs.write(rows, len(rows))


def push(
    project: Project, by: Actor, *, old: bytes | None, new: bytes, objects: list[ShaFile], ref: str = refs.MAIN
) -> Report:
    """Hand a push to the service; its report."""
    sent = Push((Command(ref, old, new),), ALL, pack_of(objects))
    return git_push.receive(project=project, push=sent, by=by, now=NOW)


def body(*, old: bytes | None, new: bytes | None, pack: bytes, ref: str = refs.MAIN, shallow: str = "") -> bytes:
    """The bytes of a push's request."""
    command = f"{(old or NOTHING).hex()} {(new or NOTHING).hex()} {ref}\0report-status side-band-64k"
    edge = pktline.line(f"shallow {shallow}") if shallow else b""
    return edge + pktline.line(command) + pktline.Mark.FLUSH.value + pack
