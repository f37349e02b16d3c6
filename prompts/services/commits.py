"""Turn commits that arrive on `main` into versions: one for each commit and prompt file that it changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db.models import Max, OuterRef, Subquery

from llmops.accounts.models import User
from llmops.common import text as intake
from llmops.common.actors import Actor
from llmops.common.errors import DomainError
from llmops.projects.models import Project
from prompts import queries
from prompts.git import changes, checking, packs
from prompts.git.changes import Change
from prompts.git.checking import Refused
from prompts.git.graph import Graph
from prompts.git.store import RowStore
from prompts.models import (
    Artifact,
    ArtifactPath,
    Commit,
    Content,
    Repository,
    Version,
    VersionNumber,
    VersionPin,
)
from prompts.prompty import paths
from prompts.services import parsing
from prompts.services.parsing import Parsed

# `Moved: old/path -> new/path` in a commit's message keeps a prompt's history when its text changes in the same commit.
_MOVED = re.compile(r"^moved: *(\S+) *-> *(\S+) *$", re.IGNORECASE | re.MULTILINE)


class BrokenFiles(Refused):
    """`problems` has one line for each file: where, and what is wrong."""

    code = "prompt_file"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems[0])
        self.problems = tuple(problems)


class Reader:
    """Reads prompt files out of the repository, each blob once."""

    def __init__(self, store: RowStore) -> None:
        self.store = store
        self._read: dict[bytes, Parsed | str] = {}

    def parsed(self, change: Change) -> Parsed | str:
        """The parsed file, or what is wrong with it: file, line and reason."""
        assert change.new is not None, "a removed file has no text"
        try:
            paths.checked(change.path)
        except DomainError as problem:
            return f"{change.file}: {problem.message} {' '.join(problem.fields.values())}".rstrip()
        if change.new not in self._read:
            self._read[change.new] = self._parse(change.new)
        found = self._read[change.new]
        return found if isinstance(found, Parsed) else f"{change.file}:{found}"

    def _parse(self, blob: bytes) -> Parsed | str:
        kind, data = self.store.get_raw(blob.hex().encode())
        if kind != packs.BLOB:
            return "1: this is no file"
        try:
            return parsing.parse(data.decode())
        except UnicodeDecodeError as problem:
            return f"{data[: problem.start].count(10) + 1}: the file is not UTF-8"
        except DomainError as problem:
            return _place(problem)


def _place(problem: DomainError) -> str:
    line, column = getattr(problem, "line", 1), getattr(problem, "column", 1)
    reason, hint = getattr(problem, "reason", problem.message), getattr(problem, "hint", "")
    return f"{line}:{column}: {reason}" + (f" {hint}" if hint else "")


def check_tip(reader: Reader, project: Project, *, old: bytes | None, new: bytes) -> None:
    """Check every prompt file that differs between two root trees.

    :raises BrokenFiles: with file and line of each problem.
    """
    good: dict[str, Parsed] = {}
    problems: list[str] = []
    for change in changes.between(reader.store, old, new):
        if change.new is None:
            continue
        found = reader.parsed(change)
        if isinstance(found, str):
            problems.append(found)
        else:
            good[change.path] = found
    for path, parsed in good.items():
        for included in parsed.includes:
            if changes.blob_at(reader.store, new, included) is None:
                problems.append(f"{paths.file_of(path)}: there is no prompt “{included}” to include")
    if not problems and (circular := _circular(good, project)):
        problems.append(f"{paths.file_of(circular)}: the prompt includes itself, through others: a circle")
    if problems:
        raise BrokenFiles(problems)


def _circular(good: dict[str, Parsed], project: Project) -> str | None:
    """A path whose includes lead back to it, or None."""
    known = {path: parsed.includes for path, parsed in good.items()}
    for start in good:
        waiting, seen = list(known[start]), set[str]()
        while waiting:
            path = waiting.pop()
            if path == start:
                return start
            if path not in seen:
                seen.add(path)
                waiting.extend(known.setdefault(path, _stored_includes(project, path)))
    return None


def _stored_includes(project: Project, path: str) -> tuple[str, ...]:
    artifact = Artifact.objects.live().filter(project=project, path=path).first()
    latest = queries.latest_of(artifact) if artifact else None
    return tuple(latest.content.includes) if latest else ()


@dataclass(slots=True)
class _Held:
    """An artifact while its new versions are gathered; `blob` is the text of `latest`."""

    artifact: Artifact
    number: int
    blob: bytes | None
    latest: Version | None
    by_blob: dict[bytes, Version] = field(default_factory=dict)
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the commits: the new latest numbers by path, how many versions, and lines for the person."""

    numbers: dict[str, int]
    versions: int
    notes: tuple[str, ...]


def record(
    *,
    repository: Repository,
    graph: Graph,
    reader: Reader,
    line: Sequence[tuple[bytes, bytes | None]],
    side: Iterable[bytes],
    by: Actor,
    now: datetime,
) -> Recorded:
    """Write the rows of commits that become part of `main`; the repository's row is locked.

    `line` are the commits from the old tip to the new one, each with the parent it is compared with: their versions
    are numbered. `side` are the commits that a merge brought along: their versions have no number. A file that is
    broken in a commit on the way and mended later gives no version there, and a note.

    :raises Refused: when a commit removes a prompt that carries a protected label.
    """
    book = _Book(repository, graph, reader, by, now)
    rows = book.commits([sha for sha, _ in line], list(side))
    for sha, parent in line:
        book.take(rows[sha], sha, parent, is_numbered=True)
    for sha in _oldest_first(graph, set(side)):
        parents = graph.commits[sha].parents
        book.take(rows[sha], sha, parents[0] if parents else None, is_numbered=False)
    return book.written()


def _oldest_first(graph: Graph, commits: set[bytes]) -> Iterator[bytes]:
    """Parents before children."""
    left = {sha: sum(parent in commits for parent in graph.commits[sha].parents) for sha in commits}
    children: dict[bytes, list[bytes]] = {}
    for sha in commits:
        for parent in graph.commits[sha].parents:
            children.setdefault(parent, []).append(sha)
    ready = sorted(sha for sha, count in left.items() if count == 0)
    while ready:
        sha = ready.pop()
        yield sha
        for child in children.get(sha, ()):
            left[child] -= 1
            if left[child] == 0:
                ready.append(child)


class _Book:
    """Gathers the rows of many commits and writes them with few statements."""

    def __init__(self, repository: Repository, graph: Graph, reader: Reader, by: Actor, now: datetime) -> None:
        self.repository = repository
        self.project_id = repository.project_id
        self.graph = graph
        self.reader = reader
        self.by = by
        self.now = now
        self.held = self._live()
        self.contents: dict[bytes, Content] = {}
        self.versions: list[Version] = []
        self.numbers: list[VersionNumber] = []
        self.pins: list[VersionPin] = []
        self.moves: list[ArtifactPath] = []
        self.notes: list[str] = []

    def _live(self) -> dict[str, _Held]:
        latest = VersionNumber.objects.filter(artifact=OuterRef("pk")).order_by("-number").values("version_id")[:1]
        live = Artifact.objects.live().filter(project_id=self.project_id).annotate(latest_id=Subquery(latest))
        artifacts: dict[int | None, Artifact] = {getattr(artifact, "latest_id", None): artifact for artifact in live}
        rows = Version.objects.filter(pk__in=[key for key in artifacts if key]).select_related("content", "numbered")
        return {artifacts[row.pk].path: _held(artifacts[row.pk], row) for row in rows.defer("content__text")}

    def commits(self, line: Sequence[bytes], side: Sequence[bytes]) -> dict[bytes, Commit]:
        """The index rows of the commits, written; `main_seq` goes on from the last one."""
        raws = self.reader.store.raws([*line, *side])
        texts = {sha: checking.commit_text(raws[sha].data) for sha in [*line, *side]}
        users = {user.email.lower(): user for user in _people(self.project_id)}
        last = Commit.objects.filter(repository=self.repository).aggregate(last=Max("main_seq"))["last"] or 0
        places = {sha: last + index for index, sha in enumerate(line, start=1)}
        rows = [
            Commit(
                project_id=self.project_id,
                repository=self.repository,
                sha=sha,
                main_seq=places.get(sha),
                author_user=users.get(text.email.lower()),
                author_text=intake.repaired(text.author)[:255],
                committed_at=datetime.fromtimestamp(text.time, UTC),
                message=intake.repaired(text.message),
            )
            for sha, text in texts.items()
        ]
        return {bytes(row.sha): row for row in Commit.objects.bulk_create(rows, batch_size=500)}

    def take(self, row: Commit, sha: bytes, parent: bytes | None, *, is_numbered: bool) -> None:
        """Gather what one commit changed."""
        tree = self.graph.commits[sha].tree
        before = self.graph.commits[parent].tree if parent is not None else None
        found = changes.between(self.reader.store, before, tree)
        if is_numbered:
            found = self._moved(row, found)
        good: dict[str, Parsed] = {}
        for change in found:
            if change.new is None:
                continue
            parsed = self.reader.parsed(change)
            if isinstance(parsed, str):
                self.notes.append(f"no version at {row.hex[:7]}: {parsed}")
            else:
                good[change.path] = parsed
        for path in _included_first(good):
            self._add(row, tree, path, good[path], is_numbered=is_numbered)

    def _moved(self, row: Commit, found: list[Change]) -> list[Change]:
        """Archive what was removed, rename what was moved; what is left are files with new text."""
        gone = {change.path: change for change in found if change.new is None}
        come = {change.path: change for change in found if change.old is None}
        for old, new in self._renames(row, gone, come):
            if old in self.held and new not in self.held and paths.is_good(new):
                self._rename(row, self.held.pop(old), new)
                del gone[old]
        for path in gone:
            if (held := self.held.pop(path, None)) is not None:
                self._archive(held)
        return [change for change in found if change.new is not None]

    def _renames(self, row: Commit, gone: dict[str, Change], come: dict[str, Change]) -> Iterator[tuple[str, str]]:
        said = {old: new for old, new in _MOVED.findall(row.message) if old in gone and new in come}
        taken = set(said.values())
        blobs = {change.new: path for path, change in come.items() if path not in taken}
        for path, change in gone.items():
            if path not in said and (new := blobs.pop(change.old, None)) is not None:
                said[path] = new
        return iter(said.items())

    def _rename(self, row: Commit, held: _Held, path: str) -> None:
        held.artifact.path = path
        held.artifact.save(update_fields=["path"])
        self.held[path] = held
        self.moves.append(
            ArtifactPath(project_id=self.project_id, artifact=held.artifact, path=path, from_commit=row)
        )  # fmt: skip

    def _archive(self, held: _Held) -> None:
        if label := queries.labels_of(held.artifact).filter(protected=True).first():
            raise Refused(
                f"{paths.file_of(held.artifact.path)}: “{label.name}” is on this prompt; it cannot be removed"
            )
        held.artifact.archived_at = self.now
        held.artifact.save(update_fields=["archived_at"])

    def _add(self, row: Commit, tree: bytes, path: str, parsed: Parsed, *, is_numbered: bool) -> None:
        held = self.held.get(path)
        if held is None and not is_numbered:
            return  # the side branch had a prompt that the merge did not bring
        if held is not None and is_numbered and held.blob == parsed.blob_sha:
            return  # moved, or changed and changed back, with equal text
        pins = {included: self._pinned(tree, included) for included in parsed.includes}
        if missing := [included for included, pinned in pins.items() if pinned is None]:
            self.notes.append(f"no version of {path} at {row.hex[:7]}: there is no good “{missing[0]}” to include")
            return
        held = held or self._new_artifact(row, path)
        version = Version(
            project_id=self.project_id, artifact=held.artifact, commit=row, content=self._content(held, parsed),
            source=Version.Source.PUSH, by_user_id=self.by.user_id, by_text=self.by.text[:255], created_at=self.now,
        )  # fmt: skip
        self.versions.append(version)
        self.pins += [
            VersionPin(project_id=self.project_id, version=version, path=included, pinned=pinned)
            for included, pinned in pins.items()
            if pinned is not None
        ]
        held.by_blob[parsed.blob_sha] = version
        if is_numbered:
            held.number, held.blob, held.latest, held.is_changed = held.number + 1, parsed.blob_sha, version, True
            held.artifact.description = parsed.spec.description
            self.numbers.append(
                VersionNumber(project_id=self.project_id, version=version, artifact=held.artifact, number=held.number)
            )

    def _pinned(self, tree: bytes, path: str) -> Version | None:
        """The version whose text the commit's tree holds at the path."""
        held = self.held.get(path)
        blob = changes.blob_at(self.reader.store, tree, path)
        if held is None or blob is None:
            return None
        if blob not in held.by_blob and held.artifact.pk:
            stored = Version.objects.filter(artifact=held.artifact, content__blob_sha=blob).order_by("-id").first()
            if stored is None:
                return None
            held.by_blob[blob] = stored
        return held.by_blob[blob]

    def _new_artifact(self, row: Commit, path: str) -> _Held:
        artifact = Artifact.objects.create(project_id=self.project_id, path=path)
        self.moves.append(ArtifactPath(project_id=self.project_id, artifact=artifact, path=path, from_commit=row))
        self.held[path] = held = _held(artifact, None)
        return held

    def _content(self, held: _Held, parsed: Parsed) -> Content:
        if parsed.blob_sha not in self.contents:
            kind = held.artifact.kind
            known = Content.objects.filter(project_id=self.project_id, kind=kind, blob_sha=parsed.blob_sha).first()
            self.contents[parsed.blob_sha] = known or Content(
                project_id=self.project_id, kind=kind, blob_sha=parsed.blob_sha, text=parsed.text,
                spec=parsed.spec.as_json(), inputs=parsed.inputs_json(), includes=list(parsed.includes),
            )  # fmt: skip
        return self.contents[parsed.blob_sha]

    def written(self) -> Recorded:
        """Write what was gathered."""
        Content.objects.bulk_create([one for one in self.contents.values() if one.pk is None], batch_size=200)
        Version.objects.bulk_create(self.versions, batch_size=500)
        VersionNumber.objects.bulk_create(self.numbers, batch_size=500)
        VersionPin.objects.bulk_create(self.pins, batch_size=500)
        ArtifactPath.objects.bulk_create(self.moves, batch_size=500)
        changed = {path: held for path, held in self.held.items() if held.is_changed}
        Artifact.objects.bulk_update([held.artifact for held in changed.values()], ["description"], batch_size=200)
        numbers = {path: held.number for path, held in sorted(changed.items())}
        return Recorded(numbers, len(self.versions), tuple(self.notes))


def _held(artifact: Artifact, latest: Version | None) -> _Held:
    if latest is None:
        return _Held(artifact, 0, None, None)
    blob = bytes(latest.content.blob_sha)
    return _Held(artifact, latest.numbered.number, blob, latest, {blob: latest})


def _people(project_id: int) -> Iterable[User]:
    return User.objects.filter(memberships__project_id=project_id)


def _included_first(good: dict[str, Parsed]) -> list[str]:
    """Prompts after those that they include; those of a circle are left out."""
    order: dict[str, None] = {}
    left = dict(good)
    while ready := [path for path, one in left.items() if not any(other in left for other in one.includes)]:
        for path in ready:
            order[path] = None
            del left[path]
    return list(order)
