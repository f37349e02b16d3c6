"""Blank what examples say, in every version, where it must not be kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from evals.models import Dataset, Example, Proposal, ProposalRequest
from evals.services import dataset_examples
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import NotFound
from llmops.projects.models import Project


@transaction.atomic
def erase(*, dataset: Dataset, uid: str | uuid.UUID, by: Actor, now: datetime) -> int:
    """Blank the content of an example in every version, and take it out of the newest; returns the rows blanked.

    Ids, hashes and numbers stay, so that old scores still add up.

    :raises NotFound: when no version ever had it.
    """
    key = uid if isinstance(uid, uuid.UUID) else ids.parse("ex", uid)
    rows = Example.objects.filter(dataset=dataset, key=key)
    if not rows.exists():
        raise NotFound(f"There is no example {str(uid)[:60]} in {dataset.slug}.")
    _forget_proposals([dataset.pk], [key])
    if rows.filter(removed_in=None).exists():
        dataset_examples.remove(dataset=dataset, uids=[key], by=by)
    blanked = _blank(Example.objects.filter(dataset=dataset, key=key, erased_at=None), now)
    audit.record("dataset.example_erased", by=by, target=dataset, example=ids.public("ex", key))
    return blanked


@transaction.atomic
def erase_from(*, project: Project, source_uid: uuid.UUID, by: Actor, now: datetime) -> int:
    """Blank every example that was made from a call, try-out or import; returns the rows blanked."""
    rows = Example.objects.filter(project=project, source_uid=source_uid, erased_at=None)
    current: dict[int, list[uuid.UUID]] = {}
    for dataset_id, key in rows.filter(removed_in=None).values_list("dataset_id", "key"):
        current.setdefault(dataset_id, []).append(key)
    found = list(rows.values_list("dataset_id", "key"))
    _forget_proposals({dataset_id for dataset_id, _ in found}, [key for _, key in found])
    for dataset in Dataset.objects.filter(pk__in=current).order_by("pk"):
        dataset_examples.remove(dataset=dataset, uids=current[dataset.pk], by=by)
    blanked = _blank(rows, now)
    audit.record("dataset.source_erased", by=by, target=project, project_id=project.pk, source=str(source_uid))
    return blanked


def _blank(rows: Any, now: datetime) -> int:
    return int(rows.rewrite(inputs={}, expected=None, contexts=[], metadata={}, tags=[], split="", erased_at=now))


def _forget_proposals(datasets: Iterable[int], keys: Iterable[uuid.UUID]) -> None:
    """Blank what proposals kept of the rows: an accepted row itself, and questions to models, which quote rows."""
    proposals = Proposal.objects.filter(example_key__in=list(keys))
    proposals.update(content={"inputs": {}, "expected": None, "tags": [], "split": ""})
    asked = ProposalRequest.objects.filter(dataset__in=list(datasets))
    asked.exclude(state__in=ProposalRequest.ACTIVE).update(messages=[], answer="")
