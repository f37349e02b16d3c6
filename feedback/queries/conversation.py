"""One call as people read it: the conversation around it, its contexts and steps, what was said, what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from feedback.models import Call, FeedbackEvent, InboxItem, ItemTag
from feedback.models.call import SEPARATOR
from feedback.queries import inbox, made_examples, reading
from feedback.queries.made_examples import InDataset
from feedback.queries.reading import Context, Span, Turn, shown
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project
from prompts import diffing

SESSION_CALLS = 20
MOST_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Said:
    """One feedback event as the page shows it."""

    tone: str
    glyph: str
    what: str
    comment: str
    correction: str
    tags: list[str]
    voter: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class OpenCall:
    """The page of one call: the item (absent when nobody said anything), the call (absent until it arrives).

    `earlier` and `later` are refs of the calls before and after it in its session. `diff` leads from the answer to the
    newest correction, line by line.
    """

    ref: str
    title: str
    item: InboxItem | None
    call: Call | None
    origin: str
    version_number: int | None
    turns: list[Turn]
    inputs: list[tuple[str, str]]
    contexts: list[Context]
    spans: list[Span]
    trace: str
    said: list[Said] = field(default_factory=list)
    correction: str = ""
    correction_is_json: bool = False
    diff: tuple[diffing.Line, ...] = ()
    earlier: str = ""
    later: str = ""
    examples: list[InDataset] = field(default_factory=list)
    tags: list[ItemTag] = field(default_factory=list)


def call_in(project: Project, ref: str) -> tuple[InboxItem | None, Call | None]:
    """The item and the call behind an `item_…` or `call_…` reference; at least one of the two.

    :raises NotFound: when the project has neither.
    """
    calls = Call.objects.filter(project=project).select_related("version__numbered")
    if ref.startswith("call_"):
        call = calls.filter(uid=ids.parse("call", ref)).first()
        if call is None:
            raise NotFound("There is no such call here.")
        item = InboxItem.objects.select_related("assignee").filter(project=project, call_client_id=call.client_id)
        return item.first(), call
    item_of = inbox.item_in(project, ref)
    return item_of, calls.filter(client_id=item_of.call_client_id).order_by("-id").first()


def opened(project: Project, ref: str) -> OpenCall:
    """Everything the page of one call shows: at most eight queries.

    :raises NotFound: when the project has no such item or call.
    """
    item, call = call_in(project, ref)
    client_id = item.call_client_id if item else call.client_id if call else ""
    events = events_of(project, client_id)
    number = _number(call)
    correction = next((event.correction for event in events if event.correction is not None), None)
    before, after = _session(project, call)
    return OpenCall(
        ref=ref,
        title=(item.excerpt if item else "") or (_said(events[0]).what if events else "Logged call"),
        item=item,
        call=call,
        origin=inbox.origin(call.artifact_path, number, call.model) if call else "",
        version_number=number,
        turns=_turns(before, call, after) if call else [],
        inputs=reading.inputs_of(call) if call else [],
        contexts=reading.contexts_of(call) if call else [],
        spans=reading.spans(call.trace) if call else [],
        trace=shown(call.trace) if call and call.trace else "",
        said=[_said(event) for event in events],
        correction="" if correction is None else shown(correction),
        correction_is_json=not isinstance(correction, str | None),
        diff=_diff(call, correction),
        earlier=ids.public("call", before[-1].uid) if before else "",
        later=ids.public("call", after[0].uid) if after else "",
        examples=made_examples.of_call(project, call.uid) if call else [],
        tags=list(item.tags.order_by("id")) if item else [],
    )


def events_of(project: Project, call_client_id: str) -> list[FeedbackEvent]:
    """What was said about a call, newest first, at most MOST_EVENTS."""
    events = FeedbackEvent.objects.filter(project=project, call_client_id=call_client_id)
    return list(events.order_by("-id")[:MOST_EVENTS])


def _diff(call: Call | None, correction: object) -> tuple[diffing.Line, ...]:
    if call is None or correction is None or call.output is None:
        return ()
    return diffing.lines(shown(call.output), shown(correction))


def _number(call: Call | None) -> int | None:
    numbered = getattr(call.version, "numbered", None) if call and call.version_id else None
    return numbered.number if numbered else None


def _session(project: Project, call: Call | None) -> tuple[list[Call], list[Call]]:
    """The calls before and after this one in its session, oldest first."""
    if call is None or not call.session:
        return [], []
    calls = Call.objects.filter(project=project, session=call.session).defer("trace", "contexts", "metadata")
    before = list(calls.filter(id__lt=call.pk).order_by("-id")[:SESSION_CALLS])
    after = list(calls.filter(id__gt=call.pk).order_by("id")[:SESSION_CALLS])
    return before[::-1], after


def _turns(before: list[Call], call: Call, after: list[Call]) -> list[Turn]:
    """The conversation around the call. A call that carries its own history is not told what came before."""
    earlier = [] if reading.has_history(call) else before
    turns = [turn for one in earlier for turn in reading.turns_of(one)]
    turns += reading.turns_of(call, is_answer=True)
    later = [] if any(reading.has_history(one) for one in after) else after
    return turns + [turn for one in later for turn in reading.turns_of(one, is_later=True)]


def _said(event: FeedbackEvent) -> Said:
    tone, glyph, what = "neutral", "message-square", "Comment"
    if event.kind == "thumbs":
        tone, glyph, what = inbox.TONES[int(event.value or 0)]
    elif event.kind == "score":
        glyph, what = "gauge", f"Score {event.value:g}"
    elif event.kind == "correction":
        tone, glyph, what = "accent", "pencil", "Correction"
    elif event.kind == "tags":
        glyph, what = "tag", "Tags"
    return Said(
        tone=tone,
        glyph=glyph,
        what=what,
        comment=event.comment,
        correction="" if event.correction is None else shown(event.correction),
        tags=[tag for tag in event.tags.split(SEPARATOR) if tag],
        voter=_voter(event.voter),
        received_at=event.received_at,
    )


def _voter(voter: str) -> str:
    kinds = {"u:": "user", "s:": "session"}
    return f"{kinds[voter[:2]]} {voter[2:8]}…" if voter[:2] in kinds else "somebody"
