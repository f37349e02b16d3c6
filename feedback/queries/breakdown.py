"""Traffic told apart by version, model, environment or prompt, with thumbs compared: for pages and REST alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from evals.statistics import families
from feedback.queries.traffic import Dimension, Sums, Traffic
from feedback.thumbs import Response, Satisfaction, comparing
from llmops.projects.models import Project
from prompts.models import VersionNumber

MOST_ROWS = 50
REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Row:
    """One version's, model's, environment's or prompt's share. `name` is empty for calls that named none.

    `against` compares its thumbs with those of the row with the most votes; p values are adjusted for the number of
    rows (Benjamini and Hochberg 1995).
    """

    name: str
    key: str | int | None
    sums: Sums
    satisfaction: Satisfaction
    response: Response
    is_reference: bool = False
    against: comparing.Comparison | None = None


def rows(project: Project, found: Traffic, by: Dimension) -> list[Row]:
    """The busiest first, at most MOST_ROWS."""
    parts = list(found.by(by).items())[:MOST_ROWS]
    names = version_names(project, [key for key, _ in parts if isinstance(key, int)]) if by == "version" else {}
    return _compared(
        [
            Row(names.get(key, "") if isinstance(key, int) else key or "", key, sums, sums.satisfaction, sums.response)
            for key, sums in parts
        ]
    )


def version_names(project: Project, version_ids: Collection[int]) -> dict[int, str]:
    """`support/reply v3` by the version's primary key."""
    found = VersionNumber.objects.filter(project=project, version_id__in=version_ids)
    return {pk: f"{path} v{number}" for pk, path, number in found.values_list("version_id", "artifact__path", "number")}


def _compared(found: list[Row]) -> list[Row]:
    """Each row with enough votes against the one with the most."""
    rated = [row for row in found if row.satisfaction.shown != "count"]
    if len(rated) < 2:
        return found
    reference = max(rated, key=lambda row: row.satisfaction.votes)
    others = [row for row in rated if row is not reference]
    comparisons = [
        comparing.compare(row.sums.voters, reference.sums.voters, (row.response, reference.response)) for row in others
    ]
    adjusted = families.benjamini_hochberg([one.p for one in comparisons])
    against = {row.key: comparing.with_p(one, p) for row, one, p in zip(others, comparisons, adjusted, strict=True)}
    return [replace(row, is_reference=row is reference, against=against.get(row.key)) for row in found]
