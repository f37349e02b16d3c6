"""Refs as rows, moved by compare-and-swap."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from prompts.models import GitRef, Repository

MAIN = "refs/heads/main"


def head(repository: Repository) -> bytes | None:
    """The commit at the tip of `main`, as 20 bytes; None for an empty repository."""
    return at(repository, MAIN)


def at(repository: Repository, name: str) -> bytes | None:
    """The commit that a ref points at, as 20 bytes."""
    sha = GitRef.objects.filter(repository=repository, name=name).values_list("sha", flat=True).first()
    return bytes(sha) if sha is not None else None


def swap(repository: Repository, name: str, *, old: bytes | None, new: bytes) -> bool:
    """Point the ref at `new` if it still points at `old` (None: does not exist); False when somebody was quicker."""
    if old is None:
        try:
            with transaction.atomic():
                GitRef.objects.create(project_id=repository.project_id, repository=repository, name=name, sha=new)
        except IntegrityError:
            return False
        return True
    return bool(GitRef.objects.filter(repository=repository, name=name, sha=old).update(sha=new))


def remove(repository: Repository, name: str, *, old: bytes) -> bool:
    """Delete the ref if it still points at `old`; False when somebody was quicker."""
    deleted, _ = GitRef.objects.filter(repository=repository, name=name, sha=old).delete()
    return bool(deleted)
