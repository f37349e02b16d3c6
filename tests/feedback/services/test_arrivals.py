"""Rows arrive as they were sent; writes that wait for SQLite's one writer share a transaction, but no mistakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.db import DataError, connection, connections, transaction
from django.utils import timezone

from feedback.models import Call, Refusal, Seen
from feedback.services import arrivals
from llmops.common import ids
from llmops.projects.models import Project

pytestmark = pytest.mark.django_db(transaction=True)


def admit(project: Project, name: str) -> list[arrivals.Admission]:
    entry = arrivals.Arrival(name, arrivals.digest(name.encode()), ids.uuid7())
    return arrivals.admit(
        project_id=project.pk, kind=Seen.Kind.CALL, arrivals=[entry], received_on=date(2026, 3, 4)
    )  # fmt: skip


def in_thread(pool: ThreadPoolExecutor, statements: Callable[[], Any]) -> Future[Any]:
    def work() -> Any:
        try:
            return arrivals.commit(statements)
        finally:
            connections.close_all()

    return pool.submit(work)


def test_a_failing_write_takes_no_waiting_one_with_it(project: Project) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL groups commits itself")
    go, begun, transactions = threading.Event(), threading.Event(), set()

    def first() -> list[arrivals.Admission]:
        begun.set()
        go.wait(10)
        return admit(project, "first")

    def other(name: str) -> Callable[[], list[arrivals.Admission]]:
        def statements() -> list[arrivals.Admission]:
            transactions.add(threading.get_ident())
            return admit(project, name)

        return statements

    def broken() -> None:
        admit(project, "broken")
        raise RuntimeError("on purpose")

    with ThreadPoolExecutor(4) as pool:
        slow = in_thread(pool, first)
        assert begun.wait(10)
        waiting = [in_thread(pool, statements) for statements in (other("a"), broken, other("b"))]
        while len(arrivals._waiting) < len(waiting):
            time.sleep(0.001)
        go.set()
        assert [found.result()[0].state for found in (slow, waiting[0], waiting[2])] == ["new"] * 3
        with pytest.raises(RuntimeError, match="on purpose"):
            waiting[1].result()
    assert len(transactions) == 1, "they waited, and still each took a transaction of its own"
    names = {arrivals.digest(name.encode()) for name in ("first", "a", "b")}
    assert {bytes(name) for name in Seen.objects.values_list("client_id_hash", flat=True)} == names


def test_many_threads_store_everything_once(project: Project) -> None:
    names = [f"call {number // 2}" for number in range(200)]  # each is sent twice
    with ThreadPoolExecutor(8) as pool:
        found = [in_thread(pool, lambda name=name: admit(project, name)) for name in names]  # type: ignore[misc]
        states = [one.result()[0].state for one in found]
    assert (states.count("new"), states.count("repeated")) == (100, 100)
    assert Seen.objects.count() == 100


@pytest.mark.parametrize("ending", ["", "ON CONFLICT DO NOTHING"])
def test_every_text_and_number_is_stored_as_it_came(project: Project, ending: str) -> None:
    texts = ["", "NULL", "it's", 'a"b', "{x,y}", "\\", "\\\\n", "\\.", "\\N", "\\x41"]
    texts += ["%s %(a)s", "é😀", " two\nlines\t", "{}"]
    at = arrivals.time_value(timezone.now())
    numbers = [None, 0, 1, 2.5, -1e300, 1 / 3]
    columns = ("uid", "project_id", "client_id", "inputs", "output", "received_at", "started_at", "hour", "cost_usd")
    columns += ("artifact_path", "commit", "label", "session", "end_user", "environment", "model", "tags", "error")
    columns += ("repaired", "masked")
    rows = [
        (
            ids.uuid7().hex, project.pk, f"c{n}", arrivals.json_value({"text": text}), None, at, at, 0,
            numbers[n % len(numbers)], *[text] * 9, False, 0,
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip
    arrivals.insert(Call, columns, rows, ending)
    found = Call.objects.filter(project=project).order_by("id")
    assert [(call.inputs, call.error, call.output) for call in found] == [({"text": one}, one, None) for one in texts]
    assert [call.cost_usd for call in found] == [numbers[n % len(numbers)] for n in range(len(texts))]


@pytest.mark.postgres
@pytest.mark.parametrize("ending", ["", "ON CONFLICT DO NOTHING"])
@pytest.mark.parametrize("rows", [1, arrivals.FEW + 1])
def test_a_text_that_is_too_long_is_refused_and_never_cut(project: Project, rows: int, ending: str) -> None:
    columns = ("project_id", "hour", "entry", "reason", "field", "count", "sample", "last_at")
    row = (project.pk, 0, "calls", "x" * 41, "", 1, "", timezone.now())
    with pytest.raises(DataError), transaction.atomic():
        arrivals.insert(Refusal, columns, [(*row[:1], hour, *row[2:]) for hour in range(rows)], ending)
