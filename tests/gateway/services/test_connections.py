"""Connections: what may be saved, what happens to keys, what a test leaves behind."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import Settings

from llmops.audit.models import Event
from llmops.common.actors import SYSTEM, Actor
from llmops.common.errors import Conflict, Invalid, NotFound, Unavailable
from llmops.gateway import crypto, queries, tasks
from llmops.gateway.models import Attempt, Connection
from llmops.gateway.services import connections
from llmops.projects.models import Project
from tests.fake_provider import FakeProvider

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
KEY = "sk-very-secret-key-0123456789"


@pytest.fixture
def openai(project: Project, by: Actor) -> Connection:
    return connections.create(project=project, name="Main", kind="openai", key=KEY, by=by)


@pytest.fixture
def fake(settings: Settings) -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        settings.LLMOPS_EGRESS_ALLOW = [f" {fake.host_port} "]
        yield fake


def test_the_first_real_account_takes_the_demos_place_as_the_default(project: Project, by: Actor) -> None:
    demo = connections.ensure_demo(project=project)
    assert queries.connection_in(project) == demo
    account = connections.create(project=project, name="Account", kind="openai", key=KEY, by=by)
    assert queries.connection_in(project) == account
    connections.create(project=project, name="Second account", kind="openai", key=KEY, by=by)
    connections.create(project=project, name="Second demo", kind="demo", by=by)
    assert queries.connection_in(project) == account
    connections.set_default(connection=demo, by=by)
    assert [one.name for one in queries.connections_in(project)] == ["Demo", "Account", "Second account", "Second demo"]
    asked = connections.create(project=project, name="Third", kind="demo", is_default=True, by=by)
    assert queries.connection_in(project) == asked


def test_names_are_unique_in_a_project_whatever_their_case(
    project: Project, other_project: Project, openai: Connection, by: Actor
) -> None:
    with pytest.raises(Conflict):
        connections.create(project=project, name=" MAIN ", kind="demo", by=by)
    connections.create(project=other_project, name="Main", kind="demo", by=by)
    other = connections.create(project=project, name="Other", kind="demo", by=by)
    with pytest.raises(Conflict):
        connections.edit(connection=other, name="main", by=by)


def test_the_database_refuses_two_defaults(project: Project, openai: Connection) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Connection.objects.create(project=project, name="Second", kind="demo", is_default=True)


def test_a_key_is_sealed_for_its_project(project: Project, other_project: Project, openai: Connection) -> None:
    assert KEY not in openai.sealed_key
    assert connections.config_of(openai).key == KEY
    assert KEY not in repr(connections.config_of(openai))
    with pytest.raises(Unavailable):
        crypto.unseal(openai.sealed_key, project=other_project.uid)


def test_a_new_address_drops_the_key_so_that_no_other_host_gets_it(project: Project, by: Actor) -> None:
    server = connections.create(
        project=project, name="Own", kind="openai-compatible", base_url="https://a.example/v1", key=KEY, by=by
    )
    kept = connections.edit(connection=server, base_url=" https://A.example/v1/ ", by=by)
    assert connections.config_of(kept).key == KEY
    moved = connections.edit(connection=server, base_url="https://b.example/v1", by=by)
    assert (moved.sealed_key, moved.key_hint, connections.config_of(moved).key) == ("", "", "")


def test_a_stale_copy_brings_no_dropped_key_back(project: Project, by: Actor) -> None:
    server = connections.create(
        project=project, name="Own", kind="openai-compatible", base_url="https://a.example/v1", key=KEY, by=by
    )
    stale = Connection.objects.get(pk=server.pk)
    connections.edit(connection=server, base_url="https://b.example/v1", by=by)
    now = connections.edit(connection=stale, name="Renamed", by=by)
    assert (now.base_url, now.sealed_key) == ("https://b.example/v1", "")


def test_an_account_that_needs_a_key_is_not_moved_without_it(openai: Connection, by: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        connections.edit(connection=openai, base_url="https://b.example/v1", by=by)
    assert set(refused.value.fields) == {"key"}
    openai.refresh_from_db()
    assert (openai.base_url, connections.config_of(openai).key) == ("", KEY)


def test_an_archived_connection_is_gone_with_its_key(project: Project, openai: Connection, by: Actor) -> None:
    demo = connections.ensure_demo(project=project)
    assert connections.ensure_demo(project=project) == demo
    with pytest.raises(Conflict):
        connections.archive(connection=openai, by=by, now=NOW)
    connections.set_default(connection=demo, by=by)
    connections.archive(connection=openai, by=by, now=NOW)
    stored = Connection.objects.get(pk=openai.pk)
    assert (stored.sealed_key, stored.archived_at) == ("", NOW)
    for change in (
        lambda: connections.edit(connection=openai, name="Back", by=by),
        lambda: connections.set_default(connection=openai, by=by),
    ):
        with pytest.raises(NotFound):
            change()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"kind": "openai"}, "key"),
        ({"kind": "openai-compatible"}, "base_url"),
        ({"kind": "openai-compatible", "base_url": "http://127.0.0.1:11434/v1"}, "base_url"),
        ({"kind": "openai", "key": "two words"}, "key"),
        ({"kind": "openai", "key": "schlüssel-schlüssel"}, "key"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"model": "x" * 201}, "model"),
        ({"rpm": 0}, "rpm"),
        ({"tpm": 10**12}, "tpm"),
        ({"max_in_flight": 1001}, "max_in_flight"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(
    project: Project, by: Actor, values: dict[str, object], field: str
) -> None:
    given: dict[str, object] = {"name": "New", "kind": "demo"} | values
    with pytest.raises(Invalid) as refused:
        connections.create(project=project, by=by, **given)  # type: ignore[arg-type]
    assert set(refused.value.fields) == {field}


def test_nothing_of_the_key_stands_in_the_audit_trail(openai: Connection, by: Actor) -> None:
    connections.edit(connection=openai, name="Renamed", key="sk-another-secret-key-1", by=by)
    ours = Event.objects.filter(name__startswith="connection.", target_id=str(openai.pk)).order_by("id")
    events = list(ours.values_list("name", "data"))
    assert [name for name, _ in events] == ["connection.created", "connection.edited"]
    assert events[1][1] == {"before": {"name": "Main"}, "after": {"name": "Renamed"}, "key_changed": True}
    assert "secret" not in str(events)


def test_a_test_makes_one_call_and_records_it(project: Project, by: Actor, fake: FakeProvider) -> None:
    server = connections.create(
        project=project, name="Own", kind="openai-compatible", base_url=fake.openai_url, key=KEY, model="m", by=by
    )
    connections.ask_for_test(connection=server, by=by, now=NOW)
    tasks.test_connection(connection_id=server.pk)
    server.refresh_from_db()
    assert server.test_outcome.startswith("Good: m answered in")
    attempt = Attempt.objects.get(project=project)
    assert (attempt.purpose, attempt.owner_uid, attempt.outcome, attempt.cost_usd) == ("test", server.uid, "ok", None)
    fake.script[:] = ["401"]
    tasks.test_connection(connection_id=server.pk)
    server.refresh_from_db()
    assert server.test_outcome == "The provider does not accept the key."


def test_a_test_says_when_the_sealing_key_is_lost(openai: Connection, settings: Settings) -> None:
    from cryptography.fernet import Fernet

    settings.LLMOPS_SEALING_KEYS = [Fernet.generate_key().decode()]
    assert "sealing key has changed" in connections.test(connection=openai, now=NOW)


def test_a_test_of_a_connection_that_is_gone_does_nothing(project: Project, openai: Connection) -> None:
    connections.set_default(connection=connections.ensure_demo(project=project), by=SYSTEM)
    connections.archive(connection=openai, by=SYSTEM, now=NOW)
    tasks.test_connection(connection_id=openai.pk)
    tasks.test_connection(connection_id=10**9)
    assert not Attempt.objects.exists()


def test_the_operators_command_adds_a_connection(project: Project, settings: Settings) -> None:
    settings.LLMOPS_EGRESS_ALLOW = ["127.0.0.1:9999"]
    out = io.StringIO()
    call_command(
        "add_connection", "garden", kind="openai-compatible", url="http://127.0.0.1:9999/v1", key=KEY, name="Local",
        model="llama", default=True, stdout=out,
    )  # fmt: skip
    made = queries.connection_in(project)
    assert (made.name, made.base_url, made.model) == ("Local", "http://127.0.0.1:9999/v1", "llama")
    assert KEY not in out.getvalue()
    with pytest.raises(CommandError, match="https"):
        call_command("add_connection", "garden", kind="openai-compatible", url="http://127.0.0.1:1/v1")


def test_the_operators_command_rotates_sealing_keys(openai: Connection, settings: Settings) -> None:
    from cryptography.fernet import Fernet

    new = Fernet.generate_key().decode()
    settings.LLMOPS_SEALING_KEYS = [new, *settings.LLMOPS_SEALING_KEYS]
    call_command("rotate_sealing_keys", stdout=io.StringIO())
    settings.LLMOPS_SEALING_KEYS = [new]
    openai.refresh_from_db()
    assert connections.config_of(openai).key == KEY
