"""Try a prompt on some inputs: a row that a task fills and the page polls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from llmops.common import jobs
from llmops.common import text as intake
from llmops.common.actors import Actor
from llmops.common.errors import DomainError
from llmops.gateway import client, pricing, signals
from llmops.gateway import queries as gateway_queries
from llmops.gateway.errors import ProviderError
from llmops.gateway.models import Connection
from llmops.gateway.services import attempts, connections
from llmops.gateway.types import AttemptRecord, Completion, CompletionRequest, Message, Span, trace_json
from llmops.projects.models import Project
from prompts.models import Artifact, TryOut, Version
from prompts.services import execution

FLUSH_S = 0.25
FORGOTTEN_AT_ONCE = 500
UNFINISHED = (TryOut.State.WAITING, TryOut.State.RUNNING)

Json = Any


@transaction.atomic
def start(
    *,
    project: Project,
    text: str,
    inputs: Mapping[str, Json],
    by: Actor,
    artifact: Artifact | None = None,
    version: Version | None = None,
    connection_name: str = "",
    model: str = "",
) -> TryOut:
    """Check what can be checked now, then let a worker make the call.

    :raises Invalid: with line and column when the text is not a prompt, or naming an input that is missing.
    :raises NotFound: when there is no such connection.
    """
    compiled = execution.compiled_text(project, text)
    compiled.messages(intake.storable(dict(inputs), path="inputs"))
    chosen = gateway_queries.connection_in(project, connection_name)
    tryout = TryOut.objects.create(
        project=project, artifact=artifact, version=version, by_user_id=by.user_id, text=text, inputs=dict(inputs),
        connection_name=chosen.name, model=model or compiled.spec.model or chosen.model,
    )  # fmt: skip
    jobs.enqueue("prompts.try_out", tryout_id=tryout.pk)
    return tryout


def cancel(*, tryout: TryOut, now: datetime) -> None:
    """Stop waiting: the call that is under way is given up within a second."""
    TryOut.objects.filter(pk=tryout.pk, state__in=UNFINISHED).update(state=TryOut.State.CANCELLED, finished_at=now)


def work(*, tryout_id: int) -> None:
    """Make the call of a waiting try-out; does nothing when another worker has it or it was cancelled."""
    claimed = TryOut.objects.filter(pk=tryout_id, state=TryOut.State.WAITING).update(state=TryOut.State.RUNNING)
    if not claimed:
        return
    tryout = TryOut.objects.select_related("project").get(pk=tryout_id)
    try:
        chosen = gateway_queries.connection_in(tryout.project, tryout.connection_name)
        compiled = execution.compiled_text(tryout.project, tryout.text)
        rendered = compiled.messages(tryout.inputs)
        request = CompletionRequest(
            tryout.model,
            tuple(Message(message.role, message.content) for message in rendered),
            compiled.spec.parameters,
            compiled.spec.tools if isinstance(compiled.spec.tools, list) else None,
        )
        _call(tryout, chosen, request)
    except DomainError as error:
        _finish(tryout, state=TryOut.State.FAILED, error=error.message)


def give_up_on_lost(*, older_than: datetime, now: datetime) -> int:
    """Fail try-outs whose worker was killed: nobody pays twice for a look."""
    return TryOut.objects.filter(state__in=UNFINISHED, created_at__lt=older_than).update(
        state=TryOut.State.FAILED, error="The worker ended before the answer came. Try again.", finished_at=now
    )


def _call(tryout: TryOut, chosen: Connection, request: CompletionRequest) -> None:
    records: list[AttemptRecord] = []
    pieces: list[str] = []
    config = connections.config_of(chosen)
    started = time.perf_counter()
    error: ProviderError | None = None
    answer: Completion | None = None
    try:
        answer = asyncio.run(_streamed(tryout.pk, config, request, pieces, records))
    except ProviderError as failed:
        error = failed
    prices = gateway_queries.price_overrides(tryout.project_id)
    attempts.record_many(records, config=config, purpose="try", owner=tryout.uid, prices=prices)
    duration = round((time.perf_counter() - started) * 1000)
    span = Span(
        name=request.model,
        duration_ms=duration,
        input=[{"role": message.role, "content": message.text} for message in request.messages],
        output=answer.text if answer else "".join(pieces),
        attributes={"model": answer.model if answer else request.model, "attempts": len(records)},
        error=error.message if error else "",
    )
    cost = pricing.cost(answer.usage, kind=config.kind, model=answer.model, overrides=prices) if answer else None
    _finish(
        tryout,
        state=TryOut.State.DONE if answer else TryOut.State.FAILED,
        output=intake.repaired(answer.text if answer else "".join(pieces)),
        error=error.message if error else "",
        trace=intake.storable(trace_json([span]), repair=True),
        tokens_in=answer.usage.tokens_in if answer else None,
        tokens_out=answer.usage.tokens_out if answer else None,
        cost_usd=cost,
        latency_ms=answer.latency_ms if answer else duration,
    )
    signals.call_finished.send(
        sender=TryOut, project_id=tryout.project_id, purpose="try", owner_uid=tryout.uid, completion=answer
    )


async def _streamed(
    tryout_id: int,
    config: client.ConnectionConfig,
    request: CompletionRequest,
    pieces: list[str],
    records: list[AttemptRecord],
) -> Completion:
    """The call, with what has come so far written to the row four times a second, and a look whether to stop."""

    async def show(call: asyncio.Task[Completion]) -> None:
        shown = 0
        while not call.done():
            await asyncio.sleep(FLUSH_S)
            text = "".join(pieces)
            if not await asyncio.to_thread(_show, tryout_id, text if len(text) > shown else None):
                call.cancel()
            shown = len(text)

    async with client.open_session(config) as session:
        call = asyncio.create_task(
            session.complete(request, on_attempt=records.append, on_delta=pieces.append), name="try-out"
        )
        watch = asyncio.create_task(show(call))
        try:
            return await call
        except asyncio.CancelledError:
            raise ProviderError("cancelled", "Cancelled.") from None
        finally:
            watch.cancel()


def _show(tryout_id: int, text: str | None) -> bool:
    """Write the text so far; False when somebody cancelled. Runs in a thread with a connection of its own."""
    try:
        running = TryOut.objects.filter(pk=tryout_id, state=TryOut.State.RUNNING)
        return bool(running.update(output=intake.repaired(text)) if text is not None else running.exists())
    finally:
        connection.close()


def _finish(tryout: TryOut, *, state: str, **values: Json) -> None:
    TryOut.objects.filter(pk=tryout.pk, state=TryOut.State.RUNNING).update(
        state=state, finished_at=timezone.now(), **values
    )


def forget(*, project: Project, is_meant: Callable[[Json], bool]) -> int:
    """Blank the try-outs whose inputs are meant, and stop those under way; returns how many. Money and times stay."""
    rows = TryOut.objects.filter(project=project).exclude(inputs={}).order_by("id")
    meant = [pk for pk, inputs in rows.values_list("pk", "inputs").iterator() if is_meant(inputs)]
    for start in range(0, len(meant), FORGOTTEN_AT_ONCE):
        part = TryOut.objects.filter(pk__in=meant[start : start + FORGOTTEN_AT_ONCE])
        part.filter(state__in=UNFINISHED).update(state=TryOut.State.CANCELLED)
        part.update(inputs={}, output="", trace={}, error="")
    return len(meant)
