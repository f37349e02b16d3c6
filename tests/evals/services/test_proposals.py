"""Rows that a model proposes: asked by a task, read strictly, decided by people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Example, Proposal, ProposalRequest
from evals.queries import datasets as queries
from evals.services import example_erasure, proposals, proposing
from llmops.common.errors import Conflict, Invalid
from llmops.gateway.models import Attempt
from llmops.gateway.services import connections
from tests.evals.conftest import Bench

pytestmark = pytest.mark.django_db(transaction=True)

PARCEL = "My parcel was to come on Monday, and nobody has seen the courier since then."


def answer(*texts: str, **more: Any) -> str:
    rows = [{"inputs": {"text": text}, "expected": "delivery", "tags": ["late"], **more} for text in texts]
    return json.dumps({"rows": rows})


def asked(bench: Bench, says: str, **wanted: Any) -> ProposalRequest:
    """A request that the model server answered with `says`."""
    bench.fake.answer = lambda text: says
    dataset = wanted.pop("dataset", None) or bench.dataset([ExampleRow(inputs={"text": PARCEL}, expected="delivery")])
    given = {"description": "Late parcels", "model": "model-1", "count": 3} | wanted
    made = proposals.start(project=bench.project, wanted=proposals.Wanted(dataset=dataset, **given), by=bench.by)
    proposing.work(request_id=made.pk)
    made.refresh_from_db()
    return made


def rows_of(made: ProposalRequest) -> list[Proposal]:
    return list(Proposal.objects.filter(request=made).order_by("position"))


def test_rows_of_the_answer_are_proposed_and_the_cost_is_kept(bench: Bench) -> None:
    made = asked(bench, answer("The courier rang at the wrong door.", "Two of the three boxes came."), split="dev")
    assert (made.state, made.error, made.problems) == ("done", "", [])
    first, second = rows_of(made)
    assert first.content["inputs"] == {"text": "The courier rang at the wrong door."}
    assert (first.state, first.content["split"], second.content["tags"]) == ("proposed", "dev", ["late"])
    assert made.tokens_in
    assert made.tokens_out
    attempt = Attempt.objects.get(owner_uid=made.uid)
    assert (attempt.purpose, attempt.outcome) == ("propose", "ok")
    assert queries.examples_of(made.dataset).count() == 1  # nothing is added before a person says so


def test_rows_that_repeat_others_are_marked(bench: Bench) -> None:
    made = asked(
        bench, answer(PARCEL.upper(), "Quite another question about ferns.", "quite another question  about ferns")
    )
    repeated, fresh, again = rows_of(made)
    assert repeated.like_key == queries.examples_of(made.dataset)[0].key
    assert repeated.likeness == 1.0
    assert (fresh.like_key, fresh.like_position) == (None, None)
    assert again.like_position == 2
    assert again.likeness is not None
    assert 0.8 <= again.likeness <= 1.0


def test_an_answer_that_cannot_be_read_is_an_error_with_the_text_shown(bench: Bench) -> None:
    made = asked(bench, "I would rather write a poem.")
    assert made.state == "failed"
    assert "could not be read" in made.error
    assert made.answer == "I would rather write a poem."
    assert made.tokens_out
    assert not rows_of(made)


def test_a_row_that_is_no_example_is_a_problem_and_the_others_are_kept(bench: Bench) -> None:
    says = json.loads(answer("A good row about a lost box."))
    says["rows"].append({"inputs": {"text": "x"}, "expected": None, "tags": ["y" * 100]})
    made = asked(bench, json.dumps(says))
    assert [row.position for row in rows_of(made)] == [1]
    assert made.problems[0]["row"] == 2
    assert "60" in made.problems[0]["reason"]


def test_a_provider_that_fails_is_told_and_recorded(bench: Bench) -> None:
    bench.fake.script = ["401"]
    made = asked(bench, "")
    assert made.state == "failed"
    assert made.error
    [attempt] = Attempt.objects.filter(owner_uid=made.uid)
    assert (attempt.outcome, attempt.http_status) == ("auth", 401)


def test_an_accepted_row_becomes_an_example_that_says_where_it_comes_from(bench: Bench) -> None:
    made = asked(bench, answer("The courier rang at the wrong door."))
    [row] = rows_of(made)
    uid = proposals.accept(proposal=row, by=bench.by, now=timezone.now())
    example = queries.example_in(made.dataset, uid)
    origin = example.metadata["proposed_by"]
    assert (origin["kind"], origin["model"], origin["prompt"]) == ("model", made.model_answered, "Late parcels")
    assert len(origin["prompt_sha256"]) == 64
    assert origin["edited"] is False
    assert (example.source_kind, example.source_uid) == ("proposal", made.uid)
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.example_key) == ("accepted", bench.by.text, example.key)


def test_an_edited_row_is_stored_as_edited_and_cannot_fake_its_origin(bench: Bench) -> None:
    [row] = rows_of(asked(bench, answer("The courier rang at the wrong door.")))
    content = {**row.content, "expected": "complaint", "metadata": {"proposed_by": "me", "id": 7}}
    uid = proposals.accept(proposal=row, by=bench.by, now=timezone.now(), content=content)
    example = queries.example_in(row.request.dataset, uid)
    assert example.expected == "complaint"
    assert example.metadata["id"] == 7
    assert example.metadata["proposed_by"]["edited"] is True
    row.refresh_from_db()
    assert row.is_edited


def test_a_row_is_decided_once(bench: Bench) -> None:
    first, second = rows_of(asked(bench, answer("The courier rang at the wrong door.", "Two boxes came.")))
    now = timezone.now()
    proposals.accept(proposal=first, by=bench.by, now=now)
    proposals.refuse(proposal=second, by=bench.by, now=now)
    for row in (first, second):
        with pytest.raises(Conflict):
            proposals.accept(proposal=Proposal.objects.get(pk=row.pk), by=bench.by, now=now)
        with pytest.raises(Conflict):
            proposals.refuse(proposal=Proposal.objects.get(pk=row.pk), by=bench.by, now=now)
    assert Example.objects.count() == 2


def test_a_refused_edit_leaves_the_row_to_be_decided(bench: Bench) -> None:
    [row] = rows_of(asked(bench, answer("The courier rang at the wrong door.")))
    with pytest.raises(Invalid):
        proposals.accept(proposal=row, by=bench.by, now=timezone.now(), content={"inputs": {}})
    row.refresh_from_db()
    assert row.state == "proposed"


def test_hard_rows_go_along_with_what_came_out_and_what_was_said(bench: Bench) -> None:
    dataset, version = bench.dataset(3), bench.prompt()
    bench.fake.answer = lambda text: "nonsense" if text == "text 1" else text
    run = bench.start(dataset, version)
    bench.work()
    made = asked(bench, answer("text ninety"), dataset=dataset, source="hard_rows", run=run, description="")
    material = json.loads(made.messages[1]["content"])
    [hard] = material["failed_rows"]
    assert (hard["inputs"], hard["output"]) == ({"text": "text 1"}, "nonsense")
    assert hard["verdicts"][0].startswith("exact_match: fail")
    assert made.state == "done"


def test_the_rarest_topics_are_chosen_when_none_are_named(bench: Bench) -> None:
    rows = [ExampleRow(inputs={"text": f"t{n}"}, tags=["often"] if n else ["seldom"]) for n in range(6)]
    made = asked(bench, answer("x y z"), dataset=bench.dataset(rows), source="tags")
    assert made.tags == ["seldom", "often"]
    assert json.loads(made.messages[1]["content"])["topics"][0] == {"tag": "seldom", "rows_now": 1}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"description": "  "}, "description"),
        ({"description": "x" * 5_000}, "description"),
        ({"count": 0}, "count"),
        ({"count": 21}, "count"),
        ({"source": "dreams"}, "source"),
        ({"source": "hard_rows"}, "run"),
        ({"source": "tags"}, "tags"),
        ({"tags": ["x" * 100], "source": "tags"}, "tags"),
        ({"split": "s" * 50}, "split"),
        ({"model": ""}, "model"),
    ],
)
def test_what_cannot_be_asked_names_the_field(bench: Bench, wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        asked(bench, "", **wanted)
    assert field in refused.value.fields
    assert not ProposalRequest.objects.exists()


def test_a_cancelled_request_is_not_answered_and_a_second_worker_does_nothing(bench: Bench) -> None:
    bench.fake.answer = lambda text: answer("Something else entirely.")
    dataset = bench.dataset(1)
    wanted = proposals.Wanted(dataset=dataset, description="More", model="model-1")
    made = proposals.start(project=bench.project, wanted=wanted, by=bench.by)
    proposals.cancel(request=made, by=bench.by, now=timezone.now())
    proposing.work(request_id=made.pk)
    assert not Attempt.objects.filter(owner_uid=made.uid).exists()
    again = proposals.start(project=bench.project, wanted=wanted, by=bench.by)
    proposing.work(request_id=again.pk)
    proposing.work(request_id=again.pk)
    assert Attempt.objects.filter(owner_uid=again.uid).count() == 1
    assert len(rows_of(again)) == 1


def test_a_lost_request_is_given_up(bench: Bench) -> None:
    wanted = proposals.Wanted(dataset=bench.dataset(1), description="More", model="model-1")
    made = proposals.start(project=bench.project, wanted=wanted, by=bench.by)
    now = timezone.now()
    assert proposals.give_up_on_lost(older_than=now, now=now) == 1
    made.refresh_from_db()
    assert made.state == "failed"
    assert "Ask again" in made.error


def test_the_demo_provider_proposes_offline(bench: Bench) -> None:
    demo = connections.ensure_demo(project=bench.project)
    made = asked(bench, "", connection=demo.name, model="")
    assert made.state == "done", made.error
    rows = rows_of(made)
    assert len(rows) == 3
    assert all("no model" in row.content["inputs"]["text"] for row in rows)
    assert made.cost_usd == 0


def test_erasing_a_row_erases_what_questions_and_proposals_kept_of_it(bench: Bench) -> None:
    made = asked(bench, answer("The courier rang at the wrong door.", "Two boxes came."))
    row, other = rows_of(made)
    uid = proposals.accept(proposal=row, by=bench.by, now=timezone.now())
    assert PARCEL in str(made.messages)
    example_erasure.erase(dataset=made.dataset, uid=uid, by=bench.by, now=timezone.now())
    made.refresh_from_db()
    row.refresh_from_db()
    assert (made.messages, made.answer, row.content["inputs"]) == ([], "", {})
    later = proposals.accept(proposal=other, by=bench.by, now=timezone.now())
    assert queries.example_in(made.dataset, later).metadata["proposed_by"]["prompt_sha256"] is None
