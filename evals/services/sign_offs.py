"""A named person's word on a finished run."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.urls import reverse

from evals.models import Run, Schedule, SignOff
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Forbidden, Invalid, NotFound
from llmops.projects.services import notifications

LONGEST_NOTE = 2_000


def demand(*, run: Run, schedule: Schedule) -> None:
    """From now on the run waits for the word of the schedule's person; nothing where it names none."""
    if schedule.sign_off_by_id is not None:
        SignOff.objects.create(project_id=run.project_id, run=run, schedule=schedule, person_id=schedule.sign_off_by_id)


def ask(*, run: Run, now: datetime) -> int | None:
    """Tell the person that the run is ready to be signed off; returns whom, None when nobody is awaited."""
    waiting = SignOff.objects.filter(run=run, state=SignOff.State.WAITING, person__isnull=False).first()
    if waiting is None or waiting.person_id is None:
        return None
    notifications.notify(
        project=run.project,
        users=[waiting.person_id],
        kind="sign_off_wanted",
        text=f"The run over {run.dataset_version.dataset.slug} is done and waits for your sign-off.",
        url=reverse("evals:run-detail", args=[run.project.slug, ids.public("run", run.uid)]),
        now=now,
    )
    return waiting.person_id


@transaction.atomic
def decide(*, run: Run, accept: bool, by: Actor, now: datetime, note: str = "") -> SignOff:
    """Record the person's word, once.

    :raises NotFound: when the run waits for nobody.
    :raises Forbidden: for anybody but the named person.
    :raises Conflict: while the run is at work, or when the word was given before.
    """
    row = SignOff.objects.select_for_update(of=("self",)).select_related("person").filter(run=run).first()
    if row is None:
        raise NotFound("Nobody has to sign off this run.")
    if row.person_id is None or by.user_id != row.person_id:
        who = (
            row.person.name or row.person.email if row.person else "somebody who has left; name another in the schedule"
        )
        raise Forbidden(f"Only the named person may sign off: {who}.")
    if len(note) > LONGEST_NOTE:
        raise Invalid("The note is too long.", fields={"note": f"at most {LONGEST_NOTE:,} characters"})
    if row.state != SignOff.State.WAITING:
        raise Conflict(f"This run was {row.state} already.", code="decided")
    if not Run.objects.filter(pk=run.pk, state__in=Run.FINISHED).exists():
        raise Conflict("The run is still at work.", code="not_finished")
    row.state = SignOff.State.ACCEPTED if accept else SignOff.State.REJECTED
    row.note, row.by, row.decided_at = note, by.text[:255], now
    row.save(update_fields=["state", "note", "by", "decided_at"])
    if accept:
        audit.record("run.sign_off_accepted", by=by, target=run, note=note[:500])
    else:
        audit.record("run.sign_off_rejected", by=by, target=run, note=note[:500])
    return row


def hand_over(*, schedule: Schedule, now: datetime) -> None:
    """What is still awaited from the person before is asked of the schedule's person of now."""
    open_ones = SignOff.objects.filter(schedule=schedule, state=SignOff.State.WAITING)
    moved = list(open_ones.exclude(person=schedule.sign_off_by).select_related("run__dataset_version__dataset"))
    open_ones.update(person=schedule.sign_off_by)
    for row in moved:
        if row.run.is_finished:
            ask(run=row.run, now=now)
