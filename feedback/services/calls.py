"""Store logged calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from feedback.models import Call, Seen
from feedback.queries import masks, resolving
from feedback.services import arrivals, hours
from llmops.common import ids
from llmops.projects.models import Project

# A bucket is 5 % wide: its middle is within 2.5 % of every latency in it.
BUCKETS_PER_E = 1 / math.log(1.05)
COLUMNS = (
    "uid", "project_id", "client_id", "received_at", "started_at", "hour", "version_id", "artifact_path", "commit",
    "label", "session", "end_user", "environment", "model", "inputs", "output", "contexts", "trace", "metadata", "tags",
    "latency_ms", "latency_bucket", "tokens_in", "tokens_out", "cost_usd", "error", "repaired", "masked",
)  # fmt: skip
HOUR = COLUMNS.index("hour")


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call as it was sent and checked. `body` is its canonical JSON; an empty `client_id` means none was sent.

    `person` is the keyed hash of the end user, for senders of this process who no longer hold the name.
    """

    body: bytes
    client_id: str = ""
    prompt: str = ""
    version: int | None = None
    label: str = ""
    commit: str = ""
    session: str = ""
    end_user: str = ""
    environment: str = ""
    model: str = ""
    inputs: Any = None
    output: Any = None
    contexts: Any = None
    trace: Any = None
    metadata: Any = None
    tags: tuple[str, ...] = ()
    latency_ms: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    error: str = ""
    started_at: datetime | None = None
    repaired: bool = False
    person: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer for one event: its ids, and whether it is stored, was stored before, or is in conflict."""

    client_id: str
    uid: UUID
    state: arrivals.State
    warnings: tuple[str, ...] = field(default=())


def record(*, project: Project, calls: Sequence[NewCall], now: datetime) -> list[Stored]:
    """Store the calls, each once for its client id; returns one answer for each, in order.

    When this returns, everything is committed.
    """
    return arrivals.commit(statements(project=project, calls=calls, now=now))


def statements(
    *, project: Project, calls: Sequence[NewCall], now: datetime, is_inside: bool = False
) -> Callable[[], list[Stored]]:
    """What stores the calls, to be run inside a transaction of ingestion: see `record` and `arrivals.commit`.

    `is_inside` says that one is open already: another one in it would wait for itself.
    """
    uids = [ids.uuid7() for _ in calls]
    entries = [
        arrivals.Arrival(call.client_id or ids.public("call", uid), arrivals.digest(call.body), uid)
        for call, uid in zip(calls, uids, strict=True)
    ]
    resolved = [resolving.version_of(project.pk, call.prompt, call.version, call.label, call.commit) for call in calls]
    moment = arrivals.time_value(now)
    rows = [
        _row(project, call, entry, version, now, moment)
        for call, entry, version in zip(calls, entries, resolved, strict=True)
    ]

    mark = hours.mark if is_inside else hours.mark_arrivals
    mark(project_id=project.pk, hours={row[HOUR] for row in rows}, now=now)

    def store() -> list[Stored]:
        admitted = arrivals.admit(project_id=project.pk, kind=Seen.Kind.CALL, arrivals=entries, received_on=now.date())
        new = [row for row, admission in zip(rows, admitted, strict=True) if admission.state == "new"]
        if new:
            arrivals.insert(Call, COLUMNS, new)
        return [
            Stored(entry.client_id, admission.uid, admission.state, _warnings(call, version))
            for call, entry, version, admission in zip(calls, entries, resolved, admitted, strict=True)
        ]

    return store


def latency_bucket(latency_ms: float) -> int:
    """The logarithmic bucket of a latency; `bucket_ms` is its middle."""
    return int(math.log(max(latency_ms, 1)) * BUCKETS_PER_E)


def _warnings(call: NewCall, version: resolving.KnownVersion | None) -> tuple[str, ...]:
    if call.prompt and version is None:
        return (f"No such version of {call.prompt[:100]!r} is known here; the call is stored without a link.",)
    return ()


def _row(
    project: Project,
    call: NewCall,
    entry: arrivals.Arrival,
    version: resolving.KnownVersion | None,
    now: datetime,
    moment: Any,
) -> tuple[Any, ...]:
    """The call's values in the order of COLUMNS; `moment` is `now` as the database wants it."""
    masked = 0
    end_user = arrivals.keyed_hash(project.uid, call.end_user) if call.end_user else call.person
    if project.mask_personal_data:
        call, masked = mask(project, call)
    started_at, started = now, moment
    if call.started_at and call.started_at < now:
        started_at, started = call.started_at, arrivals.time_value(call.started_at)
    return (
        entry.uid.hex, project.pk, entry.client_id,
        moment, started, int(started_at.timestamp() // 3600),
        version.id if version else None, call.prompt, call.commit or (version.commit if version else ""),
        call.label, call.session, end_user, call.environment, call.model,
        arrivals.json_value(call.inputs), arrivals.json_value(call.output), arrivals.json_value(call.contexts),
        arrivals.json_value(call.trace), arrivals.json_value(call.metadata), arrivals.joined_tags(call.tags),
        call.latency_ms, None if call.latency_ms is None else latency_bucket(call.latency_ms),
        call.tokens_in, call.tokens_out, call.cost_usd, call.error, call.repaired, masked,
    )  # fmt: skip


def mask(project: Project, call: NewCall) -> tuple[NewCall, int]:
    """The one place where a call's personal data is masked. The quick look at the whole body spares most calls."""
    masker = masks.masker(project.pk)
    if not masker.is_worth_a_look(call.body):
        return call, 0
    names = ("inputs", "output", "contexts", "trace", "metadata", "error")
    results = {name: masker.mask(getattr(call, name)) for name in names}
    tags = [masker.mask_text(tag) for tag in call.tags]
    session, in_session = masker.mask_text(call.session)
    if in_session:  # a session named after a person stays a session of its own
        session = arrivals.keyed_hash(project.uid, call.session)
    total = sum(count for _, count in results.values()) + sum(count for _, count in tags) + in_session
    changes: dict[str, Any] = {name: value for name, (value, _) in results.items()}
    return replace(call, **changes, tags=tuple(tag for tag, _ in tags), session=session), total
