"""Reads about themes: the list with sizes and trends, and one theme with everything around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, ExpressionWrapper, F, IntegerField, Q, QuerySet, Value

from evals.queries import paging
from feedback.clustering import texts, trends
from feedback.models import Call, InboxItem, Theme
from feedback.queries import complaints
from llmops.common import ids
from llmops.common.errors import NotFound
from llmops.projects.models import Project

PAGE = 30
EXAMPLES = 20
MOST_LISTED = 500
MOST_VERSIONS = 12
NEWEST = 2_000  # members whose calls say which versions are touched
A_WEEK_US = 7 * 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class ThemeRow:
    """A theme with how many complaints it has and how that changes; `spark` are points for an 80 × 24 drawing."""

    theme: Theme
    size: int
    trend: trends.Trend
    versions: tuple[str, ...]

    @property
    def ref(self) -> str:
        return ref(self.theme)

    @property
    def spark(self) -> str:
        return spark([week.complaints for week in self.trend.weeks])


@dataclass(frozen=True, slots=True)
class Touched:
    """A version that complaints of a theme came from; `path` is empty for calls that named no prompt."""

    path: str
    number: int | None
    complaints: int

    @property
    def name(self) -> str:
        return (
            f"{self.path} v{self.number}" if self.path and self.number is not None else self.path or "no prompt named"
        )


@dataclass(frozen=True, slots=True)
class Example:
    """A complaint as the page shows it."""

    ref: str
    pk: int
    text: str
    question: str
    by_hand: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Sorted:
    """How many complaints there are in all, and how many have a theme."""

    complaints: int
    with_theme: int

    @property
    def without(self) -> int:
        return self.complaints - self.with_theme


def ref(theme: Theme) -> str:
    """The theme's outside id."""
    return ids.public("theme", theme.uid)


def themes_in(project: Project) -> QuerySet[Theme]:
    """The themes that were not merged into another."""
    return Theme.objects.filter(project=project, merged_into=None).select_related("project").order_by("id")


def named(project: Project) -> list[tuple[str, str]]:
    """Ref and name of each theme, by name: what a filter offers."""
    return [(ref(theme), theme.name) for theme in themes_in(project).order_by("name", "id")[:MOST_LISTED]]


def theme_in(project: Project, uid: str) -> Theme:
    """The theme, or the one that it was merged into, so that old links stay good.

    :raises NotFound: when the project has no such theme.
    """
    found = Theme.objects.filter(project=project, uid=ids.parse("theme", uid)).select_related("project").first()
    if found is None:
        raise NotFound("There is no such theme here.")
    return final(found)


def final(theme: Theme) -> Theme:
    """The theme under which this one is shown: merges are one step deep."""
    if theme.merged_into_id is None:
        return theme
    return Theme.objects.select_related("project").get(pk=theme.merged_into_id)


def cores(project: Project, of: Theme | None = None) -> dict[int, int]:
    """Every theme, merged ones too, with the one under which it is shown; by primary keys."""
    found = Theme.objects.filter(project=project)
    if of is not None:
        found = found.filter(Q(pk=of.pk) | Q(merged_into=of))
    return {pk: into or pk for pk, into in found.values_list("pk", "merged_into_id")}


def sorted_counts(project: Project) -> Sorted:
    found = complaints.negative(project).aggregate(all=Count("id"), themed=Count("theme_id"))
    return Sorted(found["all"], found["themed"])


def rows(project: Project, *, now: datetime) -> list[ThemeRow]:
    """Every theme, the largest first: seven queries, whatever the number of complaints."""
    themes = list(themes_in(project)[:MOST_LISTED])
    into = cores(project)
    sizes: dict[int, int] = {}
    counted = (
        complaints.negative(project).exclude(theme=None).order_by().values_list("theme_id").annotate(n=Count("id"))
    )
    for core, n in counted:
        sizes[into[core]] = sizes.get(into[core], 0) + n
    weekly, calls = _weekly(project, into, now), _calls(project, now)
    touched = touched_by(project, into)
    first = [week_start(project, now, index) for index in range(trends.WEEKS)]
    found = [
        ThemeRow(
            theme=theme,
            size=sizes.get(theme.pk, 0),
            trend=_trend(first, weekly.get(theme.pk, {}), calls),
            versions=tuple(one.name for one in touched.get(theme.pk, [])),
        )
        for theme in themes
    ]
    return sorted(found, key=lambda row: (-row.size, -row.trend.now.complaints, row.theme.pk))


def row(theme: Theme, *, now: datetime) -> ThemeRow:
    """One theme as the list shows it."""
    project = theme.project
    first = [week_start(project, now, index) for index in range(trends.WEEKS)]
    into = cores(project, theme)
    weekly = _weekly(project, into, now).get(theme.pk, {})
    touched = touched_by(project, into).get(theme.pk, [])
    names = tuple(one.name for one in touched)
    return ThemeRow(theme, complaints.members(theme).count(), _trend(first, weekly, _calls(project, now)), names)


def examples(theme: Theme, cursor: str = "") -> paging.Page[Example]:
    """A page of the theme's complaints, newest first: three queries."""
    found = paging.page(complaints.members(theme), order=("-feedback_us", "-id"), cursor=cursor, size=EXAMPLES)
    said = {one.item.pk: one for one in complaints.said(theme.project, found.rows)}
    return found.map(lambda item: _example(said[item.pk]))


def example_items(theme: Theme, refs: Collection[str]) -> list[InboxItem]:
    """The named members of the theme; others are left out."""
    uids = [ids.parse("item", ref) for ref in refs]
    return list(complaints.members(theme).filter(uid__in=uids).order_by("id"))


def newest_said(theme: Theme, most: int, *, whole_calls: bool = True) -> list[complaints.Said]:
    """The newest complaints of a theme with what was said."""
    items = list(complaints.members(theme).order_by("-feedback_us", "-id")[:most])
    return complaints.said(theme.project, items, whole_calls=whole_calls)


def touched_by(project: Project, into: Mapping[int, int]) -> dict[int, list[Touched]]:
    """The versions that the newest complaints of these themes (cores to shown) came from, the most touched first."""
    recent = InboxItem.objects.filter(complaints.NEGATIVE, project=project, theme__in=list(into))
    newest = recent.order_by("-feedback_us", "-id").values_list("call_client_id", "theme_id")[:NEWEST]
    theme_of = {client_id: into[core] for client_id, core in newest}
    counted: dict[int, dict[tuple[str, int | None], int]] = {}
    calls = Call.objects.filter(project=project, client_id__in=theme_of)
    for client_id, path, number in calls.values_list("client_id", "artifact_path", "version__numbered__number"):
        of_theme = counted.setdefault(theme_of[client_id], {})
        of_theme[path, number] = of_theme.get((path, number), 0) + 1
    return {
        theme: [
            Touched(path, number, n)
            for (path, number), n in sorted(of.items(), key=lambda one: (-one[1], one[0][0], -(one[0][1] or 0)))
        ][:MOST_VERSIONS]
        for theme, of in counted.items()
    }


def week_start(project: Project, now: datetime, index: int) -> date:
    """The first day of the index-th of WEEKS spans of seven days; the last one ends today."""
    today = now.astimezone(ZoneInfo(project.timezone)).date()
    return today - timedelta(days=7 * (trends.WEEKS - index) - 1)


def spark(values: Sequence[int]) -> str:
    """The points of a line in a box of 80 × 24."""
    top, step = max([*values, 1]), 80 / max(1, len(values) - 1)
    return " ".join(f"{round(step * place, 1)},{round(22 - 20 * value / top, 1)}" for place, value in enumerate(values))


def _trend(first: Sequence[date], weekly: Mapping[int, int], calls: Mapping[int, int]) -> trends.Trend:
    weeks = [trends.Week(day, weekly.get(index, 0), calls.get(index, 0)) for index, day in enumerate(first)]
    return trends.trend(weeks)


def _begin(project: Project, now: datetime) -> datetime:
    """The moment at which the first of the WEEKS begins, in whole hours."""
    day = week_start(project, now, 0)
    moment = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(project.timezone)).astimezone(UTC)
    return moment.replace(minute=0, second=0, microsecond=0)


def _weekly(project: Project, into: Mapping[int, int], now: datetime) -> dict[int, dict[int, int]]:
    """Complaints of each theme in each week, by when their newest feedback came."""
    begin = round(_begin(project, now).timestamp() * 1_000_000)
    index = ExpressionWrapper((F("feedback_us") - Value(begin)) / Value(A_WEEK_US), output_field=IntegerField())
    counted = (
        complaints.negative(project)
        .filter(theme__in=list(into), feedback_us__gte=begin)
        .annotate(week=index)
        .order_by()
        .values_list("theme_id", "week")
        .annotate(n=Count("id"))
    )
    found: dict[int, dict[int, int]] = {}
    for core, week, n in counted:
        place = min(int(week), trends.WEEKS - 1)  # the hour that a change of the clocks adds to the last week
        of_theme = found.setdefault(into[core], {})
        of_theme[place] = of_theme.get(place, 0) + n
    return found


def _calls(project: Project, now: datetime) -> dict[int, int]:
    """Logged calls of each week, from the index alone."""
    begin = int(_begin(project, now).timestamp() // 3600)
    week = ExpressionWrapper((F("hour") - Value(begin)) / Value(168), output_field=IntegerField())
    counted = (
        Call.objects.filter(project=project, hour__gte=begin)
        .annotate(week=week)
        .order_by()
        .values_list("week")
        .annotate(n=Count("id"))
    )
    found: dict[int, int] = {}
    for index, n in counted:
        place = min(int(index), trends.WEEKS - 1)
        found[place] = found.get(place, 0) + n
    return found


def _example(said: complaints.Said) -> Example:
    item = said.item
    question = texts.question(said.call.inputs) if said.call else ""
    return Example(
        ref=ids.public("item", item.uid),
        pk=item.pk,
        text=said.text or "No words",
        question=question if question != said.text else "",
        by_hand=item.theme_by_hand,
        at=item.feedback_at,
    )
