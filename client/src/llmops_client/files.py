"""Prompts as files in a folder, and the lock file that says which versions they are."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmops_client.errors import Problem

Json = Any
ENDING = ".prompty"
LOCK = "llmops.lock"
MAX_FILE = 256 * 1024
_SEGMENT = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,79}\Z")
_HASH = re.compile(r"\A[0-9a-f]{40}\Z")


@dataclass(frozen=True, slots=True)
class Locked:
    """A version that a file is: its number, commit and the git hash of its bytes."""

    version: int
    commit: str
    blob: str


@dataclass(slots=True)
class Lock:
    """What `llmops.lock` holds: the label that was asked for, and each prompt's version."""

    label: str
    prompts: dict[str, Locked] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        body = {
            "v": 1,
            "label": self.label,
            "prompts": {name: asdict(self.prompts[name]) for name in sorted(self.prompts)},
        }
        write_text(folder / LOCK, json.dumps(body, indent=2, ensure_ascii=False) + "\n")


def read_lock(folder: Path) -> Lock | None:
    """The folder's lock, None when it has none.

    :raises Problem: when the file is not what `llmops lock` writes.
    """
    path = folder / LOCK
    if not path.exists():
        return None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Problem(f"{path}: this is not a lock file: {error}") from None
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(body, dict) or body.get("v") != 1 or not isinstance(body.get("prompts"), dict):
        raise Problem(f"{path}: this is not a lock file of version 1")
    return Lock(str(body.get("label", "")), {name: _locked(path, name, one) for name, one in body["prompts"].items()})


def _locked(path: Path, name: str, one: Json) -> Locked:
    try:
        locked = Locked(int(one["version"]), str(one["commit"]), str(one["blob"]))
    except (KeyError, TypeError, ValueError):
        raise Problem(f"{path}: the entry of {name} needs version, commit and blob") from None
    if not _HASH.match(locked.commit) or not _HASH.match(locked.blob):
        raise Problem(f"{path}: the entry of {name} has a commit or a blob that is no git hash")
    return locked


def file_of(folder: Path, name: str) -> Path:
    """Where a prompt's file is.

    :raises Problem: for a name that would lead out of the folder.
    """
    segments = name.split("/")
    if not all(_SEGMENT.match(segment) and ".." not in segment for segment in segments):
        raise Problem(f"{name!r} cannot be the name of a prompt's file.")
    return folder.joinpath(*segments[:-1], segments[-1] + ENDING)


def names_in(folder: Path) -> list[str]:
    """The prompts whose files are in the folder, by name."""
    found = (path.relative_to(folder).as_posix().removesuffix(ENDING) for path in folder.rglob(f"*{ENDING}"))
    return sorted(name for name in found if not any(step.startswith(".") for step in name.split("/")))


def text_of(path: Path) -> str:
    """The file's text as the server keeps it: UTF-8, line feeds alone.

    :raises Problem: when it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise Problem(f"{path} is larger than {MAX_FILE:,} bytes.")
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise Problem(f"{path} is not UTF-8 (byte {error.start:,}).") from None


def blob_of(text: str) -> str:
    """The git hash of a file with this text."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write the whole file or nothing of it.

    :raises Problem: when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror}") from None
