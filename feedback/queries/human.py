"""What people settled, by version: the human figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from feedback import rubrics
from feedback.models import HumanFigure, Queue
from prompts.models import Artifact, Version


@dataclass(frozen=True, slots=True)
class Figure:
    """The share of passes (or the mean of a scale) of one version; `version` is empty for calls that named none."""

    queue: str
    queue_slug: str
    question: str
    text: str
    version: str
    n: int
    value: float
    low: float | None
    high: float | None
    is_share: bool
    method: str
    updated_at: datetime


def of_queue(queue: Queue) -> list[Figure]:
    """The queue's figures by question, the newest version first: one query."""
    return _read(HumanFigure.objects.filter(queue=queue))


def of_prompt(artifact: Artifact, most: int = 30) -> list[Figure]:
    """What people of any queue settled about the prompt's versions, the newest version first."""
    found = HumanFigure.objects.filter(project=artifact.project_id, version__artifact=artifact)
    return _read(found)[:most]


def _read(rows: QuerySet[HumanFigure]) -> list[Figure]:
    found = rows.select_related("queue__rubric_version", "version__artifact", "version__numbered")
    return list(_figures(found.order_by("queue_id", "question", "-version_id", "id")))


def _name(version: Version | None) -> str:
    if version is None:
        return ""
    numbered = getattr(version, "numbered", None)
    return f"{version.artifact.path} v{numbered.number}" if numbered else f"{version.artifact.path}, unnumbered"


def _figures(rows: Iterable[HumanFigure]) -> Iterable[Figure]:
    for row in rows:
        asked = {one.key: one for one in rubrics.parse(row.queue.rubric_version.questions)}
        question = asked[row.question]
        yield Figure(
            queue=row.queue.name, queue_slug=row.queue.slug, question=row.question, text=question.text,
            version=_name(row.version), n=row.n, value=row.value, low=row.low, high=row.high,
            is_share=question.kind == "pass_fail", method=row.method, updated_at=row.updated_at,
        )  # fmt: skip
