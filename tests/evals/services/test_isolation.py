"""What goes wrong in one run stays there: the others go on, and the broken one says why it failed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from evals.models import Example, Result, Run, RunEvaluator, Score, WorkItem
from evals.services import work
from evals.services.calling import Switchboard
from evals.services.desk import RunsDesk
from evals.services.isolation import MOST_TRIES, SHARED_TRIES, Wards
from llmops.audit.models import Event
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)


def two_runs(bench: Bench, rows: int = 20) -> tuple[Run, Run]:
    """The one that is about to break, and one beside it."""
    version = bench.prompt()
    return bench.start(bench.dataset(rows, "first"), version), bench.start(bench.dataset(rows, "second"), version)


def worked_on(bench: Bench, *runs: Run) -> None:
    bench.work()
    for run in runs:
        run.refresh_from_db()


def demand_only_the_first_failed(first: Run, second: Run, error: str) -> None:
    assert (first.state, first.reason) == (Run.State.FAILED, "internal")
    assert error in first.problem
    assert (second.state, Result.objects.filter(run=second, error_code="").count()) == (Run.State.DONE, 20)
    assert Event.objects.filter(name="run.failed").count() == 1


def test_a_row_that_the_database_refuses_fails_its_run_and_the_other_is_done(
    bench: Bench, capfd: Any, caplog: Any
) -> None:
    first, second = two_runs(bench)
    example = Example.objects.filter(dataset__slug="first").earliest("pk")
    Result.objects.create(project=bench.project, run=first, example=example, example_key=example.key, output="there")
    worked_on(bench, first, second)
    demand_only_the_first_failed(first, second, "IntegrityError")
    assert "runs.given_up" in capfd.readouterr().err + caplog.text  # wherever the log goes now
    assert Result.objects.get(run=first, example=example).output == "there"


def test_an_answer_that_cannot_be_stored_is_a_failed_result_and_its_run_goes_on(bench: Bench) -> None:
    first, second = two_runs(bench)
    with connection.cursor() as cursor:  # the database refuses this one answer, and nothing else
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER no_thirteen BEFORE INSERT ON evals_result WHEN NEW.output = 'text 13'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        else:
            cursor.execute("ALTER TABLE evals_result ADD CONSTRAINT no_thirteen CHECK (output <> 'text 13')")
    try:
        worked_on(bench, first, second)
    finally:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("DROP TRIGGER no_thirteen")
            else:
                cursor.execute("ALTER TABLE evals_result DROP CONSTRAINT no_thirteen")
    assert [first.state, second.state] == [Run.State.DONE, Run.State.DONE]
    for run in (first, second):
        codes = Counter(Result.objects.filter(run=run).values_list("error_code", flat=True))
        assert codes == {"": 19, "internal": 1}


def test_a_run_that_cannot_be_prepared_fails_and_the_other_is_done(bench: Bench) -> None:
    first, second = two_runs(bench)
    broken = Example.objects.filter(dataset__slug="first").earliest("pk")
    with connection.cursor() as cursor:  # no service writes such a row
        cursor.execute("UPDATE evals_example SET inputs = '[3]' WHERE id = %s", [broken.pk])
    worked_on(bench, first, second)
    demand_only_the_first_failed(first, second, "Error")


@pytest.mark.skipif(not settings.ON_SQLITE, reason="PostgreSQL keeps no text in a column of numbers")
def test_a_run_that_cannot_be_finished_fails_in_the_reconciler_and_the_other_is_done(bench: Bench) -> None:
    first, second = two_runs(bench)
    for run in (first, second):
        Run.objects.filter(pk=run.pk).update(is_planned=True, state=Run.State.RUNNING)
    example = Example.objects.filter(dataset__slug="first").earliest("pk")
    result = Result.objects.create(project=bench.project, run=first, example=example, example_key=example.key)
    version = RunEvaluator.objects.get(run=first).evaluator_version
    score = Score.objects.create(
        project=bench.project, run=first, result=result, evaluator_version=version, state="scored", value=1.0
    )
    with connection.cursor() as cursor:  # no service writes such a row
        cursor.execute("UPDATE evals_score SET value = 'nonsense' WHERE id = %s", [score.pk])
    work.reconcile()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.reason) == (Run.State.FAILED, "internal")
    assert second.state == Run.State.DONE


def test_items_taken_up_when_the_database_went_away_are_taken_up_again_at_once(bench: Bench) -> None:
    first, _ = two_runs(bench)
    broken: list[str] = []

    def cut(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "gateway_cacheentry" in sql and not broken:  # after the lease, before there are tickets
            broken.append(sql)
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    desk = RunsDesk(Switchboard())
    with connection.execute_wrapper(cut):
        tickets = desk.claim({}).tickets
    assert broken
    assert Counter(ticket.lane for ticket in tickets) == Counter({first.pk: 20, first.pk + 1: 20})
    assert desk.held.keys() == {ticket.job.item_id for ticket in tickets}
    assert set(WorkItem.objects.values_list("state", "attempts")) == {(WorkItem.State.LEASED, 1)}


def test_a_run_on_which_alone_the_database_keeps_failing_rests_and_fails_at_last(bench: Bench) -> None:
    first, second = two_runs(bench)
    now = 0.0
    wards = Wards(clock=lambda: now)

    def stuck() -> str:
        raise OperationalError("canceling statement due to statement timeout")

    for _ in range(SHARED_TRIES):
        with pytest.raises(OperationalError):
            wards.alone(first.pk, stuck, "otherwise")
    for _ in range(MOST_TRIES - SHARED_TRIES):
        assert not wards.rests(first.pk)
        assert wards.alone(first.pk, stuck, "otherwise") == "otherwise"
        assert wards.alone(second.pk, lambda: "fine", "otherwise") == "fine"
        now += 60.0
    first.refresh_from_db()
    assert (first.state, first.reason) == (Run.State.FAILED, "internal")
    assert not wards.rests(second.pk)


def test_a_run_that_rests_is_worked_on_again_once_the_database_serves_it(bench: Bench) -> None:
    first, _ = two_runs(bench)
    now = 0.0
    wards = Wards(clock=lambda: now)
    answers: list[Any] = [OperationalError("lock timeout")] * (SHARED_TRIES + 1)

    def act() -> str:
        if answers:
            raise answers.pop()
        return "done"

    for _ in range(SHARED_TRIES):
        with pytest.raises(OperationalError):
            wards.alone(first.pk, act, "")
    assert wards.alone(first.pk, act, "") == ""
    assert wards.rests(first.pk)
    now += 2.0
    assert not wards.rests(first.pk)
    assert wards.alone(first.pk, act, "") == "done"
    assert wards.failures == {}
