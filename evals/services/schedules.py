"""Schedules: what runs by itself, when it is due, and what it started."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from evals import timetable
from evals.models import DatasetVersion, Run, Schedule, ScheduleStart
from evals.queries import evaluators as evaluator_queries
from evals.services import named_runs, run_estimates, runs, sign_offs
from llmops.accounts.models import User
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import DomainError, Invalid
from llmops.projects.models import Membership, Project
from llmops.projects.services import notifications

logger = logging.getLogger(__name__)

GONE = "gone"
BUSY = "The run before was still at work."


@dataclass(frozen=True, slots=True)
class Planned:
    """What somebody wants to run by itself: `wanted` as `named_runs.wanted` takes it."""

    name: str
    wanted: Mapping[str, Any]
    cron: str = ""
    time_zone: str = "UTC"
    on_change: Sequence[str] = field(default_factory=tuple)
    sign_off_by: User | None = None


@transaction.atomic
def create(*, project: Project, planned: Planned, by: Actor, now: datetime, enabled: bool = True) -> Schedule:
    """:raises Invalid: naming each field that is not acceptable."""
    schedule = Schedule(
        project=project, by=by.text, by_user_id=by.user_id, created_at=now, enabled=enabled,
        **_checked(project, planned),
    )  # fmt: skip
    _look(schedule, now)
    schedule.save()
    audit.record("schedule.created", by=by, target=schedule, text=schedule.name)
    return schedule


@transaction.atomic
def edit(*, schedule: Schedule, planned: Planned, by: Actor, now: datetime) -> Schedule:
    """Replace everything of it; sign-offs that are still awaited go to the person that it names now.

    :raises Invalid: as `create` does.
    """
    row = Schedule.objects.select_for_update(of=("self",)).select_related("project").get(pk=schedule.pk)
    for name, value in _checked(row.project, planned).items():
        setattr(row, name, value)
    _look(row, now)
    row.save()
    sign_offs.hand_over(schedule=row, now=now)
    audit.record("schedule.edited", by=by, target=row, text=row.name)
    return row


@transaction.atomic
def switch(*, schedule: Schedule, enabled: bool, by: Actor, now: datetime) -> Schedule:
    """Pause, or go on: what was due meanwhile is not made up for."""
    row = Schedule.objects.select_for_update(of=("self",)).select_related("project").get(pk=schedule.pk)
    if row.enabled != enabled:
        row.enabled = enabled
        _look(row, now)
        row.save()
        if enabled:
            audit.record("schedule.enabled", by=by, target=row, text=row.name)
        else:
            audit.record("schedule.paused", by=by, target=row, text=row.name)
    return row


@transaction.atomic
def remove(*, schedule: Schedule, by: Actor) -> None:
    """Its runs stay."""
    audit.record("schedule.removed", by=by, target=schedule, text=schedule.name)
    schedule.delete()


def start_due(*, now: datetime) -> int:
    """Start what is due or saw a change; safe to run at any time and twice at once. Returns how many runs it started.

    What was due several times while nothing ticked starts once.
    """
    due = Schedule.objects.filter(enabled=True, project__deleted_at=None)
    due = due.filter(Q(next_due_at__lte=now) | ~Q(on_change=[]))
    started = 0
    for pk in list(due.order_by("next_due_at", "pk").values_list("pk", flat=True)):
        try:
            started += _start(pk, now)
        except Exception:  # one schedule that cannot be started must not hold up the others
            logger.exception("schedules.start_failed", extra={"schedule": pk})
    return started


@transaction.atomic
def _start(pk: int, now: datetime) -> bool:
    """The row of the due time and its run stand or fall together."""
    rows = Schedule.objects.select_for_update(skip_locked=True, of=("self",)).select_related("project")
    schedule = rows.filter(pk=pk, enabled=True).first()
    if schedule is None:
        return False
    is_due = schedule.next_due_at is not None and schedule.next_due_at <= now
    changed = _changed(schedule)
    busy = _is_busy(schedule)
    if not is_due and (not changed or busy):
        return False  # a change that comes while a run is at work is seen again when that one is over
    if is_due:
        assert schedule.next_due_at is not None
        slot, cause = schedule.next_due_at.isoformat(timespec="seconds"), "due"
    else:
        schedule.changes += 1
        slot, cause = f"change {schedule.changes}", ", ".join(changed)
    start, is_new = ScheduleStart.objects.get_or_create(
        schedule=schedule, slot=slot, defaults={"project_id": schedule.project_id, "cause": cause, "at": now}
    )
    if is_new:
        _fill(start, schedule, now, busy=busy)
    seen = schedule.seen
    _look(schedule, now)
    if busy:
        schedule.seen = seen
    schedule.save(update_fields=["next_due_at", "seen", "changes"])
    return is_new and start.run_id is not None


def _fill(start: ScheduleStart, schedule: Schedule, now: datetime, *, busy: bool) -> None:
    if busy:
        start.problem = BUSY
    else:
        by = Actor(kind="system", id=None, text=f"schedule {schedule.name}", user_id=schedule.by_user_id)
        try:
            with transaction.atomic():
                wanted = named_runs.wanted(schedule.project, schedule.wanted)
                start.run = runs.start(project=schedule.project, wanted=wanted, by=by, now=now)
                sign_offs.demand(run=start.run, schedule=schedule)
        except DomainError as error:
            start.run = None
            start.problem = f"{error.message} {'; '.join(error.fields.values())}".strip()[:500]
            _tell(schedule, start.problem, now)
    start.save(update_fields=["run", "problem"])


def _tell(schedule: Schedule, problem: str, now: datetime) -> None:
    people = [one for one in (schedule.by_user_id, schedule.sign_off_by_id) if one is not None]
    url = reverse("evals:schedule-detail", args=[schedule.project.slug, ids.public("sch", schedule.uid)])
    text = f"The schedule {schedule.name} could not start its run: {problem}"
    notifications.notify(project=schedule.project, users=people, kind="schedule_failed", text=text, url=url, now=now)


def _is_busy(schedule: Schedule) -> bool:
    last = schedule.starts.filter(run__isnull=False).order_by("-pk").select_related("run").first()
    return last is not None and last.run is not None and last.run.state in Run.ACTIVE


def _look(schedule: Schedule, now: datetime) -> None:
    """Set when it is due next, and remember how the things are that it watches."""
    schedule.next_due_at = timetable.next_due(schedule.cron, schedule.time_zone, now) if schedule.cron else None
    schedule.seen = _fingerprint(schedule)


def _changed(schedule: Schedule) -> list[str]:
    if not schedule.on_change:
        return []
    now = _fingerprint(schedule)
    return [name for name in schedule.on_change if now.get(name) != schedule.seen.get(name)]


def _fingerprint(schedule: Schedule) -> dict[str, str]:
    """What each watched thing is now. A dataset changes when a version of it is saved, not with every edit."""
    looks = {"dataset": _dataset, "label": _label, "judge": _judges}
    return {name: looks[name](schedule.project, schedule.wanted) for name in schedule.on_change}


def _dataset(project: Project, wanted: Mapping[str, Any]) -> str:
    versions = DatasetVersion.objects.filter(
        dataset__project=project, dataset__slug=wanted["dataset"], dataset__archived_at=None, sealed_at__isnull=False
    )
    return versions.order_by("-number").values_list("content_hash", flat=True).first() or GONE


def _label(project: Project, wanted: Mapping[str, Any]) -> str:
    try:
        found = named_runs.version_of(project, wanted.get("prompt", ""), wanted.get("version"), wanted.get("label", ""))
    except DomainError:
        return GONE
    return str(found.uid)


def _judges(project: Project, wanted: Mapping[str, Any]) -> str:
    found = []
    for one in wanted["evaluators"]:
        try:
            if isinstance(one, str):
                found.append(evaluator_queries.newest_version(project, one).spec_hash)
            elif judge := one.get("judge"):
                version = named_runs.version_of(project, judge["prompt"], judge.get("version"), judge.get("label", ""))
                found.append(str(version.uid))
        except DomainError:
            found.append(GONE)
    return " ".join(found)


def _checked(project: Project, planned: Planned) -> dict[str, Any]:
    wrong: dict[str, str] = {}
    if not 0 < len(planned.name.strip()) <= 120:
        wrong["name"] = "1 to 120 characters"
    if planned.cron:
        try:
            timetable.next_due(planned.cron, planned.time_zone, datetime.now().astimezone())
        except Invalid as error:
            wrong |= error.fields
    elif not planned.on_change:
        wrong["cron"] = "give a cron line, or what to watch for changes"
    if set(planned.on_change) - set(Schedule.Change.values):
        wrong["on_change"] = f"some of {', '.join(Schedule.Change.values)}"
    if planned.sign_off_by and not Membership.objects.filter(project=project, user=planned.sign_off_by).exists():
        wrong["sign_off_by"] = "no member of this project"
    if not wrong.get("on_change") and "label" in planned.on_change and planned.wanted.get("version") is not None:
        wrong["on_change"] = "a version with a number never changes: name a label"
    try:
        run_estimates.estimate(project=project, wanted=named_runs.wanted(project, planned.wanted), by=SYSTEM)
    except DomainError as error:
        wrong |= {f"run.{name}": reason for name, reason in error.fields.items()} or {"run": error.message}
    if wrong:
        raise Invalid("The schedule is not acceptable.", fields=wrong)
    return {
        "name": planned.name.strip(), "cron": planned.cron, "time_zone": planned.time_zone,
        "wanted": named_runs.kept(planned.wanted), "on_change": sorted(set(planned.on_change)),
        "sign_off_by": planned.sign_off_by,
    }  # fmt: skip
