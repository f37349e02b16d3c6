"""Which version a logged call came from, at most a second old."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from prompts.models import Label, Version

CACHE_SECONDS = 1.0
CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version's primary key and its commit, as 40 hex digits."""

    id: int
    commit: str


Name = tuple[int, str, int | None, str, str]
_cache: dict[Name, tuple[float, KnownVersion | None]] = {}
_lock = threading.Lock()


def version_of(project_id: int, path: str, number: int | None, label: str, commit: str) -> KnownVersion | None:
    """The version with this number, else at this commit, else behind this label now; None when it is not known.

    A label answers where it points when the call comes in; senders that care name the version or the commit.
    """
    if not path or (number is None and not label and not commit):
        return None
    name: Name = (project_id, path, number, label, commit)
    now = time.monotonic()
    if (kept := _cache.get(name)) is not None and kept[0] > now:
        return kept[1]
    found = _read(*name)
    with _lock:
        if len(_cache) >= CACHE_SIZE:
            _cache.clear()
        _cache[name] = (now + CACHE_SECONDS, found)
    return found


def forget() -> None:
    """Empty this process's cache, for tests."""
    with _lock:
        _cache.clear()


def _read(project_id: int, path: str, number: int | None, label: str, commit: str) -> KnownVersion | None:
    versions = Version.objects.filter(
        project_id=project_id, artifact__path=path, artifact__archived_at=None
    ).select_related("commit")
    if number is not None:
        version = versions.filter(numbered__number=number).first()
    elif commit:
        version = versions.filter(commit__sha=_sha(commit)).order_by("-id").first()
    elif label == "latest":
        version = versions.filter(numbered__isnull=False).order_by("-numbered__number").first()
    else:
        pointed = Label.objects.filter(
            project_id=project_id, artifact__path=path, artifact__archived_at=None, name=label
        )
        version = versions.filter(pk__in=pointed.values("version_id")).first()
    return None if version is None else KnownVersion(version.pk, bytes(version.commit.sha).hex())


def _sha(commit: str) -> bytes:
    try:
        return bytes.fromhex(commit)
    except ValueError:
        return b""
