from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evals.models import Example
from feedback.models import Annotation, InboxItem, Queue, QueueItem, RubricVersion, Seat, Settled
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project
from tests.feedback import labeling

BASE = "/p/garden/labeling/"


def test_two_people_label_and_a_third_decides(
    project: Project, by: Actor, page: Client, client_of: Callable[[User], Client]
) -> None:
    ann, bob = labeling.people(project, 2)
    queue = labeling.queue(project, by, labelers=[ann.email, bob.email])
    [item] = labeling.fill(queue, by, 1)
    for person, good in ((ann, "pass"), (bob, "fail")):
        browser = client_of(person)
        assert "Take the next item" in browser.get(f"{BASE}answers/work").content.decode()
        assert Seat.objects.filter(user=person).count() == 0
        assert browser.post(f"{BASE}answers/next").status_code == 302
        shown = browser.get(f"{BASE}answers/work").content.decode()
        assert "Answer 0" in shown
        assert 'data-key="1"' in shown
        wrong = browser.post(f"{BASE}answers/items/{item.uid}/save", {"q-why": "<b>typed</b>"})
        assert (wrong.status_code, "needs an answer" in wrong.content.decode()) == (400, True)
        assert "&lt;b&gt;typed&lt;/b&gt;" in wrong.content.decode()
        sent = {"q-good": good, "seconds": "7"}
        assert browser.post(f"{BASE}answers/items/{item.uid}/save", sent).status_code == 302
    assert list(Annotation.objects.values_list("seconds", flat=True)) == [7, 7]
    assert "they differ" in page.get(f"{BASE}answers/items/{item.uid}/decide").content.decode()
    settled = page.post(f"{BASE}answers/items/{item.uid}/decide", {"q-good": "fail", "reason": "The date is wrong."})
    assert settled.status_code == 302
    assert (Settled.objects.get().answers, Settled.objects.get().by) == ({"good": "fail"}, "ada@example.com")


def test_answers_stay_blind_until_everybody_is_done(
    project: Project, by: Actor, page: Client, client_of: Callable[[User], Client]
) -> None:
    [ann] = labeling.people(project, 1)
    [item] = labeling.fill(labeling.queue(project, by), by, 1)
    labeling.answer(item, ann, why="Because of the moon")
    assert "Because of the moon" not in page.get(f"{BASE}answers/items/{item.uid}/decide").content.decode()


def test_skip_flag_and_undo_have_keys_of_their_own(
    project: Project, by: Actor, client_of: Callable[[User], Client]
) -> None:
    [ann] = labeling.people(project, 1)
    queue = labeling.queue(project, by, labelers=[ann.email])
    first, second = labeling.fill(queue, by, 2)
    browser = client_of(ann)
    browser.post(f"{BASE}answers/next")
    assert browser.post(f"{BASE}answers/next", {"ahead": "1"}).status_code == 200
    assert set(Seat.objects.values_list("item", flat=True)) == {first.pk, second.pk}
    browser.post(f"{BASE}answers/items/{first.uid}/save", {"do": "flag", "reason": "Latin"})
    browser.post(f"{BASE}answers/items/{first.uid}/save", {"do": "skip"})
    assert QueueItem.objects.get(pk=first.pk).flag == "Latin"
    browser.post(f"{BASE}answers/items/{second.uid}/save", {"do": "undo"})
    assert Seat.objects.get(item=first).done_at is None


def test_a_labeler_sees_their_queues_and_nothing_else(
    project: Project, by: Actor, client_of: Callable[[User], Client], django_assert_max_num_queries: Any
) -> None:
    [ann] = labeling.people(project, 1)
    labeling.queue(project, by, slug="hers", labelers=[ann.email])
    labeling.queue(project, by, slug="others")
    browser = client_of(ann)
    assert browser.get("/p/garden/")["Location"] == BASE
    browser.get(BASE)
    with django_assert_max_num_queries(8):
        shown = browser.get(BASE).content.decode()
    assert ("hers" in shown, "others" in shown) == (True, False)
    for path in ("feedback/", "datasets/", "runs/", "labeling/hers/", "labeling/-/new", "settings/members/"):
        assert browser.get(f"/p/garden/{path}").status_code == 403, path
    assert browser.get(f"{BASE}others/work").status_code == 404


def test_a_rubric_and_a_queue_are_made_on_pages_and_say_what_is_wrong(project: Project, page: Client) -> None:
    assert "No queues yet" in page.get(BASE).content.decode()
    assert "JSON list" in page.get(f"{BASE}-/rubric?as=json").content.decode()
    broken = page.post(f"{BASE}-/rubric", {"slug": "right", "questions": '[{"key": "a"}]'})
    assert (broken.status_code, "questions[0].kind" in broken.content.decode()) == (400, True)
    good = '[{"key": "a", "kind": "text", "text": "?", "required": true}]'
    assert page.post(f"{BASE}-/rubric", {"slug": "right", "questions": good}).status_code == 302
    sent = {"slug": "mails", "rubric": "right", "annotators_per_item": "1", "settle_by": "majority"}
    assert page.post(f"{BASE}-/new", sent | {"labelers": "x@y.example"}).status_code == 400
    assert page.post(f"{BASE}-/new", sent)["Location"] == f"{BASE}mails/"
    assert "Nobody has answered yet" in page.get(f"{BASE}mails/").content.decode()


def test_what_needs_a_label_comes_into_the_queue_by_a_form(project: Project, by: Actor, page: Client, api: Any) -> None:
    labeling.queue(project, by)
    api.send("POST", "/calls", {"id": "c1", "inputs": {"q": "Where?"}, "output": "Paris"})
    api.send("POST", "/feedback", {"call": "c1", "thumbs": "down"})
    InboxItem.objects.filter(project=project).update(needs_label=True, state="done")
    assert "The queue has no items yet" in page.get(f"{BASE}answers/").content.decode()
    sent = {"way": "needs_label", "most": "10"}
    assert page.post(f"{BASE}answers/fill", sent)["Location"] == f"{BASE}answers/"
    assert QueueItem.objects.get().title == "Where?"
    assert "Nothing new" in page.post(f"{BASE}answers/fill", sent, follow=True).content.decode()
    for wrong, said in (
        ({"way": "run", "most": "10"}, "Choose a run."),
        ({"way": "run", "most": "10", "run": "run_1"}, "not one of the available choices"),
        ({"way": "needs_label", "most": "0"}, "greater than or equal to 1"),
    ):
        refused = page.post(f"{BASE}answers/fill", wrong)
        assert (refused.status_code, said in refused.content.decode()) == (400, True)


def test_a_run_without_a_judge_is_said_at_its_field(project: Project, by: Actor, page: Client, bench: Any) -> None:
    labeling.queue(project, by)
    run = bench.start(bench.dataset(1), bench.prompt())
    sent = {"way": "uncertainty", "most": "10", "run": ids.public("run", run.uid)}
    refused = page.post(f"{BASE}answers/fill", sent)
    assert (refused.status_code, "did not use that judge" in refused.content.decode()) == (400, True)


def test_the_majority_stands_at_the_press_of_a_button(project: Project, by: Actor, page: Client) -> None:
    queue = labeling.queue(project, by, annotators_per_item=3, settle_by="person")
    clear, tied = labeling.fill(queue, by, 2)
    for place, person in enumerate(labeling.people(project, 3)):
        labeling.answer(clear, person, "fail" if place else "pass")
        labeling.answer(tied, person, "pass", **({"why": str(place)} if place else {}))
    said = page.post(f"{BASE}answers/majority", follow=True).content.decode()
    assert "2 settled by majority" in said
    assert Settled.objects.get(item=clear).answers == {"good": "fail"}


def test_settled_answers_go_into_a_dataset_from_the_queue(
    project: Project, by: Actor, page: Client, django_assert_max_num_queries: Any
) -> None:
    queue = labeling.queue(project, by)
    [item] = labeling.fill(queue, by, 1)
    page.post(f"{BASE}answers/items/{item.uid}/decide", {"q-good": "fail"})
    assert "Add settled answers to a dataset" in page.get(f"{BASE}answers/").content.decode()
    refused = page.post(f"{BASE}answers/examples", {"question": "good"})
    assert (refused.status_code, "name a new one" in refused.content.decode()) == (400, True)
    sent = {"question": "good", "new_dataset": "golden"}
    assert "1 added to golden." in page.post(f"{BASE}answers/examples", sent, follow=True).content.decode()
    again = page.post(f"{BASE}answers/examples", {"question": "good", "dataset": "golden"}, follow=True)
    assert "0 added to golden, 1 were there already." in again.content.decode()
    taken = page.post(f"{BASE}answers/examples", sent)
    assert (taken.status_code, "already" in taken.content.decode()) == (400, True)
    decided = page.get(f"{BASE}answers/items/{item.uid}/decide").content.decode()
    assert "golden #1" in decided
    example = Example.objects.get()
    opened = page.get(f"/p/garden/datasets/golden/examples/{example.uid}/", follow=True).content.decode()
    found = f"{BASE}-/items/{ids.public('qi', item.uid)}"
    assert found in opened
    assert page.get(found)["Location"].endswith("/decide")
    assert page.get(f"{BASE}-/items/{ids.public('qi', project.uid)}").status_code == 404
    with django_assert_max_num_queries(30):
        page.get(f"{BASE}answers/")


def table(text: str, name: str = "labels.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode(), "text/csv")


def test_labels_from_a_file_become_items_with_answers(project: Project, by: Actor, page: Client) -> None:
    labeling.queue(project, by)
    address = f"{BASE}answers/import"
    rows = "id,question,reply,ann,bob,eve\n1,Where?,Paris,Yes,No,No\n2,Who?,Ada,Yes,Yes,\n"
    sent = {
        "question": "good", "item": "id", "annotators": "ann, bob", "adjudicator": "eve", "inputs": "question",
        "output": "reply", "values": "Yes = pass\nNo = fail",
    }  # fmt: skip
    said = page.post(address, sent | {"file": table(rows)}, follow=True).content.decode()
    assert "2 items with 4 answers, 2 settled." in said
    assert "ann, bob" in said
    first = QueueItem.objects.get(title="1")
    assert first.snapshot == {"inputs": {"question": "Where?"}, "output": "Paris"}
    assert (first.settled.answers, first.settled.by) == ({"good": "fail"}, "eve")
    again = page.post(address, sent | {"file": table(rows)}, follow=True).content.decode()
    assert "0 items with 0 answers, 0 settled, 2 were there already." in again


@pytest.mark.parametrize(
    ("changed", "file", "said"),
    [
        ({"annotators": "ann,zoe"}, "id,ann\n1,pass\n", "There is no column zoe; there are ann, id"),
        ({"annotators": ""}, "id,ann\n1,pass\n", "name either annotators, or annotator and answer"),
        ({"values": "Yes"}, "id,ann\n1,pass\n", "write such as Yes = pass"),
        ({}, "id,ann\n1,Yes\n", "must be one of pass, fail"),
        ({}, "id,ann\n", "has no rows"),
        ({}, "PK\x03\x04", "compressed or binary"),
        ({"question": "other"}, "id,ann\n1,pass\n", "not one of the available choices"),
    ],
)
def test_a_file_that_is_not_understood_is_said_at_its_field(
    project: Project, by: Actor, page: Client, changed: dict[str, str], file: str, said: str
) -> None:
    labeling.queue(project, by)
    sent = {"question": "good", "item": "id", "annotators": "ann"} | changed | {"file": table(file)}
    refused = page.post(f"{BASE}answers/import", sent)
    assert refused.status_code == 400
    assert said.lower() in unescape(refused.content.decode()).lower()
    assert not QueueItem.objects.exists()


def rubric(*questions: dict[str, str], **head: str) -> dict[str, str]:
    """What the editor of rubrics sends."""
    sent = {"slug": "mails", "do": "save", "q-TOTAL_FORMS": str(len(questions)), "q-INITIAL_FORMS": "0"} | head
    for place, one in enumerate(questions):
        sent |= {f"q-{place}-{name}": value for name, value in one.items()}
    return sent


def test_a_rubric_is_written_question_by_question(project: Project, page: Client) -> None:
    address = f"{BASE}-/rubric"
    assert "Is the answer right?" in page.get(address).content.decode()
    good = {"text": "Is it right?", "kind": "pass_fail", "required": "on"}
    why = {"text": "Is it right?", "kind": "category", "choices": "late = Too late\n\nwrong"}
    stars = {"text": "星?", "kind": "scale", "low": "0", "high": "3"}
    assert page.post(address, rubric(good, why, stars, guidelines="Be fair."))["Location"] == f"{BASE}-/new"
    saved = RubricVersion.objects.get()
    first, second, third = saved.questions
    assert (first["key"], second["key"], third["key"]) == ("is_it_right", "is_it_right_2", "question_3")
    assert second["choices"] == [{"value": "late", "text": "Too late"}, {"value": "wrong", "text": "wrong"}]
    assert (first["required"], third["required"], third["low"], third["high"]) == (True, False, 0, 3)
    again = page.get(address, {"rubric": "mails"}).content.decode()
    assert "late = Too late\nwrong" in again
    assert "Be fair." in again
    assert '"is_it_right_2"' in unescape(page.get(address, {"rubric": "mails", "as": "json"}).content.decode())
    page.post(address, rubric(good))
    assert [one.number for one in RubricVersion.objects.order_by("id")] == [1, 2]
    assert page.get(address, {"rubric": "none"}).status_code == 404


def test_questions_are_added_moved_and_removed_without_script(project: Project, page: Client) -> None:
    address = f"{BASE}-/rubric"
    one, two = {"text": "One?", "kind": "text"}, {"text": "Two?", "kind": "scale", "high": "x"}

    def texts(**head: str) -> list[str]:
        answer = page.post(address, rubric(one, two, slug="No slug", **head))
        assert (answer.status_code, "No slug" in answer.content.decode()) == (200, True)
        return [form["text"].value() or "" for form in answer.context["asked"].forms]

    assert texts(do="add") == ["One?", "Two?", ""]
    assert texts(do="up-1") == ["Two?", "One?"]
    assert texts(do="remove-0") == ["Two?"]
    assert texts(do="remove-7") == texts(do="up-0") == texts(do="x-\u0663") == ["One?", "Two?"]
    assert not RubricVersion.objects.exists()


@pytest.mark.parametrize(
    ("questions", "head", "field"),
    [
        ([{"text": "Which?", "kind": "category"}], {}, "choices"),
        ([{"text": "Which?", "kind": "scale", "low": "3", "high": "3"}], {}, "high"),
        ([{"text": "Which?", "kind": "text", "key": "Not a key"}], {}, "key"),
        ([{"text": "\x00", "kind": "text"}], {}, "text"),
        ([{"text": "", "kind": "text"}], {}, "text"),
        ([{"text": "Which?", "kind": "guess"}], {}, "kind"),
        ([{"text": "Which?", "kind": "text"}], {"slug": "Not a slug"}, ""),
        ([{"text": "A?", "kind": "text", "key": "a"}, {"text": "B?", "kind": "text", "key": "a"}], {}, ""),
        ([], {}, ""),
        ([{"text": "Which?", "kind": "text"}], {"q-TOTAL_FORMS": "many"}, ""),
    ],
)
def test_a_question_that_is_not_acceptable_is_said_at_its_field(
    project: Project, page: Client, questions: list[dict[str, str]], head: dict[str, str], field: str
) -> None:
    refused = page.post(f"{BASE}-/rubric", rubric(*questions, **head))
    assert refused.status_code == 400
    asked, form = refused.context["asked"], refused.context["form"]
    assert field in asked.forms[0].errors if field else form.errors or asked.non_form_errors()
    assert not RubricVersion.objects.exists()


def settings_of(page: Client, **changes: Any) -> dict[str, Any]:
    """What the form of the settings sends when it is saved as it is, but for the changes."""
    return as_sent(page.get(f"{BASE}answers/settings/").context["form"]) | changes


def as_sent(form: Any) -> dict[str, Any]:
    """What a browser sends of the form as it is shown."""
    return {field.name: field.value() for field in form if field.value() is not None and field.value() is not False}


def test_the_settings_of_a_queue_are_changed_on_a_page(project: Project, by: Actor, page: Client) -> None:
    [ann] = labeling.people(project, 1)
    labeling.queue(project, by)
    sent = settings_of(page, name="Better", annotators_per_item="3", hidden="contexts\n\norigin", daily="5",
                       labelers=ann.email, fills_from=["complaints"], mask="on")  # fmt: skip
    assert page.post(f"{BASE}answers/settings/", sent)["Location"] == f"{BASE}answers/"
    queue = Queue.objects.get()
    assert (queue.name, queue.annotators_per_item, queue.hidden, queue.daily, queue.mask, queue.fills_from) == (
        "Better", 3, ["contexts", "origin"], 5, True, ["complaints"],
    )  # fmt: skip
    assert queue.people.get().user == ann
    shown = page.get(f"{BASE}answers/settings/").content.decode()
    assert ann.email in shown
    assert "contexts\norigin" in shown
    assert page.post(f"{BASE}answers/settings/", settings_of(page)).status_code == 302
    assert Queue.objects.get().edits == 1


def test_settings_that_are_wrong_or_came_too_late_keep_what_was_typed(
    project: Project, by: Actor, page: Client
) -> None:
    labeling.queue(project, by)
    address = f"{BASE}answers/settings/"
    mine = settings_of(page, name="Mine")
    for wrong, said in (
        ({"labelers": "x@y.example"}, "no member who may label"),
        ({"hold_minutes": "0"}, "equal to 1"),
    ):
        refused = page.post(address, mine | wrong)
        assert (refused.status_code, said in refused.content.decode()) == (400, True)
        assert 'value="Mine"' in refused.content.decode()
    assert page.post(address, settings_of(page, name="Theirs")).status_code == 302
    late = page.post(address, mine)
    said = unescape(late.content.decode())
    assert (late.status_code, "This is “Theirs” now." in said, 'value="Mine"' in said) == (400, True, True)
    assert Queue.objects.get().name == "Theirs"
    assert page.post(address, as_sent(late.context["form"])).status_code == 302
    assert Queue.objects.get().name == "Mine"
