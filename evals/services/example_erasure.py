"""Blank what examples say, in every version and in what runs made of them, where it must not be kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from evals.models import Dataset, Example, JudgeVote, Proposal, ProposalRequest, Result, Score
from evals.services import dataset_examples, proposals
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import NotFound
from llmops.projects.models import Project

BLANK_ROW: dict[str, Any] = {"inputs": {}, "expected": None, "tags": [], "split": ""}


@transaction.atomic
def erase(*, dataset: Dataset, uid: str | uuid.UUID, by: Actor, now: datetime) -> int:
    """Blank the content of an example in every version, and take it out of the newest; returns the rows blanked.

    What runs answered and what judges said about it goes too. Ids, hashes, numbers and scores stay, so that old runs
    still add up.

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
    examples = list(rows.values_list("pk", flat=True))
    about = {"result__example__in": examples}
    Score.objects.filter(**about).exclude(reason="").rewrite(reason="")
    JudgeVote.objects.filter(**about).exclude(reason="").rewrite(reason="")
    results = Result.objects.filter(example__in=examples, erased_at=None)
    results.rewrite(output="", parts=[], trace={}, error="", erased_at=now)
    return int(rows.rewrite(inputs={}, expected=None, contexts=[], metadata={}, tags=[], split="", erased_at=now))


@transaction.atomic
def refuse_proposals(*, project: Project, calls: Iterable[str], by: Actor, now: datetime) -> int:
    """Blank the proposed rows that quote these calls (client ids), and the examples that were accepted from them.

    Returns how many examples were blanked.
    """
    names = list(calls)
    accepted = Example.objects.filter(
        project=project, source_kind="proposal", metadata__call__in=names, erased_at=None
    )  # fmt: skip
    blanked = set(accepted.values_list("dataset", "key"))
    for dataset in Dataset.objects.filter(pk__in={dataset for dataset, _ in blanked}).order_by("pk"):
        for key in sorted(key for pk, key in blanked if pk == dataset.pk):
            erase(dataset=dataset, uid=key, by=by, now=now)
    quoting = Proposal.objects.filter(project=project, content__metadata__call__in=names)
    quoting.filter(state=Proposal.State.PROPOSED).update(
        state=Proposal.State.REFUSED, decided_by=by.text, decided_at=now
    )
    quoting.update(content=BLANK_ROW)
    return len(blanked)


def forget_questions(*, project: Project, tags: Iterable[str]) -> None:
    """Blank the questions to models about rows with one of these tags, which quote what the rows were made of.

    What a model made of them stays, without the question that its metadata keep.
    """
    for tag in sorted(set(tags)):
        asked = ProposalRequest.objects.filter(project=project, tags=[tag])
        asked.filter(state__in=ProposalRequest.ACTIVE).update(state=ProposalRequest.State.CANCELLED)
        asked.update(description="", messages=[], answer="")
        uids = list(asked.values_list("uid", flat=True))
        for example in Example.objects.filter(project=project, source_kind="proposal", source_uid__in=uids):
            origin = example.metadata.get(proposals.KEY)
            if isinstance(origin, dict) and origin.get("prompt"):
                metadata = {**example.metadata, proposals.KEY: {**origin, "prompt": ""}}
                Example.objects.filter(pk=example.pk).rewrite(metadata=metadata)


def _forget_proposals(datasets: Iterable[int], keys: Iterable[uuid.UUID]) -> None:
    """Blank what proposals kept of the rows: an accepted row itself, and questions to models, which quote rows."""
    Proposal.objects.filter(example_key__in=list(keys)).update(content=BLANK_ROW)
    asked = ProposalRequest.objects.filter(dataset__in=list(datasets))
    asked.exclude(state__in=ProposalRequest.ACTIVE).update(messages=[], answer="")
