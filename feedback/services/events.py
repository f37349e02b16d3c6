"""Store feedback: the event, the vote that it casts or changes, and the inbox item of its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from feedback.models import FeedbackEvent, InboxItem, Seen, Vote
from feedback.queries import calls as call_queries
from feedback.queries import masks
from feedback.services import arrivals, hours
from feedback.services.calls import Stored
from llmops.common import ids
from llmops.projects.models import Project

COLUMNS = (
    "uid", "project_id", "client_id", "call_client_id", "session", "span", "voter", "source", "kind", "name", "value",
    "category", "comment", "correction", "tags", "metadata", "key_id", "received_at", "repaired", "masked",
)  # fmt: skip
VOTE_COLUMNS = ("project_id", "call_client_id", "voter", "kind", "name", "value", "event_uid", "voted_at", "hour")
VOTE_CHANGES = (
    "ON CONFLICT (project_id, call_client_id, voter, kind, name) DO UPDATE SET value = excluded.value, "
    "event_uid = excluded.event_uid, voted_at = excluded.voted_at, hour = excluded.hour "
    "WHERE excluded.voted_at >= feedback_vote.voted_at"
)
ITEM_COLUMNS = (
    "uid", "project_id", "call_client_id", "state", "thumbs", "score", "excerpt", "has_correction", "events",
    "first_at", "feedback_at", "feedback_us",
)  # fmt: skip
# New feedback opens an item again, unless somebody chose to ignore the call.
ITEM_CHANGES = (
    "ON CONFLICT (project_id, call_client_id) DO UPDATE SET "
    "state = CASE WHEN excluded.state = 'open' AND feedback_inboxitem.state <> 'ignored' THEN 'open' "
    "ELSE feedback_inboxitem.state END, "
    "thumbs = COALESCE(excluded.thumbs, feedback_inboxitem.thumbs), "
    "score = COALESCE(excluded.score, feedback_inboxitem.score), "
    "excerpt = CASE WHEN excluded.excerpt <> '' THEN excluded.excerpt ELSE feedback_inboxitem.excerpt END, "
    "has_correction = (excluded.has_correction OR feedback_inboxitem.has_correction), "
    "events = feedback_inboxitem.events + excluded.events, "
    "feedback_at = excluded.feedback_at, feedback_us = excluded.feedback_us"
)
EXCERPT = 300
# What people did rather than said: kept and counted, but no item of the inbox by itself.
SIGNS = frozenset({"edited", "copied", "retried", "abandoned"})


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Feedback as it was sent and checked. `call` is the call's client id or its `call_…` uid.

    Without a call it is about the whole `session`; with `span` about that step of the call. `voter_key` makes votes
    replace each other where the sender's own id of a score does.
    """

    body: bytes
    call: str
    kind: str
    client_id: str = ""
    span: str = ""
    name: str = ""
    source: str = FeedbackEvent.Source.PERSON.value
    value: float | None = None
    category: str = ""
    comment: str = ""
    correction: Any = None
    tags: tuple[str, ...] = ()
    end_user: str = ""
    session: str = ""
    metadata: Any = None
    voter_key: str = ""
    repaired: bool = False

    @property
    def asks_for_somebody(self) -> bool:
        """Words, a correction, a bad thumb or a bare score want to be read; praise, measurements and signs do not."""
        if self.source != FeedbackEvent.Source.PERSON:
            return False
        if self.comment or self.tags or self.correction is not None:
            return True
        return not (self.kind in SIGNS or self.name or (self.kind == "thumbs" and self.value == 1))


@dataclass(slots=True)
class _Item:
    """What a batch says about one call, merged: an upsert may touch a row only once."""

    state: str
    thumbs: int | None = None
    score: float | None = None
    excerpt: str = ""
    has_correction: bool = False
    events: int = 0


def record(*, project: Project, events: Sequence[NewEvent], key_id: int | None, now: datetime) -> list[Stored]:
    """Store the feedback, each once for its client id; returns one answer for each, in order.

    The call may come later. When this returns, everything is committed.
    """
    entries = []
    for event in events:
        uid = ids.uuid7()
        entries.append(
            arrivals.Arrival(event.client_id or ids.public("feedback", uid), arrivals.digest(event.body), uid)
        )
    masked = [_masked(project, event) if project.mask_personal_data else (event, 0) for event in events]

    hours.mark_arrivals(project_id=project.pk, hours=[hours.hour_of(now)], now=now)

    def store() -> list[arrivals.Admission]:
        admitted = arrivals.admit(
            project_id=project.pk, kind=Seen.Kind.FEEDBACK, arrivals=entries, received_on=now.date()
        )
        new = [
            (event, count, entry)
            for (event, count), entry, admission in zip(masked, entries, admitted, strict=True)
            if admission.state == "new"
        ]
        if new:
            _store(project, new, key_id, now)
        return admitted

    admitted = arrivals.commit(store)
    return [
        Stored(entry.client_id, admission.uid, admission.state)
        for entry, admission in zip(entries, admitted, strict=True)
    ]


def _store(
    project: Project, new: list[tuple[NewEvent, int, arrivals.Arrival]], key_id: int | None, now: datetime
) -> None:
    known = _known_calls(project, [event for event, _, _ in new])
    latest = _latest_calls(project, [event for event, _, _ in new])
    moment, hour = arrivals.time_value(now), int(now.timestamp() // 3600)
    rows: list[tuple[Any, ...]] = []
    votes: dict[tuple[str, ...], tuple[Any, ...]] = {}
    items: dict[str, _Item] = {}
    for event, masked, entry in new:
        ref = known.get(event.call)
        call = ref.client_id if ref else event.call or latest.get(event.session, "")
        voter = _voter(project, event, ref)
        uid = entry.uid.hex
        rows.append((
            uid, project.pk, entry.client_id, call, "" if event.call else event.session, event.span, voter,
            event.source, event.kind, event.name, event.value, event.category, event.comment,
            arrivals.json_value(event.correction), arrivals.joined_tags(event.tags),
            arrivals.json_value(event.metadata), key_id, moment, event.repaired, masked,
        ))  # fmt: skip
        if event.value is not None and event.call and not event.span:  # a vote is an opinion about a call's answer
            elector = voter or f"e:{entry.uid.hex}"
            vote = (project.pk, call, elector, event.kind, event.name, event.value, uid, moment, hour)
            votes[call, elector, event.kind, event.name] = vote
        is_measured = event.name or event.kind in SIGNS or event.source != FeedbackEvent.Source.PERSON
        if call and (event.asks_for_somebody or not is_measured):
            _merge(items.setdefault(call, _Item(state="done")), event)
    arrivals.insert(FeedbackEvent, COLUMNS, rows)
    if votes:
        arrivals.insert(Vote, VOTE_COLUMNS, [votes[name] for name in sorted(votes)], VOTE_CHANGES)
    if items:
        arrivals.insert(InboxItem, ITEM_COLUMNS, _item_rows(project, items, now), ITEM_CHANGES)


def _item_rows(project: Project, items: dict[str, _Item], now: datetime) -> list[tuple[Any, ...]]:
    moment, microseconds = arrivals.time_value(now), int(now.timestamp() * 1_000_000)
    return [
        (ids.uuid7().hex, project.pk, call, item.state, item.thumbs, item.score,
         item.excerpt[:EXCERPT], item.has_correction, item.events, moment, moment, microseconds)
        for call, item in sorted(items.items())
    ]  # fmt: skip


def _known_calls(project: Project, events: list[NewEvent]) -> dict[str, call_queries.CallRef]:
    """The calls of feedback that names no person, or names the call by its uid: one look-up for the batch."""
    wanted = {
        event.call
        for event in events
        if event.call and (event.call[:5] == "call_" or not (event.end_user or event.session or event.voter_key))
    }
    return call_queries.refs(project, wanted) if wanted else {}


def _latest_calls(project: Project, events: list[NewEvent]) -> dict[str, str]:
    """Where feedback on a whole session is read: at the session's latest call."""
    sessions = {event.session for event in events if not event.call}
    return call_queries.latest_of_sessions(project, sessions) if sessions else {}


def _voter(project: Project, event: NewEvent, call: call_queries.CallRef | None) -> str:
    """Who votes: the end user, else the session, else those of the call, else nobody in particular."""
    if event.end_user:
        return f"u:{arrivals.keyed_hash(project.uid, event.end_user)}"
    if event.voter_key:
        return f"k:{arrivals.keyed_hash(project.uid, event.voter_key)}"
    if event.session:
        return f"s:{arrivals.keyed_hash(project.uid, event.session)}"
    if event.source != FeedbackEvent.Source.PERSON:
        return ""
    if call is not None and call.end_user:
        return f"u:{call.end_user}"
    if call is not None and call.session:
        return f"s:{arrivals.keyed_hash(project.uid, call.session)}"
    return ""


def _merge(item: _Item, event: NewEvent) -> None:
    item.events += 1
    if event.kind == "thumbs" and not event.name and not event.span and event.value is not None:
        item.thumbs = int(event.value)
    if event.kind == "score" and not event.name:
        item.score = event.value
    correction = event.correction if isinstance(event.correction, str) else ""
    item.excerpt = event.comment or correction or ", ".join(event.tags) or item.excerpt
    item.has_correction |= event.correction is not None
    if event.asks_for_somebody:
        item.state = "open"


def _masked(project: Project, event: NewEvent) -> tuple[NewEvent, int]:
    """The one place where feedback's personal data is masked."""
    masker = masks.masker(project.pk)
    if not masker.is_worth_a_look(event.body):
        return event, 0
    comment, in_comment = masker.mask_text(event.comment)
    correction, in_correction = masker.mask(event.correction)
    category, in_category = masker.mask_text(event.category)
    metadata, in_metadata = masker.mask(event.metadata)
    tags = [masker.mask_text(tag) for tag in event.tags]
    session, in_session = masker.mask_text(event.session)
    if in_session:  # as the session's calls are kept
        session = arrivals.keyed_hash(project.uid, event.session)
    total = in_comment + in_correction + in_category + in_metadata + in_session + sum(count for _, count in tags)
    texts: dict[str, Any] = {"comment": comment, "correction": correction, "category": category, "metadata": metadata}
    return replace(event, **texts, session=session, tags=tuple(tag for tag, _ in tags)), total
