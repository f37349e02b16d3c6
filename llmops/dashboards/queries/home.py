"""Is the product all right, and what waits for me?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Q

from evals.models import Example, Run, Score
from evals.queries import runs as run_queries
from evals.statistics import quantiles
from evals.statistics.scales import Scale
from feedback import thumbs
from feedback.models import InboxItem
from feedback.queries import inbox
from feedback.queries import traffic as traffic_queries
from feedback.queries.traffic import Span
from llmops.common import ids
from llmops.dashboards.queries import versions
from llmops.gateway.models import Connection
from llmops.projects.models import Project
from prompts.models import Artifact

LATEST = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the period and of the one before, with 95 % intervals.

    `change` is this period minus the one before; `is_clear` says that its interval excludes zero. Without a value,
    `words` say why.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    change: float | None = None
    is_clear: bool = False
    n: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True)
class LatestRun:
    ref: str
    version: str
    dataset: str
    state: str
    evaluator: str
    score: str
    interval: str
    n: int
    spent_usd: float
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Steps:
    """What a new project has done of the first steps."""

    connection: bool
    prompt: bool
    examples: bool
    run: bool
    call: bool
    feedback: bool

    @property
    def done(self) -> int:
        return sum([self.connection, self.prompt, self.examples, self.run, self.call, self.feedback])

    @property
    def is_complete(self) -> bool:
        return self.done == 6


@dataclass(frozen=True, slots=True)
class Home:
    span: Span
    satisfaction: Figure
    pass_rate: Figure
    cost_per_day: Figure
    p95_ms: Figure
    calls: int
    open_items: int
    open_downs: int
    oldest_open: datetime | None
    paused_runs: int
    deployments: list[versions.Deployed]
    runs: list[LatestRun]
    steps: Steps


def home(project: Project, today: date, days: int = 7) -> Home:
    """The last `days` days, today included, against as many before."""
    zone = ZoneInfo(project.timezone)
    span = Span(today - timedelta(days=days - 1), today, zone)
    now = traffic_queries.traffic(project, span)
    before = traffic_queries.traffic(project, span.before())
    waiting = InboxItem.objects.filter(project=project, state=InboxItem.State.OPEN).aggregate(
        n=Count("id"), downs=Count("id", filter=Q(thumbs=-1))
    )
    oldest = InboxItem.objects.filter(project=project, state=InboxItem.State.OPEN).order_by("feedback_us", "id").first()
    total, earlier = now.total(), before.total()
    return Home(
        span=span,
        satisfaction=_satisfaction(total.satisfaction, earlier.satisfaction),
        pass_rate=_pass_rate(project, span),
        cost_per_day=_cost(now, before),
        p95_ms=_latency(total.latency, earlier.latency),
        calls=total.calls,
        open_items=waiting["n"],
        open_downs=waiting["downs"],
        oldest_open=oldest.feedback_at if oldest else None,
        paused_runs=Run.objects.filter(project=project, state=Run.State.PAUSED).count(),
        deployments=versions.latest_deployed(project, LATEST),
        runs=_latest_runs(project),
        steps=_steps(project),
    )


def _satisfaction(now: thumbs.Satisfaction, before: thumbs.Satisfaction) -> Figure:
    if now.shown == "count":
        words = f"{now.all_ups:,} up, {now.all_votes - now.all_ups:,} down" if now.all_votes else "no votes yet"
        return Figure(n=now.all_votes, words=words)
    known = before if before.shown != "count" else None
    return _compared((now.rate, now.low, now.high), (known.rate, known.low, known.high) if known else None, n=now.votes)


def _pass_rate(project: Project, span: Span) -> Figure:
    now, before = (_verdicts(project, part) for part in (span, span.before()))
    if now.rate is None or now.low is None:
        return Figure(n=now.votes, words="no finished runs with a verdict" if not now.votes else f"{now.ups} passed")
    return _compared(
        (now.rate, now.low, now.high),
        (before.rate, before.low, before.high) if before.low is not None else None,
        n=now.votes,
    )


def _verdicts(project: Project, span: Span) -> thumbs.Satisfaction:
    """Passed among all verdicts of the runs that finished in the span; one example's verdicts are one cluster."""
    first, end = (datetime.fromtimestamp(hour * 3600, span.zone) for hour in span.hours)
    rows = (
        Score.objects.filter(
            project=project,
            run__state=Run.State.DONE,
            run__finished_at__gte=first,
            run__finished_at__lt=end,
            passed__isnull=False,
        )
        .order_by()
        .values_list("result__example_key")
        .annotate(passed_n=Count("id", filter=Q(passed=True)), n=Count("id"))
    )
    return thumbs.satisfaction([(passed, n) for _, passed, n in rows])


def _cost(now: traffic_queries.Traffic, before: traffic_queries.Traffic) -> Figure:
    """Mean cost per day with Student's t interval over the days."""
    intervals = []
    for found in (now, before):
        costs = [sums.cost_usd for sums in found.by_day().values()]
        priced = found.total().costed
        intervals.append(_mean(costs) if priced else None)
    current, earlier = intervals
    if current is None:
        return Figure(words="no priced calls yet")
    return _compared(current, earlier, n=now.total().costed)


def _mean(values: list[float]) -> tuple[float, float, float]:
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return mean, mean, mean
    error = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    half = quantiles.student(0.95, n - 1) * error
    return mean, max(mean - half, 0.0), mean + half


def _latency(now: traffic_queries.Percentiles | None, before: traffic_queries.Percentiles | None) -> Figure:
    if now is None:
        return Figure(words="no timed calls yet")
    earlier = (before.p95, before.p95_low, before.p95_high) if before else None
    return _compared((now.p95, now.p95_low, now.p95_high), earlier, n=now.n)


Interval = tuple[float | None, float | None, float | None]


def _compared(now: Interval, before: Interval | None, *, n: int) -> Figure:
    value, low, high = now
    if value is None or low is None or high is None:
        return Figure(n=n, words="not known yet")
    if before is None or before[0] is None or before[1] is None or before[2] is None:
        return Figure(value=value, low=low, high=high, n=n)
    change, change_low, change_high = thumbs.difference(value, low, high, before[0], before[1], before[2])
    is_clear = change_low > 0 or change_high < 0
    return Figure(value, low, high, before[0], change, is_clear, n)


def _latest_runs(project: Project) -> list[LatestRun]:
    runs = (
        Run.objects.filter(project=project)
        .select_related("target__artifact", "target__numbered", "dataset_version__dataset")
        .order_by("-id")[:LATEST]
    )
    scales = run_queries.scales_of(runs)
    return [_run(run, scales) for run in runs]


def _run(run: Run, scales: Mapping[int, Scale]) -> LatestRun:
    main = next(iter(versions.scores_of(run, scales)), None)
    return LatestRun(
        ref=ids.public("run", run.uid),
        version=versions.target_name(run),
        dataset=f"{run.dataset_version.dataset.name} v{run.dataset_version.number}",
        state=run.state,
        evaluator=main.evaluator if main else "",
        score=main.scale.shown(main.mean) if main else "",
        interval=main.scale.interval(main.low, main.high) if main else "",
        n=main.n if main else 0,
        spent_usd=float(run.spent_usd),
        created_at=run.created_at,
    )


def _steps(project: Project) -> Steps:
    return Steps(
        connection=Connection.objects.filter(project=project).exclude(kind="demo").exists(),
        prompt=Artifact.objects.live().filter(project=project).exists(),
        examples=Example.objects.filter(project=project, dataset__archived_at=None).exists(),
        run=Run.objects.filter(project=project).exists(),
        call=traffic_queries.has_calls(project),
        feedback=inbox.has_any(project),
    )
