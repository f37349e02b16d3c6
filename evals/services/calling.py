"""One item's call in the event loop: from a job to an outcome. No database here."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from django.conf import settings

from evals.engine import Circuit, Ticket
from evals.models import TARGET, Example
from evals.services.plans import On, Settled
from llmops.gateway import client, limits
from llmops.gateway.client import ConnectionConfig, RetryBudget, Session
from llmops.gateway.errors import ProviderError, Refused, Transient
from llmops.gateway.types import Answer, AttemptRecord, EmbeddingRequest, Request

logger = logging.getLogger(__name__)

NO_EMBEDDINGS = "no_embeddings"

# TARGET or a judge's key, and which of the judge's parts.
Call = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed work item with all that its call needs. `result_id` and `output` are set for judges."""

    item_id: int
    fence: int
    run_id: int
    run_uid: uuid.UUID
    evaluator: int
    example: Example
    repeat: int
    attempts: int
    claims: int
    deferrals: int
    on: On
    request: Request
    cache_key: bytes
    result_id: int | None = None
    part: int = 0
    is_fresh: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """The item, and which taking-up of it this is: only the newest may store."""
        return self.item_id, self.fence

    @property
    def is_target(self) -> bool:
        return self.evaluator == TARGET


@dataclass(frozen=True, slots=True)
class Answered:
    """The model answered, now or earlier."""

    answer: Answer
    from_cache: bool = False
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """It would fail again just so; `partial` is what came before the failure."""

    code: str
    message: str
    partial: str = ""
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Deferred:
    """The provider is not ready; to be tried again later."""

    code: str
    message: str
    retry_after_s: float | None = None
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountRefused:
    """The account or key is at fault: nothing else of this connection would go well."""

    code: str
    message: str
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The run was stopped, or the provider began to fail, before this call began."""

    attempts: tuple[AttemptRecord, ...] = ()


Outcome = Answered | Failed | Deferred | AccountRefused | NotStarted | Settled


def _new_circuit() -> Circuit:
    return Circuit(time.monotonic)


@dataclass(slots=True)
class Switchboard:
    """What the loop and the desk share about connections and runs; values are written whole: no lock is needed."""

    circuits: dict[tuple[int, str], Circuit] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)  # runs whose account was refused: start nothing more
    without_embeddings: set[tuple[int, str]] = field(default_factory=set)  # connection and model: ask no more

    def circuit(self, on: On) -> Circuit:
        return self.circuits.setdefault((on.config.id, on.model), _new_circuit())


class Caller:
    """Makes the calls of a slice: one session per connection, opened at first use, closed with the loop."""

    def __init__(self, switchboard: Switchboard, slices: Callable[[], int]) -> None:
        self.switchboard = switchboard
        self.slices = slices
        self.stack = AsyncExitStack()
        self.sessions: dict[ConnectionConfig, Session] = {}
        self.budgets: dict[int, RetryBudget] = {}

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def __call__(self, ticket: Ticket) -> Outcome:
        job: Job = ticket.job
        if job.run_id in self.switchboard.refused:
            return NotStarted()
        place = (job.on.config.id, job.on.model)
        if isinstance(job.request, EmbeddingRequest) and place in self.switchboard.without_embeddings:
            return Failed(NO_EMBEDDINGS, "This connection offers no embeddings.")
        circuit = self.switchboard.circuit(job.on)
        if not circuit.room(1):  # it opened while this call was waiting for its turn
            return NotStarted()
        attempts: list[AttemptRecord] = []
        try:
            session = await self._session(job.on.config)
            budget = self.budgets.setdefault(job.run_id, RetryBudget())
            answer: Answer
            if isinstance(job.request, EmbeddingRequest):
                answer = await session.embed(job.request, budget=budget, on_attempt=attempts.append)
            else:
                answer = await session.complete(job.request, budget=budget, on_attempt=attempts.append)
        except Refused as error:
            self.switchboard.refused.add(job.run_id)
            return AccountRefused(error.code, error.message, tuple(attempts))
        except Transient as error:
            if error.code != "limit_wait":  # our own limit was full: the provider is not to blame
                circuit.failed()
            return Deferred(error.code, error.message, error.retry_after_s, tuple(attempts))
        except ProviderError as error:
            if error.code == NO_EMBEDDINGS:
                self.switchboard.without_embeddings.add(place)
            return Failed(error.code, error.message, error.partial, tuple(attempts))
        circuit.succeeded()
        return Answered(answer, attempts=tuple(attempts))

    async def _session(self, config: ConnectionConfig) -> Session:
        if config not in self.sessions:
            limiter = limits.limiter_for(
                name=str(config.id),
                rpm=config.rpm,
                tpm=config.tpm,
                max_in_flight=config.max_in_flight,
                redis_url=settings.REDIS_URL,
                share=self.slices(),
            )
            self.sessions[config] = await self.stack.enter_async_context(client.open_session(config, limiter=limiter))
        return self.sessions[config]


def crashed(ticket: Ticket, error: Exception) -> Failed:
    """A bug of ours met while making a call: the item fails with an id that is found in the log, the run goes on."""
    logger.error("runs.call_crashed", exc_info=error, extra={"run": ticket.job.run_id, "item": ticket.job.item_id})
    return Failed("internal", f"The platform failed while making this call ({type(error).__name__}).")


def circuits_closed(switchboard: Switchboard, targets: Mapping[Call, On]) -> tuple[set[Call], set[Call]]:
    """Of a run's calls: which rest now, and which may be probed with one call."""
    resting: set[Call] = set()
    probing: set[Call] = set()
    for call, on in targets.items():
        circuit = switchboard.circuits.get((on.config.id, on.model))
        if circuit is not None and circuit.is_open:
            (probing if circuit.room(1) else resting).add(call)
    return resting, probing
