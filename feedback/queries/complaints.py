"""Reads of complaints: the negative inbox items, and what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from feedback.clustering import texts
from feedback.drafting import Complaint
from feedback.models import Call, FeedbackEvent, InboxItem, Theme
from feedback.queries.reading import shown
from llmops.projects.models import Project

# A thumbs-down, or a correction from somebody who did not press a thumb.
NEGATIVE = Q(thumbs=-1) | Q(thumbs=None, has_correction=True)
MOST_EVENTS = 20  # of one call that count


@dataclass(frozen=True, slots=True)
class Said:
    """What one item's people said, and the call that it is about (None until it arrives)."""

    item: InboxItem
    comments: tuple[str, ...]
    tags: tuple[str, ...]
    corrections: tuple[Any, ...]
    call: Call | None

    @property
    def text(self) -> str:
        return texts.complaint(
            comments=self.comments,
            tags=self.tags,
            corrections=self.corrections,
            inputs=self.call.inputs if self.call else None,
        )

    def as_complaint(self) -> Complaint:
        """For a model's eyes."""
        call = self.call
        return Complaint(
            said=" ".join((*self.comments, *self.tags)),
            asked=texts.question(call.inputs) if call else "",
            answered=shown(call.output) if call and call.output is not None else "",
            corrected=shown(self.corrections[0]) if self.corrections else "",
        )


def negative(project: Project) -> QuerySet[InboxItem]:
    """The complaints that the team has not chosen to ignore."""
    return InboxItem.objects.filter(NEGATIVE, project=project).exclude(state=InboxItem.State.IGNORED)


def members(theme: Theme) -> QuerySet[InboxItem]:
    """The complaints of the theme and of those merged into it; who changed their mind is none of them any more."""
    cores = Theme.objects.filter(Q(pk=theme.pk) | Q(merged_into=theme), project_id=theme.project_id)
    return negative(theme.project).filter(theme__in=cores.values("pk"))


def said(project: Project, items: Sequence[InboxItem], *, whole_calls: bool = False) -> list[Said]:
    """What each item's people said, in order: two queries. Without `whole_calls` of a call only its inputs are read."""
    names = [item.call_client_id for item in items]
    events: dict[str, list[FeedbackEvent]] = {}
    found = FeedbackEvent.objects.filter(project=project, call_client_id__in=names).order_by("-id")
    for event in found.only("id", "call_client_id", "comment", "correction", "tags"):
        kept = events.setdefault(event.call_client_id, [])
        if len(kept) < MOST_EVENTS:
            kept.append(event)
    calls = Call.objects.filter(project=project, client_id__in=names).order_by("id")
    calls = calls.defer("trace") if whole_calls else calls.only("id", "client_id", "inputs")
    by_name = {call.client_id: call for call in calls}
    return [_said(item, events.get(item.call_client_id, []), by_name.get(item.call_client_id)) for item in items]


def _said(item: InboxItem, events: Sequence[FeedbackEvent], call: Call | None) -> Said:
    return Said(
        item=item,
        comments=tuple(event.comment for event in events if event.comment),
        tags=tuple(dict.fromkeys(tag for event in events for tag in event.tag_list)),
        corrections=tuple(event.correction for event in events if event.correction is not None),
        call=call,
    )
