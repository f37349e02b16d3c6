"""Reads about what the dataset doctor found, as pages and the API show it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from evals.doctor import Kind
from evals.models import Checkup, CheckupFinding, Dataset, Example
from evals.queries import dataset_pages, paging
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project

SHOWN_MEMBERS = 3
PAGE = 25


@dataclass(frozen=True, slots=True)
class Words:
    """How pages speak of a kind of finding."""

    title: str
    advice: str
    icon: str
    tone: str


WORDS = {
    Kind.CONFLICT: Words(
        "Conflicting answers",
        "The same input with expected answers that exclude each other: one of them counts every output as wrong.",
        "triangle-alert",
        "bad",
    ),
    Kind.SPLIT_LEAK: Words(
        "Leaks between splits",
        "The same or nearly the same input in two splits: scores on one of them tell about memory, not skill.",
        "split",
        "bad",
    ),
    Kind.PROMPT_LEAK: Words(
        "Leaks into prompts",
        "A row that is not for training stands in the text of a prompt that ran here: the model has seen it.",
        "message-square-warning",
        "bad",
    ),
    Kind.DUPLICATE: Words(
        "Duplicates", "Equal inputs count twice in every score, and make intervals too narrow.", "copy", "warn"
    ),
    Kind.NEAR_DUPLICATE: Words(
        "Near-duplicates", "Inputs that hardly differ say little more than one of them.", "copy-check", "warn"
    ),
    Kind.ODD: Words(
        "Odd rows", "Empty, without what the other rows have, or of an extreme length.", "search-x", "warn"
    ),
    Kind.DISAGREEMENT: Words(
        "Evaluators disagree",
        "One evaluator passes what another fails: look whether the row, the rubric or the expected answer is wrong.",
        "scale",
        "accent",
    ),
    Kind.NEVER_FAILS: Words(
        "Never fails",
        "Rows that every version answers well tell nothing about the next one.",
        "circle-check",
        "neutral",
    ),
}


@dataclass(frozen=True, slots=True)
class ShownMember:
    """A row of a finding as it is now; `example` is None when the newest version has it no more."""

    key: str
    number: int
    split: str
    line: str
    example: Example | None


@dataclass(frozen=True, slots=True)
class ShownFinding:
    uid: str
    kind: Kind
    words: Words
    note: str
    size: int
    strength: float
    members: list[ShownMember]
    more: int


def newest(dataset: Dataset) -> Checkup | None:
    return Checkup.objects.filter(dataset=dataset).select_related("dataset").order_by("-id").first()


def newest_in(dataset: Dataset) -> Checkup:
    """:raises NotFound: when the doctor never looked at the dataset."""
    found = newest(dataset)
    if found is None:
        raise NotFound(f"The doctor has not looked at {dataset.slug} yet.")
    return found


def checkup_in(dataset: Dataset, uid: str) -> Checkup:
    """:raises NotFound: when the dataset has no such look."""
    found = Checkup.objects.filter(dataset=dataset, uid=ids.parse("chk", uid)).first()
    if found is None:
        raise NotFound("The doctor has no such look at this dataset.")
    return found


def findings_of(checkup: Checkup, kind: str = "") -> QuerySet[CheckupFinding]:
    """The kept findings, the worst first; only those of a kind when one is named."""
    found = CheckupFinding.objects.filter(checkup=checkup).order_by("rank")
    return found.filter(kind=kind) if kind else found


def finding_in(project: Project, uid: str) -> CheckupFinding:
    """:raises NotFound: when the project has no such finding."""
    found = (
        CheckupFinding.objects.filter(project=project, checkup__dataset__archived_at=None, uid=ids.parse("fnd", uid))
        .select_related("checkup__dataset")
        .first()
    )
    if found is None:
        raise NotFound("The doctor has no such finding here.")
    return found


def page(checkup: Checkup, *, kind: str = "", cursor: str = "") -> paging.Page[ShownFinding]:
    """A page of findings with the first rows of each: two queries, however many there are."""
    found = paging.page(findings_of(checkup, kind), order=("rank",), cursor=cursor, size=PAGE)
    shown = shown_findings(checkup.dataset, found.rows, most=SHOWN_MEMBERS)
    return paging.Page(shown, found.first, found.last, found.previous, found.next)


def shown_findings(dataset: Dataset, found: Sequence[CheckupFinding], *, most: int) -> list[ShownFinding]:
    """Findings with up to `most` rows each as they are now."""
    keys = {uuid.UUID(row["key"]) for one in found for row in one.members[:most]}
    current = Example.objects.filter(dataset=dataset, removed_in=None, key__in=keys)
    examples = {example.key: example for example in current}
    return [_shown(one, examples, most) for one in found]


def _shown(one: CheckupFinding, examples: dict[uuid.UUID, Example], most: int) -> ShownFinding:
    kind = Kind(one.kind)
    members = [_member(row, examples.get(uuid.UUID(row["key"]))) for row in one.members[:most]]
    return ShownFinding(
        uid=ids.public("fnd", one.uid),
        kind=kind,
        words=WORDS[kind],
        note=one.note,
        size=one.size,
        strength=one.strength,
        members=members,
        more=one.size - len(members),
    )


def _member(row: dict[str, Any], example: Example | None) -> ShownMember:
    return ShownMember(
        key=ids.public("ex", uuid.UUID(row["key"])),
        number=row["number"],
        split=row["split"],
        line=dataset_pages.one_line(example.inputs, 160) if example else "",
        example=example,
    )
