"""Complaints as ingestion leaves them, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from feedback.models import Call, FeedbackEvent, InboxItem, Theme
from feedback.services import sorting
from feedback.services.clusterings import start
from llmops.common.actors import Actor
from llmops.projects.models import Project
from prompts.models import Version

LATE = [
    "my parcel came two days late", "the parcel is late again", "parcel arrived a week late", "late parcel, very late",
    "the parcel was late by three days", "why is my parcel so late",
]  # fmt: skip
REFUND = [
    "the refund was not paid", "my refund was not paid yet", "refund not paid again", "you said the refund was paid",
    "refund never paid", "when is the refund paid",
]  # fmt: skip


def complain(
    project: Project,
    said: Sequence[str],
    *,
    prefix: str = "c",
    at: datetime | None = None,
    version: Version | None = None,
    correction: Any = None,
    **item: Any,
) -> list[InboxItem]:
    """One call with a thumbs-down for each text; a later text is newer by a second."""
    moment = at or timezone.now() - timedelta(hours=1)
    times = [moment + timedelta(seconds=place) for place in range(len(said))]
    names = [f"{prefix}-{place}" for place in range(len(said))]
    path = version.artifact.path if version else ""
    Call.objects.bulk_create(
        Call(
            project=project, client_id=name, received_at=time, started_at=time, hour=int(time.timestamp() // 3600),
            inputs={"mail": f"Question {name}"}, output="Answer", version=version, artifact_path=path,
        )
        for name, time in zip(names, times, strict=True)
    )  # fmt: skip
    FeedbackEvent.objects.bulk_create(
        FeedbackEvent(
            project=project, client_id=f"e-{name}", call_client_id=name, kind="thumbs", value=-1, comment=text,
            correction=correction, received_at=time,
        )
        for name, text, time in zip(names, said, times, strict=True)
    )  # fmt: skip
    return InboxItem.objects.bulk_create(
        InboxItem(
            project=project, call_client_id=name, excerpt=text[:300], first_at=time, feedback_at=time,
            feedback_us=int(time.timestamp() * 1_000_000), **({"thumbs": -1} | item),
        )
        for name, text, time in zip(names, said, times, strict=True)
    )  # fmt: skip


def sort(project: Project, by: Actor) -> None:
    """A whole turn, as a worker takes it."""
    sorting.work(clustering_id=start(project=project, by=by).pk)


def members(project: Project) -> dict[str, set[str]]:
    """The texts of each theme by its name."""
    found: dict[str, set[str]] = {theme.name: set() for theme in Theme.objects.filter(project=project)}
    for name, text in InboxItem.objects.filter(project=project, theme__isnull=False).values_list(
        "theme__name", "excerpt"
    ):
        found[name].add(text)
    return found


def theme_of(project: Project, text: str) -> Theme:
    """The theme that holds the complaint."""
    found = InboxItem.objects.select_related("theme__project").get(project=project, excerpt=text).theme
    assert found is not None
    return found
