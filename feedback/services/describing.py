"""Copy onto inbox items what the inbox filters by: their call's prompt, version and model, and all tags.

Apart from ingestion, which stays quick: items whose copy is older than their feedback are found by a partial index.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from feedback.models import Call, FeedbackEvent, InboxItem, ItemTag
from feedback.models.call import SEPARATOR

BATCH = 500
MOST_TAGS = 50
COPIED = ("described_us", "call_uid", "artifact_path", "version_number", "model")
# A call mostly comes within minutes of its feedback, if it comes at all.
SOON = timedelta(hours=1)
LATE = timedelta(days=7)
MOST_SOUGHT = 2_000


def run(*, now: datetime, most: int = 50_000) -> int:
    """Describe the items that feedback or calls came for; returns how many. Safe to run twice at once."""
    stale = InboxItem.objects.filter(described_us__lt=F("feedback_us"))
    described = 0
    while described < most:
        batch = _describe(stale.order_by("project_id", "id")[:BATCH])
        described += batch
        if batch < BATCH:
            break
    return described + seek_calls(since=now - SOON)


def seek_calls(*, since: datetime, most: int = MOST_SOUGHT) -> int:
    """Describe again the items without a call whose call has come; returns how many. Looks at the newest `most`."""
    earliest = int(since.timestamp() * 1_000_000)
    waiting = InboxItem.objects.filter(call_uid=None, feedback_us__gte=earliest, described_us__gte=F("feedback_us"))
    names = list(waiting.order_by("-feedback_us").values_list("pk", "project_id", "call_client_id")[:most])
    found = 0
    for start in range(0, len(names), BATCH):
        part = names[start : start + BATCH]
        came = set(
            Call.objects.filter(
                project__in={project for _, project, _ in part}, client_id__in=[name for _, _, name in part]
            ).values_list("project_id", "client_id")
        )
        wanted = [pk for pk, project, name in part if (project, name) in came]
        found += _describe(InboxItem.objects.filter(pk__in=wanted)) if wanted else 0
    return found


@transaction.atomic
def _describe(items: QuerySet[InboxItem]) -> int:
    # Rows that ingestion is writing are skipped, not waited for: two that wait for each other would be a deadlock.
    batch = list(items.select_for_update(skip_locked=True, of=("self",)))
    by_project: dict[int, list[InboxItem]] = {}
    for item in batch:
        by_project.setdefault(item.project_id, []).append(item)
    for project_id, ours in by_project.items():
        _copy(project_id, ours)
    InboxItem.objects.bulk_update(batch, COPIED, batch_size=BATCH)
    return len(batch)


def _copy(project_id: int, items: list[InboxItem]) -> None:
    names = [item.call_client_id for item in items]
    calls = _calls(project_id, names)
    said: dict[str, list[str]] = {}
    events = FeedbackEvent.objects.filter(project_id=project_id, call_client_id__in=names).exclude(tags="")
    for name, tags in events.order_by("id").values_list("call_client_id", "tags"):
        said.setdefault(name, []).extend(_split(tags))
    rows: list[ItemTag] = []
    for item in items:
        item.described_us = item.feedback_us
        rows += _tags(item, said.get(item.call_client_id, []), ItemTag.Source.USER)
        if (call := calls.get(item.call_client_id)) is not None:
            item.call_uid, item.artifact_path, item.model = call.uid, call.artifact_path, call.model
            item.version_number = call.number  # type: ignore[attr-defined]  # annotated
            rows += _tags(item, _split(call.tags), ItemTag.Source.CALL)
    ItemTag.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


def _calls(project_id: int, names: list[str]) -> dict[str, Call]:
    rows = (
        Call.objects.filter(project_id=project_id, client_id__in=names)
        .annotate(number=F("version__numbered__number"))
        .only("uid", "client_id", "artifact_path", "model", "tags")
    )
    return {call.client_id: call for call in rows.order_by("id")}


def _tags(item: InboxItem, tags: Iterable[str], source: ItemTag.Source) -> list[ItemTag]:
    unique = list(dict.fromkeys(tags))[:MOST_TAGS]
    return [ItemTag(project_id=item.project_id, item=item, tag=tag, source=source) for tag in unique]


def _split(tags: str) -> list[str]:
    return [tag for tag in tags.split(SEPARATOR) if tag]
