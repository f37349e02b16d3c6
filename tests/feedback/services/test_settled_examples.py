from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from evals.models import Dataset, Evaluator, Example, Result, Run, RunEvaluator, Score
from evals.queries import datasets as dataset_queries
from evals.services import certificates, dataset_examples, datasets, runs
from feedback.models import Call, InboxItem, Queue, QueueItem, Settled
from feedback.queries import made_examples
from feedback.services import erasures, examples, filling, settled_examples, settling
from llmops.audit.models import Event
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project
from tests.feedback import labeling

BETTER = {"key": "better", "kind": "correction", "text": "What would be right?"}
MARKS = {"key": "marks", "kind": "spans", "text": "Where?", "choices": ["wrong"], "required": False}
QUESTIONS = [labeling.GOOD, BETTER, MARKS]


@pytest.fixture
def queue(project: Project, by: Actor) -> Queue:
    return labeling.queue(project, by, questions=QUESTIONS)


@pytest.fixture
def dataset(project: Project, by: Actor) -> Dataset:
    return datasets.create(project=project, slug="golden", by=by)


def settle(item: QueueItem, by: Actor, **answers: Any) -> Settled:
    return settling.settle(item=item, answers=answers, by=by, now=labeling.NOW)


def current(dataset: Dataset) -> list[Example]:
    return list(Example.objects.filter(dataset=dataset, removed_in=None).order_by("position"))


def from_call(project: Project, queue: Queue, by: Actor, api: Any, name: str = "c1") -> QueueItem:
    sent = {"id": name, "inputs": {"mail": "Where is it?"}, "output": "plant care", "tags": ["mobile"], "end_user": "u"}
    assert api.send("POST", "/calls", sent).status_code == 201
    assert api.send("POST", "/feedback", {"call": name, "thumbs": "down"}).status_code == 201
    filling.by_hand(queue=queue, names=[name], by=by)
    call = Call.objects.get(project=project, client_id=name)
    return QueueItem.objects.select_related("queue__rubric_version").get(source_uid=call.uid)


def test_a_settled_correction_becomes_the_expected_output_and_both_know_each_other(
    queue: Queue, dataset: Dataset, by: Actor
) -> None:
    wrong, right, rejected, _open = labeling.fill(queue, by, 4)
    settle(wrong, by, good="fail", better="Lyon")
    settle(right, by, good="pass")
    settle(rejected, by, good="fail")
    kept = settled_examples.add(queue=queue, dataset=dataset, question="better", by=by, split="test")
    assert kept == settled_examples.Kept(added=2, renewed=0, known=0, unusable=1)
    first, second = current(dataset)
    assert (first.inputs, first.expected, first.split) == ({"q": "Question 0"}, "Lyon", "test")
    assert second.expected == "Answer 1"  # it passed as it was
    assert (first.metadata["label_good"], first.metadata["output"]) == ("fail", "Answer 0")
    assert dataset_queries.labeled_item(first) == ids.public("qi", wrong.uid)
    assert [one.uid for one in made_examples.of_item(wrong)] == [first.uid]
    assert Event.objects.get(name="queue.settled_kept").data["added"] == 2


def test_adding_twice_adds_nothing_and_keeps_what_people_changed(queue: Queue, dataset: Dataset, by: Actor) -> None:
    [item] = labeling.fill(queue, by, 1)
    settle(item, by, good="fail", better="Lyon")
    settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    dataset_examples.mark(dataset=dataset, uids=[current(dataset)[0].uid], by=by, add_tag="hard")
    again = settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    assert (again.added, again.renewed, again.known) == (0, 0, 1)
    settle(item, by, good="fail", better="Lyon, France")
    renewed = settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    assert (renewed.added, renewed.renewed) == (0, 1)
    [example] = current(dataset)
    assert (example.expected, example.tags) == ("Lyon, France", ["hard"])
    other = settled_examples.add(queue=queue, dataset=dataset, question="good", by=by)
    assert (other.renewed, current(dataset)[0].expected) == (1, "fail")


def test_what_was_settled_about_a_call_replaces_what_its_user_corrected(
    project: Project, queue: Queue, dataset: Dataset, by: Actor, api: Any
) -> None:
    item = from_call(project, queue, by, api)
    call = Call.objects.get(uid=item.source_uid)
    examples.add(call=call, dataset=dataset, expected="refund", by=by)
    settle(item, by, good="fail", better="delivery")
    kept = settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    assert (kept.added, kept.renewed) == (0, 1)
    [example] = current(dataset)
    assert (example.expected, example.source_kind) == ("delivery", "call")
    assert dataset_queries.labeled_item(example) == ids.public("qi", item.uid)
    assert [one.uid for one in made_examples.of_item(item)] == [example.uid]


def test_an_example_holds_what_the_queue_hid_from_labelers(
    project: Project, dataset: Dataset, by: Actor, api: Any
) -> None:
    queue = labeling.queue(project, by, questions=QUESTIONS, hidden=["mail", "origin"], mask=True)
    item = from_call(project, queue, by, api)
    assert item.snapshot["inputs"] == {}
    settle(item, by, good="fail", better="delivery")
    settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    [example] = current(dataset)
    assert (example.inputs, example.tags) == ({"mail": "Where is it?"}, ["mobile"])
    assert example.metadata["call"] == "c1"


def test_a_long_queue_takes_several_turns(
    queue: Queue, dataset: Dataset, by: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled_examples, "ENOUGH", 2)
    monkeypatch.setattr(settled_examples, "BATCH", 2)
    for item in labeling.fill(queue, by, 3):
        settle(item, by, good="pass")
    first = settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    assert (first.added, first.has_more) == (2, True)
    last = settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    assert (last.added, last.known, last.has_more) == (1, 2, False)


@pytest.mark.parametrize("question", ["marks", "nothing"])
def test_a_question_whose_answer_is_no_output_is_refused(
    queue: Queue, dataset: Dataset, by: Actor, question: str
) -> None:
    with pytest.raises(Invalid) as refused:
        settled_examples.add(queue=queue, dataset=dataset, question=question, by=by)
    assert set(refused.value.fields) == {"question"}


def test_a_new_dataset_is_not_made_when_the_question_is_refused(queue: Queue, by: Actor) -> None:
    with pytest.raises(Invalid):
        settled_examples.add_to(queue=queue, dataset=None, new_dataset="fresh", question="marks", by=by)
    assert not Dataset.objects.filter(slug="fresh").exists()


def test_a_taken_name_is_said_at_the_field_of_the_new_dataset(queue: Queue, dataset: Dataset, by: Actor) -> None:
    with pytest.raises(Conflict) as refused:
        settled_examples.add_to(queue=queue, dataset=None, new_dataset="golden", question="good", by=by)
    assert set(refused.value.fields) == {"new_dataset"}


def test_an_item_that_makes_no_example_is_left_out_and_a_bad_split_is_refused(
    queue: Queue, dataset: Dataset, by: Actor
) -> None:
    [item] = labeling.fill(queue, by, 1)
    settle(item, by, good="pass")
    with pytest.raises(Invalid):
        settled_examples.add(queue=queue, dataset=dataset, question="good", by=by, split="x" * 41)
    QueueItem.objects.filter(pk=item.pk).update(snapshot={"inputs": {"": "no name"}, "output": "Answer"})
    kept = settled_examples.add(queue=queue, dataset=dataset, question="good", by=by)
    assert (kept.added, kept.unusable) == (0, 1)


def test_a_settled_item_waits_for_no_label_in_the_inbox(project: Project, queue: Queue, by: Actor, api: Any) -> None:
    item = from_call(project, queue, by, api)
    InboxItem.objects.filter(project=project).update(needs_label=True)
    settle(item, by, good="pass")
    assert not InboxItem.objects.get(project=project).needs_label


def test_erasing_the_end_user_takes_the_labeled_item_its_answers_and_its_example(
    project: Project, queue: Queue, dataset: Dataset, by: Actor, api: Any
) -> None:
    item = from_call(project, queue, by, api)
    [ann] = labeling.people(project, 1)
    labeling.answer(item, ann, "fail", better="Where is it? At Ann's.")
    settle(item, by, good="fail", better="delivery")
    settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    erased = erasures.start(project=project, end_user="u", by=by, now=timezone.now()).counts
    assert (erased["queue_items"], erased["examples"]) == (1, 1)
    assert (QueueItem.objects.count(), Settled.objects.count(), current(dataset)) == (0, 0, [])
    assert not Example.objects.filter(dataset=dataset).exists()


def test_a_judge_is_measured_against_what_people_settled(
    project: Project, queue: Queue, dataset: Dataset, by: Actor, tone: Evaluator
) -> None:
    said = ["pass"] * 5 + ["fail"] * 4
    for item, good in zip(labeling.fill(queue, by, len(said)), said, strict=True):
        settle(item, by, good=good, **({"better": "Lyon"} if good == "fail" else {}))
    settled_examples.add(queue=queue, dataset=dataset, question="better", by=by)
    wanted = runs.Wanted(dataset=dataset, evaluators=["tone"], recorded="output")
    run = judged(runs.start(project=project, wanted=wanted, by=by))
    made = certificates.measure(evaluator=tone, run=run, column="label_good", positive="pass", by=by, now=labeling.NOW)
    assert (made.n, made.not_labelled) == (9, 0)
    assert sum(made.table[place][place] for place in range(2)) == 5  # this judge passes everything


def judged(run: Run) -> Run:
    """The run as a worker would have left it, by a judge to whom everything is right."""
    version = RunEvaluator.objects.get(run=run).evaluator_version
    for example in Example.objects.filter(dataset=run.dataset_version.dataset):
        result = Result.objects.create(
            project_id=run.project_id, run=run, example=example, example_key=example.key, output="x"
        )
        Score.objects.create(
            project_id=run.project_id, run=run, result=result, evaluator_version=version, state="scored", value=1.0,
            passed=True, category="pass", model_asked="demo-small", model_answered="demo-1",
        )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state="done", is_planned=True)
    run.refresh_from_db()
    return run
