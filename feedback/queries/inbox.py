"""Reads of the feedback inbox: its rows by filter, in pages that cost the same wherever they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from evals.queries import paging
from feedback.models import Call, FeedbackEvent, InboxItem, ItemTag, Theme
from feedback.queries import complaints
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project

ORDER = ("-feedback_us", "-id")
PAGE = 30
COUNTED = 1_000  # beyond this, a page says “1,000+”: counting a million rows is what would be slow
SUGGESTED_FROM = 300
TONES = {1: ("good", "thumbs-up", "Thumbs up"), -1: ("bad", "thumbs-down", "Thumbs down")}
VERDICTS = {
    "down": Q(thumbs=-1),
    "up": Q(thumbs=1),
    "correction": Q(has_correction=True),
    "none": Q(thumbs=None),
}


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What the inbox shows; empty means everything. Days are those of the project's time zone.

    A new filter is a field here, its line in `_conditions`, and its field in `feedback.forms.inbox.Narrow`.
    """

    state: str = ""
    verdict: str = ""
    prompt: str = ""
    version: int | None = None
    model: str = ""
    tag: str = ""
    since: date | None = None
    until: date | None = None
    text: str = ""
    assignee: int | None = None
    needs_label: bool = False
    theme: UUID | None = None  # with those merged into it


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the inbox. `origin` says which prompt and version the call came from."""

    ref: str
    tone: str
    glyph: str
    said: str
    title: str
    origin: str
    state: str
    needs_label: bool
    assignee: str
    tags: list[str]
    events: int
    feedback_at: datetime


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Models and tags of the newest items, for the filter's fields."""

    models: list[str]
    tags: list[str]


def items(project: Project, narrowed: InboxFilter) -> QuerySet[InboxItem]:
    """The inbox's items by filter; without an order, which paging sets."""
    found = InboxItem.objects.filter(project=project)
    for condition in _conditions(project, narrowed):
        found = found.filter(condition)
    return found


def _conditions(project: Project, narrowed: InboxFilter) -> Iterable[Q]:
    if narrowed.state:
        yield Q(state=narrowed.state)
    if narrowed.verdict:
        yield VERDICTS[narrowed.verdict]
    if narrowed.prompt:
        yield Q(artifact_path=narrowed.prompt)
    if narrowed.version is not None:
        yield Q(version_number=narrowed.version)
    if narrowed.model:
        yield Q(model=narrowed.model)
    if narrowed.tag:
        tagged = ItemTag.objects.filter(project=project, tag=narrowed.tag)
        yield Q(pk__in=tagged.values("item_id"))
    if narrowed.assignee is not None:
        yield Q(assignee_id=narrowed.assignee)
    if narrowed.needs_label:
        yield Q(needs_label=True)
    if narrowed.theme is not None:
        yield Q(theme__in=_cores(project, narrowed.theme))
        yield complaints.NEGATIVE  # who changed their mind has left the theme
    if narrowed.text:
        said = FeedbackEvent.objects.filter(
            project=project, call_client_id=OuterRef("call_client_id"), comment__icontains=narrowed.text
        )
        yield Q(excerpt__icontains=narrowed.text) | Q(Exists(said))
    yield from _days(ZoneInfo(project.timezone), narrowed)


def _cores(project: Project, theme: UUID) -> QuerySet:
    """The theme and those merged into it; of one that was merged, those of the theme that it is shown under."""
    shown = Theme.objects.filter(project=project).annotate(shown=Coalesce("merged_into_id", "pk"))
    return shown.filter(shown=shown.filter(uid=theme).values("shown")[:1]).values("pk")


def _days(zone: ZoneInfo, narrowed: InboxFilter) -> Iterable[Q]:
    """The days as microseconds, so that the index which orders the page also cuts it."""
    if narrowed.since:
        yield Q(feedback_us__gte=_microseconds(narrowed.since, zone))
    if narrowed.until and narrowed.until < date.max:
        yield Q(feedback_us__lt=_microseconds(narrowed.until + timedelta(days=1), zone))


def _microseconds(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1_000_000


def page_of_items(
    project: Project, narrowed: InboxFilter, cursor: str = "", size: int = PAGE
) -> paging.Page[InboxItem]:
    """One page of items, newest feedback first, with their tags: two queries."""
    rows = items(project, narrowed).select_related("assignee").prefetch_related("tags")
    try:
        return paging.page(rows, order=ORDER, cursor=cursor, size=size)
    except ValueError:  # a cursor that nobody made, with words where numbers belong
        return paging.page(rows, order=ORDER, size=size)


def page(project: Project, narrowed: InboxFilter, cursor: str = "") -> paging.Page[Row]:
    """One page of the inbox as it is shown: three queries."""
    found = page_of_items(project, narrowed, cursor, PAGE)
    origins = _origins(project, [item.call_client_id for item in found.rows])
    return found.map(lambda item: _row(item, origins.get(item.call_client_id, "")))


def open_shown(project: Project) -> str:
    """How many items are open, in words: `7`, or `1,000+`."""
    found = InboxItem.objects.filter(project=project, state=InboxItem.State.OPEN).order_by()[: COUNTED + 1].count()
    return f"{COUNTED:,}+" if found > COUNTED else f"{found:,}"


def has_any(project: Project) -> bool:
    return InboxItem.objects.filter(project=project).exists()


def suggestions(project: Project) -> Suggestions:
    """What the filter's fields offer, from the newest items: two queries of a fixed cost."""
    newest = list(
        InboxItem.objects.filter(project=project).order_by(*ORDER).values_list("pk", "model")[:SUGGESTED_FROM]
    )
    tags = ItemTag.objects.filter(item__in=[pk for pk, _ in newest]).order_by().values_list("tag", flat=True)
    return Suggestions(sorted({model for _, model in newest if model}), sorted(set(tags)))


def neighbours(project: Project, narrowed: InboxFilter, item: InboxItem) -> tuple[str | None, str | None]:
    """The refs of the items before and after this one in the filtered inbox."""
    found = items(project, narrowed)
    newer = Q(feedback_us__gt=item.feedback_us) | Q(id__gt=item.pk)
    older = Q(feedback_us__lt=item.feedback_us) | Q(id__lt=item.pk)
    newer_rows = found.filter(newer, feedback_us__gte=item.feedback_us).order_by("feedback_us", "id")
    older_rows = found.filter(older, feedback_us__lte=item.feedback_us).order_by(*ORDER)
    before, after = (rows.values_list("uid", flat=True).first() for rows in (newer_rows, older_rows))
    return _ref(before), _ref(after)


def _ref(uid: UUID | None) -> str | None:
    return ids.public("item", uid) if uid else None


def item_in(project: Project, ref: str) -> InboxItem:
    """:raises NotFound: when the project has no such item."""
    item = InboxItem.objects.select_related("assignee").filter(project=project, uid=ids.parse("item", ref)).first()
    if item is None:
        raise NotFound("There is no such item in this inbox.")
    return item


def items_named(project: Project, refs: Sequence[str]) -> list[InboxItem]:
    """The items of these refs; refs that name nothing here are left out."""
    uids = []
    for ref in refs:
        try:
            uids.append(ids.parse("item", ref))
        except NotFound:
            continue
    return list(InboxItem.objects.filter(project=project, uid__in=uids).order_by("pk"))


def calls_of(project: Project, found: Sequence[InboxItem]) -> dict[int, Call]:
    """The call of each item that has one, by the item's primary key: one query."""
    calls = Call.objects.filter(project=project, client_id__in=[item.call_client_id for item in found]).order_by("id")
    by_name = {call.client_id: call for call in calls.defer("trace", "metadata")}
    return {item.pk: by_name[item.call_client_id] for item in found if item.call_client_id in by_name}


def corrections_of(project: Project, found: Sequence[InboxItem]) -> dict[str, object]:
    """The newest correction of each call that has one, by the call's client id: one query."""
    names = [item.call_client_id for item in found if item.has_correction]
    events = FeedbackEvent.objects.filter(project=project, call_client_id__in=names, correction__isnull=False)
    return dict(events.order_by("id").values_list("call_client_id", "correction"))


def _row(item: InboxItem, origin: str) -> Row:
    tone, glyph, said = TONES.get(item.thumbs or 0, ("neutral", "message-square", ""))
    if item.has_correction and item.thumbs is None:
        tone, glyph = "accent", "pencil"
    return Row(
        ref=ids.public("item", item.uid),
        tone=tone,
        glyph=glyph,
        said=said or (f"Score {item.score:g}" if item.score is not None else ""),
        title=item.excerpt or ("No reason given" if item.thumbs == -1 else "No words"),
        origin=origin,
        state=item.get_state_display() if item.state != InboxItem.State.OPEN else "",
        needs_label=item.needs_label,
        assignee=str(item.assignee) if item.assignee else "",
        tags=[row.tag for row in item.tags.all() if row.source != ItemTag.Source.CALL][:4],
        events=item.events,
        feedback_at=item.feedback_at,
    )


def _origins(project: Project, client_ids: list[str]) -> dict[str, str]:
    rows = (
        Call.objects.filter(project=project, client_id__in=client_ids)
        .annotate(number=F("version__numbered__number"))
        .values_list("client_id", "artifact_path", "number", "model")
    )
    return {client_id: origin(path, number, model) for client_id, path, number, model in rows}


def origin(path: str, number: int | None, model: str) -> str:
    """Which prompt, version and model a call came from, in one line."""
    prompt = f"{path} v{number}" if path and number is not None else path
    return ", ".join(part for part in (prompt, model) if part)
