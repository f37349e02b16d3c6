"""Export calls with everything said about them: JSON lines as a stream, or a Parquet file."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from typing import IO, Any

from django.db import transaction

from feedback.models import Call, FeedbackEvent
from feedback.services import arrivals
from llmops.audit import services as audit
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Invalid
from llmops.projects.models import Project

AT_ONCE = 500
PLAIN = (
    "received_at", "started_at", "artifact_path", "commit", "label", "session", "end_user", "environment", "model",
    "latency_ms", "tokens_in", "tokens_out", "cost_usd", "error",
)  # fmt: skip
FREE = ("inputs", "output", "contexts", "trace", "metadata")


def has_parquet() -> bool:
    """Whether the extra `parquet` is installed."""
    return find_spec("pyarrow") is not None


@transaction.atomic
def note(*, project: Project, form: str, by: Actor) -> None:
    """Write to the audit trail that calls leave the platform; before the first line does.

    :raises Invalid: for a form that is not there.
    """
    if form not in {"jsonl", "parquet"}:
        raise Invalid("Calls are exported as jsonl or parquet.", fields={"format": "jsonl or parquet"})
    if form == "parquet" and not has_parquet():
        raise Invalid("Parquet needs the extra: pip install llmops[parquet].", fields={"format": "is not installed"})
    audit.record("feedback.calls_exported", by=by, target=project, project_id=project.pk, format=form)


def rows(project: Project, since: datetime | None = None, until: datetime | None = None) -> Iterator[dict[str, Any]]:
    """One object for each call received in the span, oldest first, in as many queries as there are 250 calls."""
    calls = Call.objects.filter(project=project).order_by("id")
    if since is not None:
        calls = calls.filter(received_at__gte=since)
    if until is not None:
        calls = calls.filter(received_at__lt=until)
    last = 0
    while batch := list(calls.filter(pk__gt=last)[:AT_ONCE]):
        said = _said(project, [call.client_id for call in batch])
        for call in batch:
            yield _row(call, said[call.client_id])
        last = batch[-1].pk


def lines(project: Project, since: datetime | None = None, until: datetime | None = None) -> Iterator[bytes]:
    """The rows as JSON lines, some hundred at a time."""
    held: list[bytes] = []
    for row in rows(project, since, until):
        held.append(arrivals.json_bytes(row))
        if len(held) >= AT_ONCE:
            yield b"\n".join(held) + b"\n"
            held = []
    if held:
        yield b"\n".join(held) + b"\n"


def parquet(project: Project, since: datetime | None = None, until: datetime | None = None) -> IO[bytes]:
    """The rows as a Parquet file without a name, open at its start; what is free-form JSON is text there."""
    import pyarrow  # noqa: PLC0415 (slow import, and an extra)
    from pyarrow import parquet as files  # noqa: PLC0415 (slow import)

    kinds = {"latency_ms": pyarrow.int64(), "tokens_in": pyarrow.int64(), "tokens_out": pyarrow.int64(),
             "cost_usd": pyarrow.float64()}  # fmt: skip
    names = ["id", "uid", *PLAIN, "tags", *FREE, "feedback"]
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it when it is sent)
    with files.ParquetWriter(file, schema) as writer:
        held: list[dict[str, Any]] = []
        for row in rows(project, since, until):
            held.append(row | {name: arrivals.json_value(row[name]) for name in ("tags", *FREE, "feedback")})
            if len(held) >= AT_ONCE:
                writer.write_table(pyarrow.Table.from_pylist(held, schema=schema))
                held = []
        writer.write_table(pyarrow.Table.from_pylist(held, schema=schema))
    file.seek(0)
    return file


def _said(project: Project, client_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    events = FeedbackEvent.objects.filter(project=project, call_client_id__in=client_ids).order_by("id")
    for event in events:
        found[event.call_client_id].append(
            {
                "id": event.client_id, "kind": event.kind, "value": event.value, "comment": event.comment,
                "correction": event.correction, "tags": event.tag_list, "voter": event.voter,
                "received_at": event.received_at.isoformat(),
            }
        )  # fmt: skip
    return found


def _row(call: Call, said: list[dict[str, Any]]) -> dict[str, Any]:
    plain = {name: getattr(call, name) for name in PLAIN}
    plain |= {"received_at": call.received_at.isoformat(), "started_at": call.started_at.isoformat()}
    free = {name: getattr(call, name) for name in FREE}
    return {
        "id": call.client_id, "uid": ids.public("call", call.uid), **plain, "tags": call.tag_list, **free,
        "feedback": said,
    }  # fmt: skip
