"""Move and archive prompts: the file changes its place or leaves the tree, the history stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict
from prompts import queries
from prompts.git import refs, writing
from prompts.git.store import RowStore
from prompts.models import Artifact, ArtifactPath, Commit, Repository
from prompts.prompty import paths
from prompts.services import versions


@transaction.atomic
def move(*, artifact: Artifact, to: str, by: Actor, now: datetime) -> None:
    """Give the prompt another path with a commit; its versions, labels and drafts come along.

    :raises Invalid: when the path cannot name a prompt.
    :raises Conflict: when another prompt is there.
    """
    paths.checked(to)
    repository = versions.locked_repository(artifact.project)
    if Artifact.objects.live().filter(project=artifact.project, path=to).exists():
        raise Conflict(f"There is a prompt “{to}” already.")
    latest = queries.latest_of(artifact)
    assert latest is not None, "a prompt without a version"
    old = artifact.path
    commit = _commit(
        repository,
        {paths.file_of(old): None, paths.file_of(to): latest.content.text.encode()},
        f"Move {old} to {to}\n\nMoved: {old} -> {to}\n",
        by,
        now,
    )
    artifact.path = to
    artifact.save(update_fields=["path"])
    ArtifactPath.objects.create(project_id=artifact.project_id, artifact=artifact, path=to, from_commit=commit)
    audit.record("prompt.moved", by=by, target=artifact, before=old, after=to)


@transaction.atomic
def archive(*, artifact: Artifact, by: Actor, now: datetime) -> None:
    """Remove the prompt's file with a commit and hide the prompt; versions, runs and calls keep pointing at it.

    :raises Conflict: while a protected label points at it.
    """
    repository = versions.locked_repository(artifact.project)
    if label := queries.labels_of(artifact).filter(protected=True).first():
        raise Conflict(f"“{label.name}” is on this prompt. Take the label away first.")
    _commit(repository, {paths.file_of(artifact.path): None}, f"Remove {artifact.path}\n", by, now)
    artifact.archived_at = now
    artifact.save(update_fields=["archived_at"])
    audit.record("prompt.archived", by=by, target=artifact)


def _commit(
    repository: Repository, changes: Mapping[str, bytes | None], message: str, by: Actor, now: datetime
) -> Commit:
    """One commit on the tip of `main`, with its row; the repository's row is locked."""
    store = RowStore(repository)
    tip = refs.head(repository)
    assert tip is not None, "a prompt without a commit"
    commit = writing.commit_files(
        store, parent=tip.hex().encode(), changes=changes, author=versions.author_of(by), at=now, message=message
    )
    store.flush()
    if not refs.swap(repository, refs.MAIN, old=tip, new=bytes.fromhex(commit.id.decode())):
        raise Conflict("Somebody else saved at the same moment. Try again.")
    return versions.record_commit(repository, commit, by=by)
