"""Store the spans that OpenTelemetry exporters send: a trace whose head has come is a call, other spans wait for it.

A span that comes after its trace became a call is put into the call. One code path serves the request that brings the
head and the task that gives up waiting for one.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Max, Q

from feedback.models import Call, LooseSpan
from feedback.otlp import mapping
from feedback.otlp.steps import Step, step_from_json, step_json
from feedback.services import arrivals, calls, hours, prices
from feedback.services.calls import NewCall
from llmops.gateway.types import Span
from llmops.projects.models import Project

logger = logging.getLogger(__name__)

# Exporters send in batches of some seconds; a head that is out for longer is not waited for.
PATIENCE = timedelta(seconds=60)
# A trace that cannot be made a call is tried again after so long: an update may have taught us to read it.
AGAIN = timedelta(minutes=10)
LOOSE_COLUMNS = (
    "project_id", "trace_id", "span_id", "step", "end_user", "session", "masked", "received_at",
)  # fmt: skip
LOOSE_ONCE = "ON CONFLICT (project_id, trace_id, span_id) DO NOTHING"
# What a late span may change in its call, beside the trace itself; the first group only with the head of the trace.
OF_THE_HEAD = ("inputs", "output", "latency_ms", "started_at", "error")
OF_ALL = ("contexts", "tokens_in", "tokens_out", "model", "environment")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery: new calls, calls that got more spans or were sent again, spans that wait."""

    new: int = 0
    known: int = 0
    waiting: int = 0


def record(*, project: Project, steps: Sequence[Step], now: datetime) -> Taken:
    """Store the spans, each once for its id; when this returns, everything is committed."""
    by_trace: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        by_trace[step.trace_id].append(_without_names(project, step))
    whole = {trace: parts for trace, parts in by_trace.items() if mapping.is_whole(parts)}
    loose = [step for trace, parts in by_trace.items() if trace not in whole for step in parts]
    rows = [_loose_row(project, step, now) for step in loose]

    def store() -> Taken:
        if rows:
            arrivals.insert(LooseSpan, LOOSE_COLUMNS, rows, LOOSE_ONCE)
        new, known = _gather(project, whole, now) if whole else (0, 0)
        return Taken(new, known, len(rows))

    return arrivals.commit(store) if by_trace else Taken()


def gather_abandoned(*, now: datetime, most: int = 500) -> int:
    """Make calls of the traces whose head has not come in time; returns how many traces. Safe to run twice.

    Each trace stands alone: one that cannot be read is logged, and comes last when it is tried again.
    """
    waiting = (
        LooseSpan.objects.order_by()
        .values_list("project_id", "trace_id")
        .annotate(newest=Max("received_at"), tried=Max("tried_at"))
        .filter(Q(tried=None) | Q(tried__lt=now - AGAIN), newest__lt=now - PATIENCE)
        .order_by(F("tried").asc(nulls_first=True), "newest", "project_id", "trace_id")[:most]
    )
    found = [(project_id, trace_id) for project_id, trace_id, *_ in waiting]
    projects = Project.objects.in_bulk({project_id for project_id, _ in found})
    return sum(_is_gathered(projects[project_id], trace_id, now) for project_id, trace_id in found)


def _is_gathered(project: Project, trace_id: str, now: datetime) -> bool:
    try:
        arrivals.commit(_gathering(project, trace_id, now))
    except Exception:  # whatever is wrong with one trace, the others go on
        logger.exception("traces.not_gathered", extra={"project": project.slug, "trace": trace_id})
        LooseSpan.objects.filter(project=project, trace_id=trace_id).rewrite(tried_at=now)
        return False
    return True


def _gathering(project: Project, trace_id: str, now: datetime) -> Callable[[], tuple[int, int]]:
    return lambda: _gather(project, {trace_id: []}, now)


def _gather(project: Project, whole: Mapping[str, list[Step]], now: datetime) -> tuple[int, int]:
    """Each trace with its waiting spans becomes a call, or goes into the one that it is already."""
    waiting = list(LooseSpan.objects.filter(project=project, trace_id__in=list(whole)).order_by("id"))
    traces = {trace: list(steps) for trace, steps in whole.items()}
    for row in waiting:
        traces[row.trace_id].append(step_from_json(row.trace_id, row.step, end_user=row.end_user, session=row.session))
    traces = {trace: steps for trace, steps in traces.items() if steps}
    price = prices.of(project.pk)
    stored = calls.statements(
        project=project,
        calls=[_call(trace, steps, price) for trace, steps in sorted(traces.items())],
        now=now,
        is_inside=True,
    )()
    known = [one.client_id for one in stored if one.state != "new"]
    for trace in known:
        _add_to_call(project, trace, traces[trace], now, price)
    if waiting:
        LooseSpan.objects.filter(pk__in=[row.pk for row in waiting]).purge()
    return len(stored) - len(known), len(known)


def _call(trace_id: str, steps: Sequence[Step], price: mapping.Price) -> NewCall:
    """The wall knows a trace by its id alone: its spans come in several deliveries, in any order."""
    fields = mapping.call_of(steps, price)
    body = arrivals.json_bytes({**fields, "started_at": None})
    person = fields.pop("end_user") or ""
    call = NewCall(**fields, body=body, person=person)
    return replace(call, client_id=trace_id)


def _add_to_call(project: Project, trace_id: str, steps: Sequence[Step], now: datetime, price: mapping.Price) -> None:
    """Put the spans that the call does not have into it; a delivery that came twice changes nothing."""
    found = Call.objects.filter(project=project, client_id=trace_id).order_by("-id")
    if connection.features.has_select_for_update:
        found = found.select_for_update()
    call = found.first()
    if call is None:  # its retention is over, but not yet that of the wall
        return
    before = _steps_of(call)
    held = {step.span.id for step in before}
    missing = [step for step in steps if step.span.id not in held]
    if not missing:
        return
    everything = _call(trace_id, [*before, *missing], price)
    masked = 0
    if project.mask_personal_data:
        everything, masked = calls.mask(project, everything)
    changes = _changes(call, everything, missing)
    hours.mark(project_id=project.pk, hours={call.hour, changes.get("hour", call.hour)}, now=now)
    Call.objects.filter(pk=call.pk).rewrite(trace=everything.trace, masked=call.masked + masked, **changes)


def _changes(call: Call, everything: NewCall, missing: Sequence[Step]) -> dict[str, Any]:
    """Content and times come from the head of the trace; what the call said itself stays otherwise."""
    changes: dict[str, Any] = {
        name: value for name in OF_ALL if (value := getattr(everything, name)) is not None and value != ""
    }
    brings_head = any(step.heads_its_trace for step in missing)
    for name in OF_THE_HEAD:
        value = getattr(everything, name)
        if value not in (None, "") and (brings_head or getattr(call, name) in (None, "")):
            changes[name] = value
    changes |= _money(call, everything)
    if "latency_ms" in changes:
        changes["latency_bucket"] = calls.latency_bucket(changes["latency_ms"])
    if "started_at" in changes:
        changes["started_at"] = min(changes["started_at"], call.received_at)
        changes["hour"] = int(changes["started_at"].timestamp() // 3600)
    for name, value in (("end_user", everything.person), ("session", everything.session)):
        if value and not getattr(call, name):
            changes[name] = value
    return changes


def _money(call: Call, everything: NewCall) -> dict[str, Any]:
    """What somebody named is never replaced by an estimate; an estimate is, and the metadata say which it is."""
    was, now_is = mapping.is_estimated(call.metadata), mapping.is_estimated(everything.metadata)
    if now_is and call.cost_usd is not None and not was:
        return {"cost_usd": call.cost_usd}
    if everything.cost_usd is None:  # a span came whose price is not known: a part would pass for the whole
        now_is, cost = False, None if was else call.cost_usd
    else:
        cost = everything.cost_usd
    if was == now_is:
        return {"cost_usd": cost}
    kept = dict(call.metadata) if isinstance(call.metadata, dict) else {}
    kept.pop(mapping.COST, None)
    return {"cost_usd": cost, "metadata": kept | ({mapping.COST: mapping.ESTIMATED} if now_is else {})}


def _steps_of(call: Call) -> list[Step]:
    """The steps of a stored call, back on the clock."""
    spans: Iterable[Mapping[str, Any]] = call.trace.get("spans", ()) if isinstance(call.trace, dict) else ()
    begin = round(call.started_at.timestamp() * 1_000_000) * 1_000
    steps = []
    for one in spans:
        span = Span(**one)
        start = begin + span.start_ms * 1_000_000
        steps.append(
            Step(
                trace_id=call.client_id,
                span=span,
                start_ns=start,
                end_ns=start + span.duration_ms * 1_000_000,
                resource=dict(mapping.resource_of(call.metadata)),
                end_user=call.end_user,
                session=call.session,
            )
        )
    return steps


def _without_names(project: Project, step: Step) -> Step:
    """The step with the person's keyed hash in place of the name."""
    return replace(step, end_user=arrivals.keyed_hash(project.uid, step.end_user)) if step.end_user else step


def _loose_row(project: Project, step: Step, now: datetime) -> tuple[Any, ...]:
    content = step_json(step)
    waiting = NewCall(body=arrivals.json_bytes(content), trace=content, session=step.session)
    masked = 0
    if project.mask_personal_data:
        waiting, masked = calls.mask(project, waiting)
    return (
        project.pk, step.trace_id, step.span.id, arrivals.json_value(waiting.trace), step.end_user, waiting.session,
        masked, arrivals.time_value(now),
    )  # fmt: skip
