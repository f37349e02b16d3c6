"""Schedules and what they started, and the sign-off that a run waits for."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery

from evals.models import Run, Schedule, ScheduleStart, SignOff
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.errors import Invalid, NotFound
from llmops.projects.models import Membership, Project


def schedules_in(project: Project) -> QuerySet[Schedule]:
    """The project's schedules, newest first, each with when it last started something and with what problem."""
    last = ScheduleStart.objects.filter(schedule=OuterRef("pk")).order_by("-pk")
    return (
        Schedule.objects.filter(project=project)
        .select_related("sign_off_by", "project")
        .annotate(last_at=Subquery(last.values("at")[:1]), last_problem=Subquery(last.values("problem")[:1]))
        .order_by("-id")
    )


def schedule_in(project: Project, uid: str) -> Schedule:
    """:raises NotFound: when the project has no such schedule."""
    found = schedules_in(project).filter(uid=ids.parse("sch", uid)).first()
    if found is None:
        raise NotFound("There is no such schedule here.")
    return found


def starts_of(schedule: Schedule, most: int = 25) -> list[ScheduleStart]:
    """What it started last, newest first."""
    return list(schedule.starts.select_related("run__sign_off").order_by("-pk")[:most])


def sign_off_of(run: Run) -> SignOff | None:
    return SignOff.objects.filter(run=run).select_related("person", "schedule").first()


def members_of(project: Project) -> list[User]:
    """Who can be named to sign off."""
    rows = Membership.objects.filter(project=project, user__is_active=True).select_related("user")
    return [row.user for row in rows.order_by("user__email")]


def member_in(project: Project, email: str) -> User | None:
    """The member with this address; None for an empty one.

    :raises Invalid: when no member has it.
    """
    if not email:
        return None
    row = Membership.objects.filter(project=project, user__email__iexact=email).select_related("user").first()
    if row is None:
        raise Invalid("The schedule is not acceptable.", fields={"sign_off_by": "no member has this address"})
    return row.user
