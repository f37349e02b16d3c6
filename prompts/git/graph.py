"""The commits of a repository in memory: a few hundred bytes each, read with one statement."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Collection, Iterable, Mapping

from prompts.git import checking, packs
from prompts.git.checking import CommitHead
from prompts.git.packs import Raw
from prompts.models import GitObject, Repository


class Graph:
    """`commits` by hash, and `tags`: where each annotated tag points. `extra` are objects that have no row yet."""

    def __init__(self, repository: Repository, extra: Mapping[bytes, Raw] | None = None) -> None:
        self.commits: dict[bytes, CommitHead] = {}
        self.tags: dict[bytes, bytes] = {}
        rows = GitObject.objects.filter(repository=repository, type__in=[packs.COMMIT, packs.TAG])
        for sha, kind, data in rows.values_list("sha", "type", "data").iterator(chunk_size=2000):
            self._add(bytes(sha), kind, zlib.decompress(data))
        for sha, raw in (extra or {}).items():
            self._add(sha, raw.type, raw.data)

    def _add(self, sha: bytes, kind: int, data: bytes) -> None:
        if kind == packs.COMMIT:
            self.commits[sha] = checking.commit_head(data)
        elif kind == packs.TAG:
            self.tags[sha] = checking.tag(data)

    def commit_of(self, sha: bytes) -> bytes | None:
        """The commit that a hash names, through a tag if it is one; None when there is none."""
        sha = self.tags.get(sha, sha)
        return sha if sha in self.commits else None

    def reachable(
        self, roots: Iterable[bytes], *, without: Collection[bytes] = (), cut: Collection[bytes] = ()
    ) -> set[bytes]:
        """The roots and their ancestors, except what is in `without`; parents of the commits in `cut` are not seen."""
        found: set[bytes] = set()
        waiting = [root for root in roots if root in self.commits and root not in without]
        while waiting:
            sha = waiting.pop()
            if sha in found:
                continue
            found.add(sha)
            if sha not in cut:
                parents = self.commits[sha].parents
                waiting.extend(one for one in parents if one in self.commits and one not in without)
        return found

    def distances(self, roots: Iterable[bytes], most: int) -> dict[bytes, int]:
        """How far each commit is from the nearest root, which is at 1, up to `most`."""
        found: dict[bytes, int] = {}
        waiting = deque((root, 1) for root in roots)
        while waiting:
            sha, distance = waiting.popleft()
            if sha in found or sha not in self.commits:
                continue
            found[sha] = distance
            if distance < most:
                waiting.extend((parent, distance + 1) for parent in self.commits[sha].parents)
        return found

    def line(self, old: bytes | None, new: bytes) -> list[tuple[bytes, bytes | None]] | None:
        """The commits that lead from `old` to `new`, oldest first, each with the parent that it is compared with.

        At a merge the line follows the first parent that leads back to `old`, so a person who merged the latest
        `main` into their work does not turn `main`'s own history into a side branch. None: `new` does not contain
        `old`.
        """
        if old is None:
            return self._first_parents(new)
        if old not in self.commits:
            return None
        coming = self._descendants(old, self.reachable([new], without={old}))
        found: list[tuple[bytes, bytes | None]] = []
        sha = new
        while sha != old:
            step = next((one for one in self.commits[sha].parents if one == old or one in coming), None)
            if step is None:
                return None
            found.append((sha, step))
            sha = step
        return found[::-1]

    def _first_parents(self, new: bytes) -> list[tuple[bytes, bytes | None]]:
        found: list[tuple[bytes, bytes | None]] = []
        sha: bytes | None = new
        while sha is not None:
            parents = self.commits[sha].parents
            found.append((sha, parents[0] if parents else None))
            sha = parents[0] if parents else None
        return found[::-1]

    def _descendants(self, old: bytes, among: set[bytes]) -> set[bytes]:
        children: dict[bytes, list[bytes]] = {}
        for sha in among:
            for parent in self.commits[sha].parents:
                children.setdefault(parent, []).append(sha)
        found: set[bytes] = set()
        waiting = [old]
        while waiting:
            fresh = [child for child in children.get(waiting.pop(), ()) if child not in found]
            found.update(fresh)
            waiting.extend(fresh)
        return found
