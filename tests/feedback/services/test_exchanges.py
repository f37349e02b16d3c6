"""Queues out to other tools and back: nothing is lost on the way, and what has no place here is said."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from django.db import transaction

from feedback.models import Queue, QueueItem, Rubric, RubricVersion
from feedback.queries import labeled
from feedback.services import exchanges, filling, queue_exports, queues
from feedback.services.exchanges import Given
from feedback.views import label_shapes
from llmops.audit.models import Event
from llmops.common.actors import Actor
from llmops.common.errors import Conflict, Invalid
from llmops.projects.models import Project
from tests.feedback import exchanging, labeling
from tests.feedback.labeling import NOW

FORMATS = ["label_studio", "argilla"]


def settings_of(queue: Queue, form: str) -> Any:
    if form == "argilla":
        return json.loads(exchanging.exported(queue, "argilla_settings"))
    return exchanging.exported(queue, "label_studio_config").decode()


@pytest.mark.parametrize("form", FORMATS)
def test_a_queue_that_goes_out_and_comes_back_has_equal_items_labels_and_settled_answers(
    project: Project, by: Actor, form: str
) -> None:
    first = exchanging.queue(project, by)
    records = json.loads(exchanging.exported(first, form))
    second = labeling.queue(project, by, questions=exchanging.QUESTIONS, slug="second")
    brought = exchanges.bring(queue=second, given=Given(form, records), by=by, now=NOW)
    assert exchanging.content(second) == exchanging.content(first)
    assert exchanging.states(second) == exchanging.states(first) == ["settled", "settled", "open", "open", "open"]
    assert (brought.made.items, brought.made.answers, brought.made.skips, brought.left_out) == (5, 5, 1, ())
    again = exchanges.bring(queue=second, given=Given(form, records), by=by, now=NOW)
    assert (again.made.items, again.made.left_alone) == (0, 5)


@pytest.mark.parametrize("form", FORMATS)
def test_a_queue_comes_back_as_a_new_one_whose_rubric_asks_the_same(project: Project, by: Actor, form: str) -> None:
    first = exchanging.queue(project, by)
    given = Given(form, json.loads(exchanging.exported(first, form)), settings_of(first, form))
    brought = exchanges.start(project=project, wanted=queues.Wanted(slug="copy"), given=given, by=by, now=NOW)
    assert brought.queue.rubric_version.questions == first.rubric_version.questions
    assert exchanging.content(brought.queue) == exchanging.content(first)
    assert brought.left_out == ()


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_queue_gave_away_is_known_when_it_comes_back_to_it(project: Project, by: Actor, form: str) -> None:
    queue = exchanging.queue(project, by)
    before = exchanging.rows()
    records = json.loads(exchanging.exported(queue, form))
    assert exchanges.bring(queue=queue, given=Given(form, records), by=by, now=NOW).made.left_alone == 5
    assert exchanging.rows() == before


def labeled_there(tasks: list[Any], place: int, who: str, **said: str) -> None:
    """Somebody labels a task of our export in Label Studio."""
    result = [line(key, choices=[value]) for key, value in said.items()]
    tasks[place]["annotations"].append({"completed_by": {"email": who}, "result": result})


def test_a_queue_that_is_labeled_elsewhere_and_comes_back_gains_the_answers_and_is_settled_by_its_rule(
    project: Project, by: Actor, send: Any
) -> None:
    send("/calls", {"id": "c1", "inputs": {"q": "Hi"}, "output": "Yes"})
    queue = labeling.queue(project, by)
    filling.by_hand(queue=queue, names=["c1"], by=by)
    labeling.fill(queue, by, 3)
    items = list(QueueItem.objects.filter(queue=queue).select_related("queue__rubric_version").order_by("pk"))
    ann, bob = labeling.people(project, 2)
    labeling.answer(items[0], ann)
    for person in (ann, bob):
        labeling.answer(items[1], person)
    tasks = json.loads(exchanging.exported(queue, "label_studio"))
    for place, who, good in [
        (0, "eve@x.example", "pass"), (0, "zoe@x.example", "pass"), (1, "eve@x.example", "pass"),
        (2, "eve@x.example", "pass"),
    ]:  # fmt: skip
        labeled_there(tasks, place, who, good=good)
    tasks[0]["annotations"][0]["result"][0]["value"] = {"choices": ["fail"]}
    brought = exchanges.bring(queue=queue, given=Given("label_studio", tasks), by=by, now=NOW)
    made = brought.made
    assert (made.items, made.answers, made.settled, brought.completed, made.left_alone) == (0, 2, 1, 2, 2)
    assert exchanging.states(queue) == ["settled", "settled", "open", "open"]
    first, _, third, _ = labeled.items(queue)
    assert [(one.who, one.answers["good"]) for one in first.given] == [(ann.email, "pass"), ("eve@x.example", "pass")]
    assert [one.who for one in third.given] == ["eve@x.example"]
    assert [(one.what, one.count, one.first) for one in brought.left_out] == [
        ("Other answers of people who answered or skipped the item here", 1, "task 1"),
        ("Answers of more people than an item asks for", 1, "task 1"),
        ("Answers to items that are settled", 1, "task 2"),
    ]
    again = exchanges.bring(queue=queue, given=Given("label_studio", tasks), by=by, now=NOW)
    assert (again.made.answers, again.completed, again.made.left_alone) == (0, 0, 4)


def test_a_ground_truth_that_comes_back_settles_its_item_and_a_later_one_does_not(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    labeling.fill(queue, by, 1)
    tasks = json.loads(exchanging.exported(queue, "label_studio"))
    labeled_there(tasks, 0, "eve@x.example", good="fail")
    tasks[0]["annotations"][0]["ground_truth"] = True
    exchanges.bring(queue=queue, given=Given("label_studio", tasks), by=by, now=NOW)
    [item] = labeled.items(queue)
    assert item.decision is not None
    assert (item.decision.answers, item.decision.by) == ({"good": "fail"}, "eve@x.example")
    tasks[0]["annotations"][0]["result"] = [line(choices=["pass"])]
    again = exchanges.bring(queue=queue, given=Given("label_studio", tasks), by=by, now=NOW)
    assert [one.what for one in again.left_out] == [
        "Other answers of people who answered or skipped the item here",
        "Other decisions about items that are settled",
    ]
    assert list(labeled.items(queue)) == [item]


def test_known_items_take_as_many_queries_as_one(
    project: Project, by: Actor, django_assert_max_num_queries: Any
) -> None:
    queue = labeling.queue(project, by)
    labeling.fill(queue, by, 20)
    tasks = json.loads(exchanging.exported(queue, "label_studio"))
    for place in range(20):
        labeled_there(tasks, place, "eve@x.example", good="pass")
    with django_assert_max_num_queries(20):
        assert exchanges.bring(queue=queue, given=Given("label_studio", tasks), by=by, now=NOW).completed == 20


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_queue_is_an_empty_list(project: Project, by: Actor, form: str) -> None:
    assert json.loads(exchanging.exported(labeling.queue(project, by), form)) == []


@pytest.mark.parametrize("form", list(queue_exports.FORMS))
def test_what_leaves_is_in_the_audit_trail_before_it_leaves(project: Project, by: Actor, form: str) -> None:
    queue = labeling.queue(project, by)
    queue_exports.note(queue=queue, form=form, by=by)
    assert Event.objects.filter(name="queue.exported", data__format=form).count() == 1


@pytest.mark.parametrize("form", FORMATS)
def test_a_long_queue_takes_two_queries_for_each_batch(
    project: Project, by: Actor, form: str, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    queue = labeling.queue(project, by)
    labeling.fill(queue, by, 25)
    monkeypatch.setattr(labeled, "BATCH", 10)
    with django_assert_num_queries(7):
        assert len(json.loads(exchanging.exported(queue, form))) == 25


def test_tasks_as_label_studio_documents_them_become_a_queue(project: Project, by: Actor) -> None:
    given = Given("label_studio", exchanging.LABEL_STUDIO_TASKS, exchanging.LABEL_STUDIO_CONFIG, {"8": "Bob"})
    wanted = queues.Wanted(slug="replies", annotators_per_item=2)
    brought = exchanges.start(project=project, wanted=wanted, given=given, by=by, now=NOW)
    asked = [(one["key"], one["kind"], one["text"], one["required"]) for one in RubricVersion.objects.get().questions]
    assert asked == [
        ("sentiment", "category", "How does it sound?", True),
        ("label", "spans", "label", False),
        ("stars", "scale", "stars", False),
        ("note", "text", "note", False),
    ]
    first, second = labeled.items(brought.queue)
    assert first.snapshot == {"inputs": {"customer": "K"}, "output": "It is big \U0001f600 and red."}
    assert [(one.who, one.answers, one.skipped, one.seconds) for one in first.given] == [
        ("ann@example.com", {
            "sentiment": "neg", "label": [{"start": 16, "end": 19, "label": "Fact", "text": "red"}], "stars": 3,
            "note": "one\ntwo",
        }, "", 4),
        ("user 9", {"sentiment": "Positive"}, "", None),
        ("Bob", {}, "no reason", None),
    ]  # fmt: skip
    assert first.decision is not None
    assert (first.decision.answers, first.decision.by) == ({"sentiment": "Positive"}, "user 9")
    assert (second.snapshot["output"], second.given) == ("Small.", [])
    assert [(one.what, one.count, one.first) for one in brought.left_out] == [
        ("The control “box” (rectanglelabels): no kind of question holds it", 1, "line 14"),
        ("Predictions", 1, "task 1"),
        ("Answers to “box”, which the rubric does not ask", 1, "task 1"),
        ("Results of the type “relation”", 1, "task 1"),
    ]


def test_records_as_argilla_writes_them_become_a_queue(project: Project, by: Actor) -> None:
    given = Given(
        "argilla",
        exchanging.ARGILLA_RECORDS,
        exchanging.ARGILLA_SETTINGS,
        {exchanging.ANN: "Ann", exchanging.BOB: "Bob"},
    )
    brought = exchanges.start(project=project, wanted=queues.Wanted(slug="replies"), given=given, by=by, now=NOW)
    version = RubricVersion.objects.get()
    assert version.guidelines == "Read twice."
    assert [(one["key"], one["kind"]) for one in version.questions] == [
        ("label", "category"), ("kinds", "categories"), ("rating", "scale"), ("spans", "spans"), ("order", "ranking"),
        ("say", "text"),
    ]  # fmt: skip
    assert version.questions[0]["choices"] == [{"value": "yes", "text": "Yes"}, {"value": "no", "text": "no"}]
    first, second = labeled.items(brought.queue)
    assert first.snapshot == {
        "inputs": {"prompt": "Where?"}, "output": "The party",
        "candidates": [{"name": "reply-1", "text": "Here"}, {"name": "reply-2", "text": "There"}],
    }  # fmt: skip
    assert [(one.who, one.answers) for one in first.given] == [
        ("Ann", {
            "label": "yes", "kinds": ["x", "y"], "rating": 0, "order": ["reply-2", "reply-1"], "say": "Fine",
            "spans": [{"start": 4, "end": 9, "label": "EV", "text": "party"}],
        }),
        ("Bob", {"label": "no"}),
    ]  # fmt: skip
    assert [(one.who, one.answers, one.skipped) for one in second.given] == [
        ("Ann", {"label": "yes", "order": ["reply-1", "reply-2"]}, ""),
        ("Bob", {}, "discarded"),
    ]
    assert {(one.what, one.count) for one in brought.left_out} == {
        ("The question “boxes” (image_annotation): no kind of question holds it", 1),
        ("Metadata", 1), ("Vectors", 1), ("Suggestions", 1), ("Drafts: answers that were not submitted", 1),
    }  # fmt: skip


def task(**changed: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"output": "Yes"}, "annotations": []} | changed


def said(*result: Any, **changed: Any) -> dict[str, Any]:
    return task(annotations=[{"completed_by": 1, "result": list(result)} | changed])


def line(name: str = "good", **value: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": "output", "type": "choices", "value": value or {"choices": ["pass"]}}


def ours(good: str = "", **block: Any) -> dict[str, Any]:
    """A record of our own export, changed by hand."""
    responses = {"good": [{"value": good, "user_id": "u"}]} if good else {}
    return {"id": "a", "fields": {}, "metadata": {"llmops": json.dumps(block)}, "responses": responses}


@pytest.mark.parametrize(
    ("form", "records", "field", "reason"),
    [
        ("csv", [task()], "format", "no such format"),
        ("label_studio", [], "records", "list of tasks"),
        ("label_studio", {"id": 1}, "records", "list of tasks"),
        ("label_studio", ["x"], "task 1", "must be an object"),
        ("label_studio", [task(), task()], "task 2", "is task 1 once more"),
        ("label_studio", [task(data=[])], "task 1", "must be an object"),
        ("label_studio", [{"annotations": []}], "task 1", "must be an object"),
        ("label_studio", [task(data={"llmops": {"snapshot": {"contexts": 5}}})], "task 1", "not as it was exported"),
        ("label_studio", [said(line(), completed_by=" ")], "task 1", "completed_by"),
        ("label_studio", [task(annotations={})], "task 1", "annotations must be a list"),
        ("label_studio", [said("x")], "task 1", "must be an object"),
        ("label_studio", [said(line(), completed_by=None)], "task 1", "completed_by"),
        ("label_studio", [said(line(), line())], "task 1", "answers good twice"),
        ("label_studio", [task(), said(line(choices=["maybe"])) | {"id": 2}], "task 2", "one of pass, fail"),
        ("label_studio", [said(line(taxonomy=[["pass"]]))], "task 1", "of a type that its question has not"),
        ("label_studio", [{"id": 1, "annotator": 1, "annotation_id": 2, "lead_time": 1}], "task 1", "JSON-MIN"),
        ("argilla", [{"id": "a"}], "record 1", "must be an object"),
        ("argilla", [{"fields": {}}], "record 1", "has no id"),
        ("argilla", [{"id": "a", "fields": {}}, {"id": "a", "fields": {}}], "record 2", "is record 1 once more"),
        ("argilla", [{"id": "a", "fields": {}, "metadata": []}], "record 1", "metadata must be"),
        ("argilla", [{"id": "a", "fields": {}, "metadata": {"llmops": "{"}}], "record 1", "not readable"),
        ("argilla", [{"id": "a", "fields": {}, "responses": {"good": [{"value": "pass"}]}}], "record 1", "user_id"),
        ("argilla", [{"id": "a", "fields": {}, "responses": "x"}], "record 1", "responses must be a list"),
        (
            "argilla", [{"id": "a", "fields": {}, "responses": [{"user_id": "u", "status": "lost"}]}],
            "record 1", "the status of a response",
        ),
        ("argilla", [ours(skips={"": "x"})], "record 1", "has no name"),
        ("argilla", [ours(skips={"u": "x"}, good="pass")], "record 1", "u answered twice"),
        ("argilla", [ours(snapshot={"candidates": [1]})], "record 1", "not as it was exported"),
        (
            "argilla", [{"id": "a", "fields": {}, "responses": {"good": [{"value": "x", "user_id": "u"}]}}],
            "record 1", "one of pass, fail",
        ),
    ],
)  # fmt: skip
def test_a_record_that_is_not_acceptable_stops_the_whole_import_and_is_named(
    project: Project, by: Actor, form: str, records: Any, field: str, reason: str
) -> None:
    queue = labeling.queue(project, by)
    with pytest.raises(Invalid) as refused:
        exchanges.bring(queue=queue, given=Given(form, records), by=by, now=NOW)
    assert (list(refused.value.fields), reason.casefold() in refused.value.message.casefold()) == ([field], True), (
        refused.value.message
    )
    assert exchanging.rows() == (0, 0, 0)


def in_view(*lines: str) -> str:
    return "\n".join(["<View>", *lines, "</View>"])


BOMB = "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><View>&c;</View>"
NUMBERS = {"type": "rating", "options": [{"value": "a"}]}


@pytest.mark.parametrize(
    ("form", "settings", "field", "reason"),
    [
        ("label_studio", None, "settings", "labeling configuration"),
        ("label_studio", {"a": 1}, "settings", "must be a text of XML"),
        ("label_studio", "<View>", "settings", "line 1: not XML"),
        ("label_studio", BOMB, "settings", "no document type"),
        ("label_studio", "<View>" * 60 + "</View>" * 60, "settings", "50 levels"),
        ("label_studio", "<View>\x00</View>", "settings", "NUL"),
        ("label_studio", "x" * 200_001, "settings", "larger than 200,000"),
        ("label_studio", in_view("<Text name='t' value='$t'/>"), "settings", "asks nothing"),
        ("label_studio", in_view("<Mystery name='m' toName='t'/>"), "settings", "line 2: there is no control"),
        ("label_studio", in_view("<Rating toName='t'/>"), "settings", "line 2: the control has no name"),
        ("label_studio", in_view("<Number name='n' toName='t'/>"), "settings", "line 2: min must be a whole number"),
        ("label_studio", in_view(*["<Rating name='n' toName='t'/>"] * 2), "settings", "line 3: a second control"),
        ("label_studio", in_view("<Choices name='c' toName='t'/>"), "settings", "1 to 30 choices"),
        ("argilla", "x", "settings", "must be an object"),
        ("argilla", {"questions": []}, "settings", "ask nothing"),
        ("argilla", {"questions": [{"name": "a"}]}, "settings.questions[0]", "needs a name and settings"),
        ("argilla", {"questions": [{"name": "a", "settings": {"type": "new"}}]}, "settings.questions[0]", "type “new”"),
        ("argilla", {"questions": [{"name": "a", "settings": NUMBERS}]}, "settings.questions[0]", "whole numbers"),
        (
            "argilla", {"questions": [{"name": "a", "settings": {"type": "text"}}] * 2},
            "settings.questions[1]", "second question",
        ),
    ],
)  # fmt: skip
def test_settings_that_are_not_acceptable_make_no_queue_and_say_where(
    project: Project, by: Actor, form: str, settings: Any, field: str, reason: str
) -> None:
    given = Given(form, [{"id": "1", "data": {}, "fields": {}}], settings)
    with pytest.raises(Invalid) as refused:
        exchanges.start(project=project, wanted=queues.Wanted(slug="new"), given=given, by=by, now=NOW)
    assert (list(refused.value.fields), reason.casefold() in refused.value.message.casefold()) == ([field], True), (
        refused.value.message
    )
    assert not Rubric.objects.exists()


def test_a_taken_name_and_too_many_records_are_refused(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by)
    given = Given("label_studio", exchanging.LABEL_STUDIO_TASKS, exchanging.LABEL_STUDIO_CONFIG)
    with pytest.raises(Conflict):
        exchanges.start(project=project, wanted=queues.Wanted(slug="answers"), given=given, by=by, now=NOW)
    with pytest.raises(Invalid, match="At most 20,000 records"):
        exchanges.bring(queue=queue, given=Given("argilla", [{}] * 20_001), by=by, now=NOW)
    assert Rubric.objects.count() == 1


def test_looking_tries_everything_and_keeps_nothing(project: Project, by: Actor) -> None:
    given = Given("label_studio", exchanging.LABEL_STUDIO_TASKS, exchanging.LABEL_STUDIO_CONFIG)
    wanted = queues.Wanted(slug="replies")
    looked = exchanges.start(project=project, wanted=wanted, given=given, by=by, now=NOW, only_look=True)
    assert (looked.made.items, looked.made.answers, len(looked.left_out)) == (2, 2, 4)
    assert (exchanging.rows(), Queue.objects.count(), Rubric.objects.count()) == ((0, 0, 0), 0, 0)


def test_spans_of_older_versions_are_counted_as_javascript_counts(project: Project, by: Actor) -> None:
    queue = labeling.queue(project, by, questions=[{"key": "m", "kind": "spans", "text": "?", "choices": ["x"]}])
    value = {"start": 13, "end": 16, "text": "red", "labels": ["x"]}
    one = said(line("m", **value) | {"type": "labels"}) | {"data": {"output": "It is \U0001f600\U0001f600 - red."}}
    exchanges.bring(queue=queue, given=Given("label_studio", [one]), by=by, now=NOW)
    [item] = labeled.items(queue)
    assert [(one["start"], one["text"]) for one in item.given[0].answers["m"]] == [(11, "red")]


@pytest.mark.parametrize("ranker", [["b", "a"], {"order": ["b", "a"]}])
def test_a_ranking_is_read_as_newer_and_older_versions_of_label_studio_write_it(
    project: Project, by: Actor, ranker: Any
) -> None:
    queue = labeling.queue(project, by, questions=[{"key": "order", "kind": "ranking", "text": "?"}])
    config = in_view("<List name='all' value='$items'/>", "<Ranker name='order' toName='all'/>")
    data = {"items": [{"id": "a", "title": "First", "body": "One"}, {"id": "b", "title": "Two"}], "topic": "x"}
    one = said(line("order", ranker=ranker)) | {"data": data}
    exchanges.bring(queue=queue, given=Given("label_studio", [one], config), by=by, now=NOW)
    [item] = labeled.items(queue)
    assert item.given[0].answers == {"order": ["b", "a"]}
    assert item.snapshot["inputs"] == {"topic": "x"}
    assert item.snapshot["candidates"] == [{"name": "a", "text": "One"}, {"name": "b", "text": "Two"}]


def test_what_goes_out_keeps_the_order_of_inputs(project: Project, by: Actor) -> None:
    queue = exchanging.queue(project, by)
    [snapshot, *_] = [
        task["data"]["llmops"]["snapshot"] for task in json.loads(exchanging.exported(queue, "label_studio"))
    ]
    stored = QueueItem.objects.filter(queue=queue).earliest("pk").snapshot
    assert [list(snapshot), list(snapshot["inputs"])] == [list(stored), list(stored["inputs"])]


def test_spans_in_a_text_that_the_queue_masks_are_refused(project: Project, by: Actor) -> None:
    asked = [{"key": "m", "kind": "spans", "text": "?", "choices": ["x"]}]
    queue = labeling.queue(project, by, questions=asked, mask=True)
    one = said(line("m", start=22, end=25, labels=["x"])) | {"data": {"output": "Write to ada@example.com, red."}}
    with pytest.raises(Invalid, match="masks the text"):
        exchanges.bring(queue=queue, given=Given("label_studio", [one]), by=by, now=NOW)


JUNK = [None, True, 0, -1, 2**70, 1.5, "", "x" * 300, "tie", [], [[]], [None], {}, {"a": {}}, ["a", "a"], {"value": []}]


def changed(value: Any, by_lot: random.Random) -> Any:
    """The value with junk in one place, or without it."""
    if isinstance(value, dict) and value and by_lot.random() < 0.9:
        name = by_lot.choice(sorted(value))
        if by_lot.random() < 0.2:
            return {key: inner for key, inner in value.items() if key != name}
        return value | {name: changed(value[name], by_lot)}
    if isinstance(value, list) and value and by_lot.random() < 0.9:
        place = by_lot.randrange(len(value))
        return [*value[:place], changed(value[place], by_lot), *value[place + 1 :]]
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps(changed(json.loads(value), by_lot))
    return by_lot.choice(JUNK)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_with_junk_in_any_place_comes_in_or_is_refused_and_its_items_can_be_shown(
    project: Project, by: Actor, form: str
) -> None:
    first = exchanging.queue(project, by)
    records, settings = json.loads(exchanging.exported(first, form)), settings_of(first, form)
    refused = []
    for seed in range(120):
        by_lot = random.Random(seed)
        bad = changed(records, by_lot)
        given = Given(form, bad, changed(settings, by_lot) if form == "argilla" and seed % 3 == 0 else settings)
        try:
            with transaction.atomic():
                made = exchanges.start(project=project, wanted=queues.Wanted(slug="x"), given=given, by=by, now=NOW)
                for item in QueueItem.objects.filter(queue=made.queue):
                    label_shapes.item(item)
                assert exchanging.exported(made.queue, form)
                transaction.set_rollback(True)
        except Invalid as error:
            refused.append(error)
    assert 10 < len(refused) < 110
    assert all(error.fields for error in refused)
