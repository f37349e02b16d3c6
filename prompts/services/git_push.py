"""Receive a push: check everything in memory first, then rows, refs and versions in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction

from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import DomainError
from llmops.projects.models import Project
from prompts.git import checking, packs, pushing, refs
from prompts.git.checking import Refused
from prompts.git.graph import Graph
from prompts.git.packs import PackProblem, Raw
from prompts.git.pushing import Command, Push, Report
from prompts.git.store import RowStore
from prompts.models import Repository
from prompts.services import commits, versions
from prompts.services.commits import BrokenFiles

MAX_COMMITS = 5_000
MAX_REPOSITORY = 2 * 1024**3
MAX_NOTES = 30


def receive(*, project: Project, push: Push, by: Actor, now: datetime) -> Report:
    """Do what the push asks for, ref by ref; a refused ref leaves the others, unless the client asked for all or none.

    What can be wrong is in the report, in words for the person at the other end; nothing of a refused push is kept.
    """
    try:
        store, objects = _quarantined(versions.repository_of(project), push.pack)
    except (PackProblem, Refused) as problem:
        refused = dict.fromkeys((command.ref for command in push.commands), problem.message)
        return Report(refused, unpack=problem.message)
    with transaction.atomic():
        receiving = _Receiving(versions.locked_repository(project), store, objects, by, now)
        results = {command.ref: receiving.do(command) for command in push.commands}
        failed = [ref for ref, reason in results.items() if reason is not None]
        if failed and "atomic" in push.capabilities:
            results = {ref: reason or "another ref of the same push was refused" for ref, reason in results.items()}
        if len(failed) == len(results) or (failed and "atomic" in push.capabilities):
            transaction.set_rollback(True)
    return Report(results, notes=receiving.notes[:MAX_NOTES])


def _quarantined(repository: Repository, pack: bytes) -> tuple[RowStore, dict[bytes, Raw]]:
    """The pack's objects, checked, in a store that has not written them yet."""
    store = RowStore(repository)
    objects = packs.read(pack, bases=store.raws) if pack else {}
    if repository.bytes_count + len(pack) > MAX_REPOSITORY:
        raise Refused(f"the repository may not grow over {MAX_REPOSITORY // 1024**3} GB")
    needed: dict[bytes, int] = {}
    for raw in objects.values():
        needed.update(_links(raw))
    _check_links(store, objects, needed)
    store.adopt(objects)
    return store, objects


def _links(raw: Raw) -> Iterable[tuple[bytes, int]]:
    """What an object points at, with the type that must be there; the object itself is checked."""
    if raw.type == packs.TREE:
        for entry in checking.tree(raw.data):
            yield entry.sha, packs.TREE if entry.is_folder else packs.BLOB
    elif raw.type == packs.COMMIT:
        head = checking.commit(raw.data)
        yield head.tree, packs.TREE
        yield from ((parent, packs.COMMIT) for parent in head.parents)
    elif raw.type == packs.TAG:
        yield checking.tag(raw.data), packs.COMMIT


def _check_links(store: RowStore, objects: Mapping[bytes, Raw], needed: Mapping[bytes, int]) -> None:
    stored = store.existing(sha for sha in needed if sha not in objects)
    for sha, kind in needed.items():
        found = objects[sha].type if sha in objects else stored.get(sha)
        if found is None:
            raise Refused(f"the object {sha.hex()} is missing")
        if found != kind:
            raise Refused(f"the object {sha.hex()} is of another type than what points at it")


class _Receiving:
    """One push while the repository's row is locked."""

    def __init__(
        self, repository: Repository, store: RowStore, objects: Mapping[bytes, Raw], by: Actor, now: datetime
    ) -> None:
        self.repository = repository
        self.by = by
        self.now = now
        self.store = store
        self.notes: list[str] = []
        store.flush()
        self.graph = Graph(repository)
        self.reader = commits.Reader(store)

    def do(self, command: Command) -> str | None:
        """Carry the command out; the reason, when it is refused."""
        try:
            with transaction.atomic():
                self._do(command)
        except BrokenFiles as broken:
            self.notes += broken.problems
            return broken.message
        except DomainError as refused:
            return refused.message
        return None

    def _do(self, command: Command) -> None:
        checking.ref(command.ref)
        if refs.at(self.repository, command.ref) != command.old:
            raise Refused("it moved in the meantime: fetch first")
        if command.new is None:
            self._delete(command)
            return
        if command.new not in (self.graph.tags if command.ref.startswith("refs/tags/") else {}) | self.graph.commits:
            raise Refused("it does not point at a commit")
        if command.old == command.new:
            return
        if pushing.is_main(command):
            self._advance(command.old, command.new)
        elif command.ref.startswith("refs/heads/"):
            self._check_branch(command.new)
        elif command.old is not None:
            raise Refused("a tag stays where it is; delete it first")
        if not refs.swap(self.repository, command.ref, old=command.old, new=command.new):
            raise Refused("it moved in the meantime: fetch first")
        if not pushing.is_main(command):
            self._audit(command, versions=0, commits=0)

    def _delete(self, command: Command) -> None:
        if pushing.is_main(command):
            raise Refused("main cannot be deleted")
        if command.old is None or not refs.remove(self.repository, command.ref, old=command.old):
            raise Refused("there is no such ref")
        self._audit(command, versions=0, commits=0)

    def _check_branch(self, new: bytes) -> None:
        """A branch may hold anything that `main` could take; its versions come into being when `main` gets it."""
        main = refs.head(self.repository)
        old = self.graph.commits[main].tree if main is not None else None
        commits.check_tip(self.reader, self.repository.project, old=old, new=self.graph.commits[new].tree)

    def _advance(self, old: bytes | None, new: bytes) -> None:
        line = self.graph.line(old, new)
        if line is None:
            raise Refused("not a fast-forward: fetch first, then merge or rebase")
        fresh = self.graph.reachable([new], without=self.graph.reachable([old]) if old is not None else ())
        if len(fresh) > MAX_COMMITS:
            raise Refused(f"{len(fresh):,} commits at once are too many; push at most {MAX_COMMITS:,}")
        tree = self.graph.commits[old].tree if old is not None else None
        commits.check_tip(self.reader, self.repository.project, old=tree, new=self.graph.commits[new].tree)
        recorded = commits.record(
            repository=self.repository, graph=self.graph, reader=self.reader, line=line,
            side=fresh - {sha for sha, _ in line}, by=self.by, now=self.now,
        )  # fmt: skip
        self.notes += [f"{path}: version {number}" for path, number in recorded.numbers.items()]
        self.notes += recorded.notes
        self._audit(Command(refs.MAIN, old, new), versions=recorded.versions, commits=len(fresh))

    def _audit(self, command: Command, *, versions: int, commits: int) -> None:
        old, new = (sha.hex() if sha is not None else None for sha in (command.old, command.new))
        audit.record("git.pushed", by=self.by, target=self.repository, text=command.ref, old=old, new=new,
                     versions=versions, commits=commits)  # fmt: skip
