"""A try-out is a row that a worker fills."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connections as databases
from django.utils import timezone

from llmops.common.actors import Actor
from llmops.common.errors import Invalid, NotFound
from llmops.gateway.models import Attempt
from llmops.gateway.services import connections
from llmops.projects.models import Project
from prompts.models import TryOut
from prompts.services import tryouts
from tests.fake_provider import FakeProvider

TEXT = "---\nmodel: model-1\n---\nuser:\nGreet {{ name }}.\n"


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def connected(project: Project, by: Actor, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LLMOPS_EGRESS_ALLOW", [fake.host_port])
    connections.create(
        project=project, name="Fake", kind="openai-compatible", base_url=fake.openai_url, by=by, is_default=True
    )


def start(project: Project, by: Actor, **more: object) -> TryOut:
    return tryouts.start(project=project, text=TEXT, inputs={"name": "Ada"}, by=by, **more)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_the_answer_with_tokens_trace_and_attempts_is_kept(project: Project, by: Actor, connected: None) -> None:
    tryout = start(project, by)
    assert tryout.state == "waiting"
    tryouts.work(tryout_id=tryout.pk)
    tryout.refresh_from_db()
    assert (tryout.state, tryout.output, tryout.tokens_in, tryout.tokens_out) == ("done", "echo: Greet Ada.", 11, 7)
    assert tryout.trace["spans"][0]["input"] == [{"role": "user", "content": "Greet Ada."}]
    assert Attempt.objects.get().owner_uid == tryout.uid


@pytest.mark.django_db(transaction=True)
def test_a_second_worker_leaves_it_alone(project: Project, by: Actor, connected: None, fake: FakeProvider) -> None:
    tryout = start(project, by)
    tryouts.work(tryout_id=tryout.pk)
    tryouts.work(tryout_id=tryout.pk)
    assert fake.calls == 1


@pytest.mark.django_db(transaction=True)
def test_a_failure_says_what_happened(project: Project, by: Actor, connected: None, fake: FakeProvider) -> None:
    fake.script[:] = ["401"]
    tryout = start(project, by)
    tryouts.work(tryout_id=tryout.pk)
    tryout.refresh_from_db()
    assert (tryout.state, tryout.error) == ("failed", "The provider does not accept the key.")


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_call_is_given_up(project: Project, by: Actor, connected: None, fake: FakeProvider) -> None:
    fake.script[:] = ["hang"]
    tryout = start(project, by)

    def later() -> None:
        time.sleep(0.4)
        tryouts.cancel(tryout=tryout, now=timezone.now())
        databases.close_all()

    thread = threading.Thread(target=later)
    thread.start()
    tryouts.work(tryout_id=tryout.pk)
    thread.join()
    tryout.refresh_from_db()
    assert tryout.state == "cancelled"


def test_a_missing_input_or_connection_is_said_before_anything_is_called(project: Project, by: Actor) -> None:
    with pytest.raises(Invalid, match="name"):
        tryouts.start(project=project, text=TEXT, inputs={}, by=by)
    with pytest.raises(NotFound, match="connection"):
        start(project, by, connection_name="nobody")
    assert not TryOut.objects.exists()


def test_a_try_out_whose_worker_died_is_failed_not_repeated(project: Project, by: Actor) -> None:
    connections.ensure_demo(project=project)
    tryout = start(project, by)
    TryOut.objects.filter(pk=tryout.pk).update(state="running", created_at=timezone.now() - timedelta(minutes=5))
    now = timezone.now()
    assert tryouts.give_up_on_lost(older_than=now - timedelta(minutes=3), now=now) == 1
    tryout.refresh_from_db()
    assert tryout.state == "failed"
