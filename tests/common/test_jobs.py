"""Work is sent after the commit, by name, and a broker that is away never fails the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import NotRegistered
from django.db import transaction
from kombu.exceptions import OperationalError

from llmops.common import jobs

TASK = "tests.note"


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """What reaches the task, run in this process."""
    found: list[dict[str, Any]] = []

    def note(**ids: int | str) -> None:
        found.append(ids)

    current_app.task(name=TASK)(note)
    current_app.conf.task_always_eager = True
    yield found
    current_app.conf.task_always_eager = False
    current_app.tasks.pop(TASK)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_before_the_commit(sent: list[dict[str, Any]]) -> None:
    with transaction.atomic():
        jobs.enqueue(TASK, run_id=7)
        assert sent == []
    assert sent == [{"run_id": 7}]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_after_a_rollback(sent: list[dict[str, Any]]) -> None:
    with transaction.atomic():
        jobs.enqueue(TASK, run_id=7)
        transaction.set_rollback(True)
    assert sent == []


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_it_is_sent_at_once(sent: list[dict[str, Any]]) -> None:
    jobs.enqueue(TASK, slug="a")
    assert sent == [{"slug": "a"}]


def test_an_unknown_name_raises_before_anything_is_committed(db: None) -> None:
    with pytest.raises((NotRegistered, KeyError)), transaction.atomic():
        jobs.enqueue("tests.no_such_task")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError("away"), ConnectionRefusedError(), TimeoutError()])
def test_a_broker_that_is_away_is_logged_and_the_change_stands(
    sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setattr(current_app.tasks[TASK], "apply_async", refuse)
    with transaction.atomic():
        jobs.enqueue(TASK, run_id=7)
    assert [record.message for record in caplog.records] == ["job.not_sent"]


def test_a_fresh_web_process_finds_every_scheduled_and_routed_task() -> None:
    from django.conf import settings

    from llmops import celery_config

    current_app.loader.import_default_modules()
    named = {entry["task"] for entry in celery_config.beat_schedule.values()} | set(settings.CELERY["task_routes"])
    assert named <= set(current_app.tasks)
