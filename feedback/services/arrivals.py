"""What calls and feedback share on arrival: the idempotency wall, keyed hashes of people, multi-row inserts.

Plain SQL, built once for each shape: the ORM's share of the time would be a third of a request.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, models, transaction

from feedback.models import Seen

T = TypeVar("T")
State = Literal["new", "repeated", "conflict"]
ROWS_AT_ONCE = 500
FEW = 4


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event before the wall. `body_hash` tells a repeated event from another one under the same id."""

    client_id: str
    body_hash: bytes
    uid: UUID


@dataclass(frozen=True, slots=True)
class Admission:
    """`new` is to be stored; `repeated` is stored already, as `uid`; `conflict` has the id of a different event."""

    state: State
    uid: UUID


def digest(body: bytes) -> bytes:
    """The 16 bytes by which bodies and client ids are compared."""
    return hashlib.blake2b(body, digest_size=16).digest()


def keyed_hash(project_uid: UUID, text: str) -> str:
    """A person's or session's name as 32 hex digits that nobody without the secret key can turn back."""
    key = _hash_key(project_uid, settings.SECRET_KEY)
    return hashlib.blake2b(text.encode(), key=key, digest_size=16).hexdigest()


@lru_cache(maxsize=1024)
def _hash_key(project_uid: UUID, secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), key=project_uid.bytes, digest_size=32).digest()


@dataclass(slots=True, eq=False)
class _Write:
    """Statements that wait for a transaction, and what became of them."""

    statements: Callable[[], Any]
    result: Any = None
    error: Exception | None = None
    is_done: bool = False


# SQLite has one writer, and its waiters sleep in steps of up to 100 ms: threads of one process take turns instead.
_turn = threading.Lock()
_waiting: deque[_Write] = deque()


def commit(statements: Callable[[], T]) -> T:
    """Run the statements in a transaction of ingestion; when this returns, what they stored is on disk.

    On SQLite the writes that wait while another one is synced share the next transaction, and so one sync of the disk.
    PostgreSQL groups commits itself. `statements` may run twice, in any thread, and the first time may be rolled back.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            return statements()
    mine = _Write(statements)
    _waiting.append(mine)
    with _turn:
        if not mine.is_done:
            _write_together(mine)
    if mine.error is not None:
        raise mine.error
    return cast("T", mine.result)


def _write_together(mine: _Write) -> None:
    """Everything that waits, in one transaction; if one of them fails, each in its own."""
    writes = [mine]
    while _waiting:
        if (write := _waiting.popleft()) is not mine:
            writes.append(write)
    try:
        with transaction.atomic():
            for write in writes:
                write.result = write.statements()
    except Exception:  # noqa: BLE001 (it comes again below, for the one that it belongs to)
        for write in writes:
            _write_alone(write)
    for write in writes:
        write.is_done = True


def _write_alone(write: _Write) -> None:
    try:
        with transaction.atomic():
            write.result = write.statements()
    except Exception as error:  # noqa: BLE001 (raised in the thread that waits for it)
        write.error = error


def admit(*, project_id: int, kind: Seen.Kind, arrivals: Sequence[Arrival], received_on: date) -> list[Admission]:
    """Put the events through the wall, inside the caller's transaction; answers are in the order of `arrivals`.

    Two requests that race with one id are told apart by the unique constraint: the second waits for the first's
    commit and then reads its row.
    """
    first: dict[bytes, Arrival] = {}
    names = [digest(arrival.client_id.encode()) for arrival in arrivals]
    for name, arrival in zip(names, arrivals, strict=True):
        first.setdefault(name, arrival)
    day = connection.ops.adapt_datefield_value(received_on)
    # Sorted, so that two batches with the same ids take their locks in one order.
    rows = [(project_id, int(kind), name, first[name].body_hash, first[name].uid.hex, day) for name in sorted(first)]
    inserted = insert(
        Seen,
        ("project_id", "kind", "client_id_hash", "body_hash", "uid", "received_on"),
        rows,
        "ON CONFLICT (project_id, kind, client_id_hash) DO NOTHING RETURNING client_id_hash",
    )
    new = {bytes(name) for (name,) in inserted}
    kept = {name: (arrival.body_hash, arrival.uid) for name, arrival in first.items() if name in new}
    if len(new) < len(first):
        kept |= _stored(project_id, kind, [name for name in first if name not in new])
    return [
        _admission(arrival, is_first=name in new and first[name] is arrival, kept=kept[name])
        for name, arrival in zip(names, arrivals, strict=True)
    ]


def _admission(arrival: Arrival, *, is_first: bool, kept: tuple[bytes, UUID]) -> Admission:
    if is_first:
        return Admission("new", arrival.uid)
    body_hash, uid = kept
    return Admission("repeated" if body_hash == arrival.body_hash else "conflict", uid)


def _stored(project_id: int, kind: Seen.Kind, names: list[bytes]) -> dict[bytes, tuple[bytes, UUID]]:
    rows = Seen.objects.filter(project_id=project_id, kind=kind, client_id_hash__in=names)
    return {
        bytes(name): (bytes(body), uid) for name, body, uid in rows.values_list("client_id_hash", "body_hash", "uid")
    }


def insert(
    model: type[models.Model], columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], ending: str = ""
) -> list[tuple[Any, ...]]:
    """Insert rows of adapted values in as few statements as parameters allow; returns what RETURNING gives.

    Both databases take a UUID as 32 hex digits.

    PostgreSQL gets more than FEW rows as a COPY, or with an ending as a list for each column: psycopg looks for
    placeholders in every long statement anew, which for a batch of 2,800 values takes longer than everything else.
    """
    is_many = connection.vendor == "postgresql" and len(rows) > FEW
    if is_many and not ending:
        _copy(model, columns, rows)
        return []
    returned: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            if is_many:
                sql = _statement_of_lists(model, columns, ending)
                cursor.execute(sql, [_list(values) for values in zip(*part, strict=True)])
            else:
                sql = _statement(model._meta.db_table, columns, len(part), ending)
                cursor.execute(sql, [value for row in part for value in row])
            if "RETURNING" in ending:
                returned += cursor.fetchall()
    return returned


def _copy(model: type[models.Model], columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    sql = f'COPY "{model._meta.db_table}" ({_names(columns)}) FROM STDIN'
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


@lru_cache(maxsize=64)
def _statement(table: str, columns: tuple[str, ...], rows: int, ending: str) -> str:
    # Names come from this code alone; values are parameters.
    row = f"({', '.join(['%s'] * len(columns))})"
    return f'INSERT INTO "{table}" ({_names(columns)}) VALUES {", ".join([row] * rows)} {ending}'  # noqa: S608


@lru_cache(maxsize=64)
def _statement_of_lists(model: type[models.Model], columns: tuple[str, ...], ending: str) -> str:
    """Types are without their length, because a cast to `varchar(9)` cuts silently."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    kinds = [str(fields[column].db_type(connection)).partition("(")[0] for column in columns]
    lists = ", ".join(f"%s::{kind}[]" for kind in kinds)
    return f'INSERT INTO "{model._meta.db_table}" ({_names(columns)}) SELECT * FROM unnest({lists}) {ending}'  # noqa: S608


def _list(values: Iterable[Any]) -> str:
    """A column in the text form of PostgreSQL's arrays; psycopg's own way takes ten times as long."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def time_value(moment: datetime) -> Any:
    """A time as the database at hand wants it."""
    return connection.ops.adapt_datetimefield_value(moment)


def json_value(value: Any) -> str | None:
    """JSON text, or None for null: whole numbers over 64 bits take the slower road."""
    if value is None:
        return None
    return json_bytes(value).decode()


def json_bytes(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def joined_tags(tags: Iterable[str]) -> str:
    """Tags as the column keeps them: `|one|two|`."""
    kept = [tag for tag in dict.fromkeys(tag.replace("|", "/").strip() for tag in tags) if tag]
    return f"|{'|'.join(kept)}|" if kept else ""
