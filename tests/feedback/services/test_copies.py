"""What was copied of a person's calls goes with them."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from evals.importers.rows import ExampleRow
from evals.models import Example, JudgeVote, Proposal, ProposalRequest, Result, Score
from evals.services import dataset_examples, datasets, proposals, proposing
from feedback.models import Call, Erasure, InboxItem, ItemTag, QueueItem, Theme, ThemeDraft
from feedback.services import arrivals, erasures, filling, settling, theme_drafting, theme_drafts, theme_rows
from prompts.models import TryOut
from tests.evals.conftest import Bench
from tests.feedback import labeling
from tests.feedback.complaining import LATE, REFUND, complain

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def theme(bench: Bench) -> Theme:
    """Six complaints, of which the first one's call is Ada's."""
    found = Theme.objects.create(project=bench.project, slug="late-parcel", name="Late, parcel", terms=["late"])
    complain(bench.project, LATE, theme=found, correction="delivery")
    person = arrivals.keyed_hash(bench.project.uid, "ada")
    Call.objects.filter(client_id="c-5").rewrite(end_user=person)
    return found


def erase(bench: Bench) -> Erasure:
    return erasures.start(project=bench.project, end_user="ada", by=bench.by, now=timezone.now())


def drafted(bench: Bench, theme: Theme) -> ThemeDraft:
    bench.fake.answer = lambda text: json.dumps({"name": "Parcels that come late"})
    made = theme_drafts.ask_name(theme=theme, by=bench.by, model="model-1")
    theme_drafting.work(draft_id=made.pk)
    made.refresh_from_db()
    return made


def test_drafts_of_the_persons_themes_forget_what_they_quote(bench: Bench, theme: Theme) -> None:
    other = Theme.objects.create(project=bench.project, slug="refund", name="Refund", terms=["refund"])
    complain(bench.project, REFUND, prefix="r", theme=other)
    mine, others = drafted(bench, theme), drafted(bench, other)
    waiting = theme_drafts.ask_name(theme=theme, by=bench.by, model="model-1")
    assert "late" in json.dumps(mine.messages)
    erase(bench)
    for draft, state, decision in ((mine, "done", "refused"), (waiting, "cancelled", "open")):
        draft.refresh_from_db()
        assert (draft.messages, draft.answer, draft.content, draft.state, draft.decision) == (
            [],
            "",
            "",
            state,
            decision,
        )
    others.refresh_from_db()
    assert "refund" in json.dumps(others.messages)


def test_proposed_and_accepted_rows_of_the_person_are_blanked_and_others_stay(bench: Bench, theme: Theme) -> None:
    dataset, now = bench.dataset(1), timezone.now()
    asked = theme_rows.propose_slice(theme=theme, dataset=dataset, by=bench.by, now=now, count=3)
    hers = Proposal.objects.get(request=asked, content__metadata__call="c-5")
    again = theme_rows.propose_slice(theme=theme, dataset=dataset, by=bench.by, now=now, count=1)
    rows = [{"inputs": {"text": "Where?"}, "expected": "delivery", "tags": [theme.tag]}]
    bench.fake.answer = lambda text: json.dumps({"rows": rows})
    cases = theme_rows.draft_cases(theme=theme, dataset=dataset, by=bench.by, model="model-1")
    proposing.work(request_id=cases.pk)
    proposals.accept(proposal=Proposal.objects.get(request=cases), by=bench.by, now=now)
    uid = proposals.accept(proposal=hers, by=bench.by, now=now)
    datasets.seal(dataset=dataset, by=bench.by, now=now)
    assert erase(bench).counts["examples"] == 1
    assert "Question c-5" not in json.dumps([*Proposal.objects.values_list("content", flat=True)])
    assert Proposal.objects.filter(request=asked, content__inputs__mail="Question c-4", state="proposed").exists()
    assert Proposal.objects.get(request=again).state == "refused"
    assert Example.objects.get(key=uid.removeprefix("ex_")).erased_at is not None
    case = Example.objects.get(source_uid=cases.uid)
    assert (case.inputs, case.metadata["proposed_by"]["prompt"]) == ({"text": "Where?"}, "")
    asked_again = ProposalRequest.objects.get(pk=cases.pk)
    assert (asked_again.description, asked_again.messages, asked_again.answer) == ("", [], "")


def test_results_of_runs_judges_words_and_labels_about_them_go_with_the_example(bench: Bench, theme: Theme) -> None:
    call = Call.objects.get(client_id="c-5")
    dataset = bench.dataset([ExampleRow(inputs={"text": "kept"}, expected="kept")])
    dataset_examples.add(
        dataset=dataset, rows=[ExampleRow(inputs={"text": "Ada's"}, expected="Ada's")], by=bench.by, source_kind="call",
        source_uid=call.uid,
    )  # fmt: skip
    run = bench.start(dataset, bench.prompt())
    bench.work()
    Score.objects.rewrite(reason="says Ada")
    queue = labeling.queue(bench.project, bench.by, annotators_per_item=1)
    filling.from_run(queue=queue, run=run, most=10, by=bench.by)
    [ann] = labeling.people(bench.project, 1)
    item = QueueItem.objects.select_related("queue__rubric_version").get(snapshot__inputs__text="Ada's")
    labeling.answer(item, ann)
    settling.settle(item=item, answers={"good": "fail"}, by=bench.by, now=timezone.now())
    dataset_examples.add(
        dataset=dataset, rows=[ExampleRow(inputs={"text": "Ada's"}, expected="fail")], by=bench.by, source_kind="label",
        source_uid=item.uid,
    )  # fmt: skip
    erased = erase(bench)
    assert (erased.counts["examples"], erased.counts["queue_items"]) == (2, 1)
    assert sorted(Result.objects.values_list("output", flat=True)) == ["", "kept"]
    assert sorted(set(Score.objects.values_list("reason", flat=True))) in (["", "says Ada"], [])
    assert not Score.objects.filter(result__output="").exclude(reason="").exists()
    assert not JudgeVote.objects.exclude(reason="").exists()
    assert [one.snapshot["inputs"]["text"] for one in QueueItem.objects.all()] == ["kept"]
    assert "Ada's" not in json.dumps(list(Example.objects.values_list("inputs", "expected")))
    assert Example.objects.filter(inputs__text="kept", erased_at=None).exists()


def test_try_outs_with_the_inputs_of_the_persons_calls_are_blanked(bench: Bench, theme: Theme) -> None:
    for name, state in (("c-5", "done"), ("c-5", "waiting"), ("c-4", "done")):
        TryOut.objects.create(
            project=bench.project, text="{{ mail }}", inputs={"mail": f"Question {name}"}, output="Answer", state=state
        )
    erase(bench)
    rows = TryOut.objects.order_by("id").values_list("inputs", "output", "state")
    assert list(rows) == [({}, "", "done"), ({}, "", "cancelled"), ({"mail": "Question c-4"}, "Answer", "done")]


def test_tags_of_an_item_go_with_it(bench: Bench, theme: Theme) -> None:
    item = InboxItem.objects.get(call_client_id="c-5")
    item.tags.create(project=bench.project, tag="ada", source="user")
    erase(bench)
    assert not InboxItem.objects.filter(pk=item.pk).exists()
    assert not ItemTag.objects.filter(tag="ada").exists()
