"""Create and move labels: this is what deploying a prompt means."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import IntegrityError, transaction

from llmops.audit import services as audit
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, Invalid
from prompts import checks, queries
from prompts.models import Artifact, Deployment, Label, Version
from prompts.queries import LATEST

PROTECTED_FROM_BIRTH = frozenset({"production"})

_NAME = re.compile(r"\A[a-z0-9][a-z0-9._-]{0,59}\Z")


class GateClosed(Conflict):
    """A deployment check refuses the version; the message says which and why."""

    code = "gate_closed"


@transaction.atomic
def move(
    *,
    artifact: Artifact,
    name: str,
    to: Version,
    by: Actor,
    now: datetime,
    may_release: bool,
    reason: str = "",
    expected: int | None = None,
) -> Deployment:
    """Point the label at a version, creating the label if there is none; every move is kept as a deployment.

    `may_release` says whether the actor may move protected labels; `expected` is the number of the version that the
    actor saw behind the label, and a move is refused when another one is there by now.

    :raises Invalid: when the name is not acceptable.
    :raises Forbidden: when the label is protected and the actor may not release.
    :raises Conflict: when somebody else moved it since, or a deployment check refuses (GateClosed).
    """
    if name == LATEST or not _NAME.match(name):
        raise Invalid(
            f"“{name[:60]}” cannot be a label.",
            fields={"label": "lower-case letters, digits, “.”, “-”, “_”; “latest” is built in"},
        )
    if to.artifact_id != artifact.pk:
        raise Invalid("The version belongs to another prompt.", fields={"version": "of another prompt"})
    label = Label.objects.select_for_update(no_key=True, of=("self",)).filter(artifact=artifact, name=name).first()
    if (label.protected if label else name in PROTECTED_FROM_BIRTH) and not may_release:
        raise Forbidden(
            f"“{name}” is protected: moving it needs the permission label:release.",
            fields={"permission": "label:release"},
        )
    if refusals := checks.refusals(label=name, version=to):
        raise GateClosed(" ".join(refusals))
    before = label.version if label else None
    if (
        before is not None
        and expected is not None
        and queries.versions_of(artifact).get(pk=before.pk).numbered.number != expected
    ):
        raise Conflict(f"“{name}” was moved by {label.moved_by_text if label else ''} since you looked.")
    if label is None:
        _create(artifact, name, to, by, now)
    elif before == to:
        raise Conflict(f"“{name}” is on this version already.", code="unchanged")
    else:
        Label.objects.filter(pk=label.pk).update(version=to, moved_at=now, moved_by_text=by.text[:255])
    deployment = Deployment.objects.create(
        project_id=artifact.project_id, artifact=artifact, label_name=name, from_version=before, to_version=to,
        by_user_id=by.user_id, by_text=by.text[:255], at=now, reason=reason[:500],
    )  # fmt: skip
    audit.record("prompt.label_moved", by=by, target=deployment, text=f"{artifact.path}: {name}", label=name,
                 before=before.pk if before else None, after=to.pk)  # fmt: skip
    return deployment


def _create(artifact: Artifact, name: str, to: Version, by: Actor, now: datetime) -> None:
    try:
        with transaction.atomic():
            Label.objects.create(
                project_id=artifact.project_id, artifact=artifact, name=name, version=to,
                protected=name in PROTECTED_FROM_BIRTH, moved_at=now, moved_by_text=by.text[:255],
            )  # fmt: skip
    except IntegrityError:
        raise Conflict(f"Somebody else created “{name}” at the same moment. Look again.") from None


def roll_back(*, artifact: Artifact, name: str, by: Actor, now: datetime, may_release: bool) -> Deployment:
    """Move the label to where it was before its last move.

    :raises Conflict: when there is no earlier version to go back to.
    """
    last = queries.deployments_of(artifact).filter(label_name=name).first()
    if last is None or last.from_version is None:
        raise Conflict(f"“{name}” has never been on another version.")
    return move(
        artifact=artifact,
        name=name,
        to=last.from_version,
        by=by,
        now=now,
        may_release=may_release,
        reason="Rolled back",
    )


@transaction.atomic
def remove(*, artifact: Artifact, name: str, by: Actor, may_release: bool) -> None:
    """Take the label away; what its moves were stays known.

    :raises Forbidden: when it is protected and the actor may not release.
    """
    label = queries.label_in(artifact, name)
    if label.protected and not may_release:
        raise Forbidden(f"“{name}” is protected.", fields={"permission": "label:release"})
    audit.record("prompt.label_removed", by=by, target=label, text=f"{artifact.path}: {name}")
    label.delete()


@transaction.atomic
def protect(*, artifact: Artifact, name: str, protected: bool, by: Actor) -> None:
    """Say whether moving the label needs the permission to release."""
    label = queries.label_in(artifact, name)
    Label.objects.filter(pk=label.pk).update(protected=protected)
    audit.record("prompt.label_protected", by=by, target=label, text=f"{artifact.path}: {name}", protected=protected)
