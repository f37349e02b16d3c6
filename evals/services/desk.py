"""The engine's database side: take up items, store outcomes, hand back. One thread, short transactions, batches.

Whoever holds the newest fence of a leased item may finish it; late writes of others are refused and counted.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from django.db import connections, transaction
from django.db.models import Q

from evals.engine import Claimed, Finished, Ticket, Want, shares
from evals.engine.window import ahead
from evals.models import TARGET, Run, WorkerSlice, WorkItem
from evals.services import (
    leases,
    outcomes,
    plans,
    recorded_outputs,
    run_jobs,
    run_states,
    scoring,
    stopping,
    storing,
    worker_slices,
)
from evals.services.calling import Answered, Call, Failed, Job, Switchboard, circuits_closed
from evals.services.isolation import DATABASE_AWAY, Wards
from evals.services.outcomes import Rows
from evals.services.plans import On, RunPlan
from evals.services.worker_slices import database_now
from llmops.common import text
from llmops.common.errors import DomainError

logger = logging.getLogger(__name__)

START_WITHIN_S = 25.0  # a call takes at most 60 s and must end inside the lease
SHARINGS = 2
DATABASE_TRIES = 6
LOOK_EVERY_S = 1.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Taken:
    """Calls to make, for how many leased items, and whether there was something to store at once."""

    tickets: Sequence[Ticket] = ()
    items: int = 0
    worked: bool = False


class RunsDesk:
    """`evals.engine.Desk` over the tables of runs."""

    def __init__(self, switchboard: Switchboard) -> None:
        self.switchboard = switchboard
        self.uid = uuid.uuid4()
        self.plans: dict[int, RunPlan] = {}
        self.held: dict[int, Job] = {}
        self.paused: set[int] = set()
        self.wards = Wards()
        self.live_slices = 1
        self.is_unsure = False  # items may be leased to this slice that it does not know of
        self.look_at: dict[int, float] = {}

    def claim(self, holding: Mapping[int, int]) -> Claimed:
        return _persistent(lambda: self._claim(holding))

    def _claim(self, holding: Mapping[int, int]) -> Claimed:
        if self.is_unsure:
            leases.release_unknown(self.uid, self.held.keys())
            self.is_unsure = False
        with self._all_or_nothing():
            return self._claimed(holding)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What was taken up before an error never becomes a ticket: forget it now, and release it at the next claim."""
        known = set(self.held)
        try:
            yield
        except BaseException:
            self.held = {item: job for item, job in self.held.items() if item in known}
            self.is_unsure = True
            raise

    def _claimed(self, holding: Mapping[int, int]) -> Claimed:
        active = self._active()
        worked = False
        for run in active:
            if run.early_stop:
                self._alone(run, self._look, None)
            # Recorded outputs need no call: they are scored here and now, in big batches.
            if self.plans[run.pk].target is None:
                worked = self._alone(run, lambda run: recorded_outputs.score(run, self.plans[run.pk]), False) or worked
        found = self._shared_out(active, holding)
        tickets, worked = found.tickets, found.worked or worked
        busy = {ticket.lane for ticket in tickets}
        for run in active:
            if not holding.get(run.pk) and run.pk not in busy:
                worked = self._alone(run, lambda run: run_states.finish_if_complete(run_id=run.pk), False) or worked
        return Claimed(tickets, worked, None if tickets or worked else leases.due_in_s(active))

    def _active(self) -> list[Run]:
        """The runs to work on, the most urgent first, each with its plan."""
        found = (
            Run.objects.filter(state__in=Run.ACTIVE, project__deleted_at=None)
            .select_related("dataset_version", "connection__project", "project", "group")
            .defer("provenance", "summary")
            .order_by("-priority", "id")
        )
        active = [run for run in found if not self.wards.rests(run.pk) and self._alone(run, self._plan, None)]
        self.plans = {run.pk: self.plans[run.pk] for run in active} | {
            job.run_id: self.plans[job.run_id] for job in self.held.values() if job.run_id in self.plans
        }
        return active

    def _alone(self, run: Run, act: Callable[[Run], Answer], otherwise: Answer) -> Answer:
        return self.wards.alone(run.pk, lambda: act(run), otherwise)

    def _take_up(self, share: int, run: Run) -> _Taken:
        if run.pk in self.paused:  # and somebody has resumed it since
            self.paused.discard(run.pk)
            self.switchboard.refused.discard(run.pk)
        with self._all_or_nothing():
            items = self._take(run, share)
            made = run_jobs.jobs_of(run, self.plans[run.pk], items)
            self.held |= {job.item_id: job for job in made}
            jobs, known = run_jobs.known_of(run, made)
            if known:
                self._store_what_can_be(known)
        start_by = time.monotonic() + START_WITHIN_S
        tickets = [Ticket(run.pk, self._limit(run), start_by, job) for job in jobs]
        return _Taken(tickets, len(items), bool(known))

    def _shared_out(self, active: Sequence[Run], holding: Mapping[int, int]) -> _Taken:
        """Take up the room's worth of items, in fair shares. What a run cannot use of its share, because it has no more
        items or its provider rests, is shared once more between the others."""
        by_key = {run.pk: run for run in active}
        wants = {run.pk: self._want(run, holding) for run in active}
        room = leases.MOST_IN_FLIGHT - sum(holding.values())
        tickets: list[Ticket] = []
        worked = False
        for _ in range(SHARINGS):
            used_up = False
            for run_id, share in shares(list(wants.values()), room).items():
                found, want = self._alone(by_key[run_id], partial(self._take_up, share), _Taken()), wants[run_id]
                tickets += found.tickets
                worked = worked or found.worked
                room -= found.items
                left = want.wanted - share if found.items >= share else 0
                used_up = used_up or found.items < share
                wants[run_id] = replace(want, wanted=left, holding=want.holding + found.items)
            if not used_up:
                break
        return _Taken(tickets, worked=worked)

    def _plan(self, run: Run) -> RunPlan | None:
        """The run's plan; a run that cannot be worked on any more fails here, with the reason."""
        if run.pk not in self.plans:
            try:
                self.plans[run.pk] = plans.of(run)
            except DomainError as error:
                run_states.fail(run_id=run.pk, reason=error.code, problem=error.message)
                return None
        return self.plans[run.pk]

    def _look(self, run: Run) -> None:
        """Stop the run when its answer is clear. A look reads all scores: it may take a twentieth of the time."""
        started = time.monotonic()
        if started < self.look_at.get(run.pk, 0.0):
            return
        if stopping.stop_if_clear(run_id=run.pk):
            run.is_planned = True
        ended = time.monotonic()
        self.look_at[run.pk] = ended + max(LOOK_EVERY_S, 20 * (ended - started))

    def _limit(self, run: Run) -> int:
        return max(1, -(-run.in_flight // self.live_slices))

    def _want(self, run: Run, holding: Mapping[int, int]) -> Want:
        limit, held = self._limit(run), holding.get(run.pk, 0)
        return Want(run.pk, run.project_id, run.priority, max(0, limit + ahead(limit) - held), held)

    def _take(self, run: Run, most: int) -> list[WorkItem]:
        """Lease up to `most` due items of the run."""
        plan = self.plans[run.pk]
        calls: dict[Call, On] = {
            (key, number): on for key, asked in plan.judges.items() for number, on in enumerate(asked.calls)
        }
        if plan.target is not None:
            calls[TARGET, 0] = plan.target
        if not calls:
            return []
        resting, probing = circuits_closed(self.switchboard, calls)
        if plan.target is None:
            resting.add((TARGET, 0))  # recorded outputs are scored at once, never leased
        taken = self._lease(run, most, leases.any_of(resting | probing))
        flying = {(job.evaluator, job.part) for job in self.held.values() if job.run_id == run.pk}
        for call in sorted(probing - flying):
            taken += self._lease(run, 1, ~leases.any_of({call}))
        return taken

    def _lease(self, run: Run, most: int, without: Q) -> list[WorkItem]:
        suspects = sum(1 for job in self.held.values() if job.attempts)
        return leases.lease(run, most, without, to=self.uid, suspects=suspects)

    def store(self, finished: Sequence[Finished]) -> None:
        try:
            _persistent(lambda: self._store_what_can_be(finished))
        except DATABASE_AWAY:
            self._store_apart(finished)  # it may be one run's rows on which the database fails each time

    def _store_what_can_be(self, finished: Sequence[Finished]) -> None:
        try:
            self._store(finished)
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001  # the outcome to blame is found and logged there
            logger.warning("runs.batch_not_stored", extra={"count": len(finished), "reason": type(error).__name__})
            self._store_apart(finished)

    def _store_apart(self, finished: Sequence[Finished]) -> None:
        """Each outcome by itself, so that one that cannot be stored spoils no other: it becomes a failed result, and
        where even that cannot be stored its run fails."""
        away: Exception | None = None
        for one in finished:
            job: Job = one.ticket.job
            try:
                self._store_or_fail(one)
            except DATABASE_AWAY as error:
                away = error
            except Exception as error:  # noqa: BLE001  # it is logged, and the run says it
                run_states.give_up(run_id=job.run_id, error=error)
                self._let_go([job])
        if away is not None:
            raise away

    def _store_or_fail(self, one: Finished) -> None:
        try:
            self._store([one])
        except DATABASE_AWAY:
            raise
        except Exception as error:
            logger.exception("runs.outcome_not_stored", extra={"item": one.ticket.job.item_id})
            message = f"The platform could not store this answer ({type(error).__name__})."
            made = getattr(one.outcome, "attempts", ())
            self._store([Finished(one.ticket, Failed("internal", message, attempts=made))])

    def _store(self, finished: Sequence[Finished]) -> None:
        # An item that was taken over and taken up again by this slice may be there twice: by fence, never by item.
        jobs: list[Job] = [one.ticket.job for one in finished]
        # Metrics are worked out before the transaction, which stays short.
        scored = {
            one.ticket.job.place: scoring.metric_outcomes(
                self.plans[one.ticket.job.run_id],
                text.repaired(outcomes.completion_of(one.outcome).text),
                one.ticket.job.example,
                outcomes.facts_of(self.plans[one.ticket.job.run_id], one.ticket.job, one.outcome),
            )
            for one in finished
            if isinstance(one.outcome, Answered) and one.ticket.job.is_target
        }
        with transaction.atomic():
            now = database_now()
            ours = leases.ours(jobs)
            rows = Rows()
            for one in finished:
                if one.ticket.job.place in ours:
                    outcomes.sort(rows, self.plans[one.ticket.job.run_id], one.ticket.job, one.outcome, scored)
            storing.insert(rows, self.plans, now)
            self.paused |= rows.refused_accounts.keys()
            storing.record(finished, self.plans)
        self._let_go(jobs)

    def _let_go(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if (held := self.held.get(job.item_id)) is not None and held.fence == job.fence:
                del self.held[job.item_id]

    def give_back(self, tickets: Sequence[Ticket]) -> None:
        _persistent(lambda: self._give_back([ticket.job for ticket in tickets]))

    def _give_back(self, jobs: Sequence[Job]) -> None:
        with transaction.atomic():
            leases.release([item for item, _ in leases.ours(jobs)])
        self._let_go(jobs)

    def beat(self, lanes: Sequence[int]) -> Collection[int]:
        return _persistent(lambda: self._beat(lanes))

    def _beat(self, lanes: Sequence[int]) -> Collection[int]:
        self.live_slices = worker_slices.beat(self.uid)
        return worker_slices.over(lanes)

    def close(self) -> None:
        try:
            WorkerSlice.objects.filter(uid=self.uid).delete()
        finally:
            connections.close_all()


def _persistent(act: Callable[[], Answer]) -> Answer:
    """Do it again when the database was away for a moment; each act is one transaction or safe to repeat."""
    for attempt in range(DATABASE_TRIES):
        try:
            return act()
        except DATABASE_AWAY as error:
            if attempt == DATABASE_TRIES - 1:
                raise
            logger.warning("runs.database_away", extra={"reason": str(error)[:200]})
            connections.close_all()
            time.sleep(min(0.2 * 2**attempt, 5.0))
    raise AssertionError("unreachable")
