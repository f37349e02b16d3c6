"""Save versions: every save is a commit in the project's repository, in the same transaction as its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Max
from dulwich.objects import Commit as GitCommit

from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.common import text as intake
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project
from prompts import queries
from prompts.git import refs, writing
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

MAX_MESSAGE = 2_000


class StaleBase(Conflict):
    """Somebody saved another version since the one that this text was based on; nothing was overwritten."""

    code = "stale_base"

    def __init__(self, current: Version, number: int, base: int) -> None:
        super().__init__(
            f"Version {number} was saved by {current.by_text} since you started from version {base}.",
            fields={"base_version": f"the latest version is {number}"},
        )
        self.current = current
        self.number = number


@dataclass(frozen=True, slots=True)
class Saved:
    """`created` is False when the text equals the latest version, which is then returned."""

    version: Version
    number: int
    created: bool


def save(
    *,
    project: Project,
    path: str,
    content: str,
    message: str,
    by: Actor,
    now: datetime,
    base_version: int | None = None,
    source: str = Version.Source.UI,
) -> Saved:
    """Save `content` as the next version of the prompt at `path`, creating the prompt if there is none.

    `base_version` is the number that the text was based on, 0 for a prompt that must not exist yet, and None to save
    on whatever is latest.

    :raises Invalid: when path, message or content are not acceptable; with line and column for the content.
    :raises StaleBase: when another version was saved since `base_version`.
    """
    paths.checked(path)
    message = _checked_message(message, path)
    parsed = parsing.parse(content.replace("\r\n", "\n"))
    with transaction.atomic():
        repository = locked_repository(project)
        artifact = Artifact.objects.live().filter(project=project, path=path).first()
        latest = queries.latest_of(artifact) if artifact else None
        number = latest.numbered.number if latest else 0
        if latest and base_version is not None and base_version != number:
            raise StaleBase(latest, number, base_version)
        if latest and bytes(latest.content.blob_sha) == parsed.blob_sha:
            return Saved(latest, number, created=False)
        store = RowStore(repository)
        tip = refs.head(repository)
        commit = writing.commit_files(
            store,
            parent=tip.hex().encode() if tip else None,
            changes={paths.file_of(path): parsed.text.encode()},
            author=author_of(by),
            at=now,
            message=message,
        )
        store.flush()
        new = bytes.fromhex(commit.id.decode())
        if not refs.swap(repository, refs.MAIN, old=tip, new=new):
            raise Conflict("Somebody else saved at the same moment. Save again.")
        row = record_commit(repository, commit, by=by)
        version = add_version(row, store, path=path, parsed=parsed, by=by, source=source, artifact=artifact, now=now)
        audit.record("prompt.version_saved", by=by, target=version, text=path, number=number + 1, commit=row.hex)
        return Saved(version, version.numbered.number, created=True)


def repository_of(project: Project) -> Repository:
    """The project's repository, made when it is first asked for."""
    repository, _ = Repository.objects.get_or_create(project=project)
    return repository


def locked_repository(project: Project) -> Repository:
    """The project's repository, its row locked: saves and pushes of one project come one after the other."""
    locked = Repository.objects.select_for_update(no_key=True, of=("self",)).select_related("project")
    return locked.filter(project=project).first() or locked.get(pk=repository_of(project).pk)


def record_commit(repository: Repository, commit: GitCommit, *, by: Actor) -> Commit:
    """The index row of a commit that is the new tip of `main`."""
    last = Commit.objects.filter(repository=repository).aggregate(last=Max("main_seq"))["last"]
    return Commit.objects.create(
        project_id=repository.project_id,
        repository=repository,
        sha=bytes.fromhex(commit.id.decode()),
        main_seq=(last or 0) + 1,
        author_user_id=by.user_id,
        author_text=commit.author.decode(errors="replace")[:255],
        committed_at=datetime.fromtimestamp(commit.commit_time, UTC),
        message=intake.repaired(commit.message.decode(errors="replace")),
    )


def add_version(
    commit: Commit,
    store: RowStore,
    *,
    path: str,
    parsed: parsing.Parsed,
    by: Actor,
    source: str,
    now: datetime,
    artifact: Artifact | None = None,
) -> Version:
    """The rows of one prompt file at a commit on `main`: content, version, number, pins.

    :raises Invalid: when an include names no prompt in the commit's tree, or includes go in a circle.
    """
    project_id = commit.project_id
    if artifact is None:
        artifact = Artifact.objects.create(project_id=project_id, path=path)
        ArtifactPath.objects.create(project_id=project_id, artifact=artifact, path=path, from_commit=commit)
    if parsed.spec.description != artifact.description:
        artifact.description = parsed.spec.description
        artifact.save(update_fields=["description"])
    content, _ = Content.objects.get_or_create(
        project_id=project_id,
        kind=artifact.kind,
        blob_sha=parsed.blob_sha,
        defaults={
            "text": parsed.text,
            "spec": parsed.spec.as_json(),
            "inputs": parsed.inputs_json(),
            "includes": list(parsed.includes),
        },
    )
    version = Version.objects.create(
        project_id=project_id, artifact=artifact, commit=commit, content=content, source=source,
        by_user_id=by.user_id, by_text=by.text[:255], created_at=now,
    )  # fmt: skip
    last = VersionNumber.objects.filter(artifact=artifact).aggregate(last=Max("number"))["last"]
    VersionNumber.objects.create(project_id=project_id, version=version, artifact=artifact, number=(last or 0) + 1)
    _pin(version, parsed.includes)
    return version


def _pin(version: Version, includes: tuple[str, ...]) -> None:
    """Remember which version each include means now: the latest one in the tree of the same commit."""
    pins: dict[str, Version] = {}
    for path in includes:
        target = Artifact.objects.live().filter(project_id=version.project_id, path=path).first()
        pinned = queries.latest_of(target) if target else None
        if pinned is None:
            raise Invalid(f"There is no prompt “{path}” to include.", fields={"content": f"include “{path}”"})
        if version.artifact_id in queries.included_artifacts(pinned):
            raise Invalid(f"“{path}” includes this prompt: a circle.", fields={"content": f"include “{path}”"})
        pins[path] = pinned
    VersionPin.objects.bulk_create(
        VersionPin(project_id=version.project_id, version=version, path=path, pinned=pinned)
        for path, pinned in pins.items()
    )


def _checked_message(message: str, path: str) -> str:
    message = message.strip() or f"Change {path}"
    if len(message) > MAX_MESSAGE:
        raise Invalid("The message is too long.", fields={"message": f"at most {MAX_MESSAGE:,} characters"})
    if (reason := intake.problem(message)) is not None:
        raise Invalid("The message cannot be stored.", fields={"message": reason})
    return message + "\n"


def author_of(by: Actor) -> str:
    """The commit's author: the person, or the key's name."""
    user = User.objects.filter(pk=by.user_id).first() if by.user_id else None
    if user is not None:
        return writing.author_line(user.name or user.email.partition("@")[0], user.email)
    return writing.author_line(by.text, "noreply@llmops.invalid")
