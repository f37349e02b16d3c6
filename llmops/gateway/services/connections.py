"""Create, change, archive and test connections. Keys are sealed at once and never shown again."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from llmops.audit import services as audit
from llmops.common import jobs
from llmops.common import text as intake
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Conflict, DomainError, Invalid, NotFound
from llmops.gateway import client, crypto, egress, queries, registry
from llmops.gateway.client import ConnectionConfig
from llmops.gateway.errors import ProviderError
from llmops.gateway.models import Connection
from llmops.gateway.services import attempts
from llmops.gateway.types import AttemptRecord, CompletionRequest, Message
from llmops.projects.models import Project

EDITABLE = frozenset({"name", "base_url", "model", "rpm", "tpm", "max_in_flight"})
MOST_IN_FLIGHT = 1000
MOST_A_MINUTE = 1_000_000_000
WAITING = "waiting"  # the test outcome until the worker has made the call
DEMO_NAME = "Demo"


@transaction.atomic
def create(
    *,
    project: Project,
    name: str,
    kind: str,
    by: Actor,
    base_url: str = "",
    key: str = "",
    model: str = "",
    rpm: int | None = None,
    tpm: int | None = None,
    max_in_flight: int = 50,
    is_default: bool = False,
) -> Connection:
    """A new connection; the project's first real one is its default.

    :raises Invalid: naming the field, for an unknown kind, a missing key, or an address that must not be called.
    :raises Conflict: when the name is taken.
    """
    if kind not in registry.KINDS:
        raise Invalid("There is no such kind.", fields={"kind": f"one of {', '.join(registry.KINDS)}"})
    name, key = name.strip(), key.strip()
    if registry.KINDS[kind].needs_key and not key:
        raise Invalid("The key is missing.", fields={"key": "enter the key of your account"})
    connection = Connection(
        project=project, name=name, kind=kind, base_url=checked_url(kind, base_url), model=model.strip(),
        rpm=rpm, tpm=tpm, max_in_flight=max_in_flight,
    )  # fmt: skip
    _check(connection)
    _seal(connection, key)
    try:
        with transaction.atomic():
            connection.save()
    except IntegrityError:
        raise Conflict(f"There is a connection “{name}” already.", fields={"name": "taken"}) from None
    default = Connection.objects.filter(project=project, is_default=True).first()
    # The demo is a stand-in: the first real account takes its place.
    if is_default or default is None or (default.kind == "demo" and kind != "demo"):
        _make_default(connection)
    audit.record("connection.created", by=by, target=connection, kind=kind, base_url=connection.base_url)
    return connection


@transaction.atomic
def edit(*, connection: Connection, by: Actor, key: str = "", **changes: Any) -> Connection:
    """Change what is in EDITABLE. A new address drops the stored key: it would be sent to another host.

    :raises Invalid: naming the field; also when the address changes and no key is entered for a kind that needs one.
    :raises Conflict: when the name is taken.
    """
    if unknown := changes.keys() - EDITABLE:
        raise TypeError(f"not editable: {sorted(unknown)}")
    connection = _locked(connection)
    changes = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
    if "base_url" in changes:
        changes["base_url"] = checked_url(connection.kind, changes["base_url"])
        if changes["base_url"] != connection.base_url and not key:
            if registry.KINDS[connection.kind].needs_key:
                raise Invalid("Enter the key again.", fields={"key": "the address changed; enter the key for it"})
            connection.sealed_key = connection.key_hint = ""
    before = {name: getattr(connection, name) for name, value in changes.items() if getattr(connection, name) != value}
    for name, value in changes.items():
        setattr(connection, name, value)
    _check(connection)
    if key:
        _seal(connection, key)
    connection.tested_at, connection.test_outcome = None, ""
    try:
        with transaction.atomic():
            connection.save()
    except IntegrityError:
        raise Conflict(f"There is a connection “{connection.name}” already.", fields={"name": "taken"}) from None
    after = {name: changes[name] for name in before}
    audit.record("connection.edited", by=by, target=connection, before=before, after=after, key_changed=bool(key))
    return connection


@transaction.atomic
def set_default(*, connection: Connection, by: Actor) -> None:
    """Use this connection where none is named."""
    connection = _locked(connection)
    _make_default(connection)
    audit.record("connection.made_default", by=by, target=connection)


@transaction.atomic
def archive(*, connection: Connection, by: Actor, now: datetime) -> None:
    """Forget the key and hide the connection; runs keep pointing at it.

    :raises Conflict: when it is the default and there is another one to choose.
    """
    connection = _locked(connection)
    others = Connection.objects.filter(project=connection.project, archived_at=None).exclude(pk=connection.pk)
    if connection.is_default and others.exists():
        raise Conflict("Make another connection the default first.")
    Connection.objects.filter(pk=connection.pk).update(archived_at=now, is_default=False, sealed_key="", key_hint="")
    audit.record("connection.archived", by=by, target=connection)


def ensure_demo(*, project: Project) -> Connection:
    """The project's demo connection, made if there is none: every project can be tried without a key."""
    found = Connection.objects.filter(project=project, kind="demo", archived_at=None).first()
    return found or create(project=project, name=DEMO_NAME, kind="demo", model="demo-1", by=SYSTEM)


def config_of(connection: Connection) -> ConnectionConfig:
    """What the client needs, the key opened; for workers.

    :raises Unavailable: when the sealing key has changed.
    """
    key = crypto.unseal(connection.sealed_key, project=connection.project.uid) if connection.sealed_key else ""
    return ConnectionConfig(
        id=connection.pk,
        project_id=connection.project_id,
        kind=connection.kind,
        base_url=connection.base_url or registry.KINDS[connection.kind].base_url,
        key=key,
        allow=egress.allowed(settings.LLMOPS_EGRESS_ALLOW),
        rpm=connection.rpm,
        tpm=connection.tpm,
        max_in_flight=connection.max_in_flight,
    )


@transaction.atomic
def ask_for_test(*, connection: Connection, by: Actor, now: datetime) -> None:
    """Start a test call; its outcome appears on the row."""
    connection = _locked(connection)
    Connection.objects.filter(pk=connection.pk).update(tested_at=now, test_outcome=WAITING)
    audit.record("connection.tested", by=by, target=connection)
    jobs.enqueue("gateway.test_connection", connection_id=connection.pk)


def test(*, connection: Connection, now: datetime) -> str:
    """Make one short call and write down how it went, in words; nothing of the remote answer is kept."""
    records: list[AttemptRecord] = []
    try:
        config = config_of(connection)
        outcome = asyncio.run(_one_call(config, connection.model, records))
    except DomainError as error:
        outcome = error.message
    else:
        prices = queries.price_overrides(connection.project_id)
        attempts.record_many(records, config=config, purpose="test", owner=connection.uid, prices=prices)
    Connection.objects.filter(pk=connection.pk).update(tested_at=now, test_outcome=outcome[:300])
    return outcome


async def _one_call(config: ConnectionConfig, model: str, records: list[AttemptRecord]) -> str:
    if not model:
        return "Enter a model first."
    request = CompletionRequest(model, (Message("user", "Say OK."),), {"max_output_tokens": 16})
    try:
        async with client.open_session(config) as session:
            answer = await session.complete(request, deadline_s=20, attempts=1, on_attempt=records.append)
    except ProviderError as error:
        return error.message
    return f"Good: {answer.model} answered in {answer.latency_ms} ms."


def checked_url(kind: str, base_url: str) -> str:
    """The address to store; empty for the kind's own.

    :raises Invalid: under `base_url`.
    """
    if kind == "demo":
        return ""
    if not base_url.strip():
        if registry.KINDS[kind].base_url:
            return ""
        raise Invalid("The address is missing.", fields={"base_url": "write the server's address, ending in /v1"})
    return egress.target(base_url, allow=egress.allowed(settings.LLMOPS_EGRESS_ALLOW)).url


def _locked(connection: Connection) -> Connection:
    """The row as it is now, held until the transaction ends: a stale copy must not bring an old key back.

    :raises NotFound: when it was archived meanwhile.
    """
    rows = Connection.objects.select_related("project").select_for_update(of=("self",))
    found = rows.filter(pk=connection.pk, archived_at=None).first()
    if found is None:
        raise NotFound("This connection is archived.")
    return found


def _check(connection: Connection) -> None:
    wrong: dict[str, str] = {}
    for name, most in (("name", 120), ("model", 200)):
        value = getattr(connection, name)
        if (name == "name" and not value) or len(value) > most or intake.problem(value):
            wrong[name] = f"1 to {most} characters" if name == "name" else f"at most {most} characters"
    for name, most in (("rpm", MOST_A_MINUTE), ("tpm", MOST_A_MINUTE), ("max_in_flight", MOST_IN_FLIGHT)):
        value = getattr(connection, name)
        if not (value is None and name != "max_in_flight") and not 1 <= value <= most:
            wrong[name] = f"1 to {most:,}"
    if wrong:
        raise Invalid("The connection is not acceptable.", fields=wrong)


def _seal(connection: Connection, key: str) -> None:
    if not key:
        return
    if len(key) > 500 or not key.isascii() or not key.isprintable() or " " in key:
        raise Invalid("The key is not acceptable.", fields={"key": "letters, digits and signs without spaces"})
    connection.sealed_key = crypto.seal(key, project=connection.project.uid)
    connection.key_hint = key[-4:] if len(key) >= 12 else "…"


def _make_default(connection: Connection) -> None:
    Connection.objects.filter(project=connection.project, is_default=True).update(is_default=False)
    Connection.objects.filter(pk=connection.pk).update(is_default=True)
    connection.is_default = True
