from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from feedback.models import Queue, Rubric
from feedback.services import queue_exports, settling
from llmops.common.actors import Actor
from llmops.projects.models import Project
from tests.feedback import exchanging, labeling
from tests.feedback.labeling import NOW

BASE = "/p/garden/labeling/"
NEW = {"format": "label_studio", "slug": "replies", "annotators_per_item": "1", "settle_by": "unanimous"}


def file(content: Any, name: str = "tasks.json") -> SimpleUploadedFile:
    text = content if isinstance(content, str) else json.dumps(content)
    return SimpleUploadedFile(name, text.encode(), "application/json")


def files() -> dict[str, SimpleUploadedFile]:
    return {"file": file(exchanging.LABEL_STUDIO_TASKS), "settings": file(exchanging.LABEL_STUDIO_CONFIG, "c.xml")}


def test_a_file_is_looked_at_and_then_becomes_a_queue(project: Project, page: Client) -> None:
    address = f"{BASE}-/file"
    looked = page.post(address, NEW | files() | {"do": "look"}, headers={"hx-request": "true"}).content.decode()
    assert looked.startswith('<div id="found"') or looked.lstrip().startswith('<div id="found"')
    assert ("What would come in" in looked, "Predictions" in looked, Queue.objects.count()) == (True, True, 0)
    done = page.post(address, NEW | files() | {"people": "8 = Bob"}, follow=True)
    assert done.redirect_chain == [(f"{BASE}replies/", 302)]
    said = unescape(done.content.decode())
    assert "2 items with 2 answers, 1 settled, 1 skipped." in said
    assert "Left out: The control “box” (rectanglelabels): no kind of question holds it (1, first at line 14)" in said
    assert Rubric.objects.get().slug == "replies"


def test_a_look_without_script_is_a_whole_page_that_asks_for_the_files_again(project: Project, page: Client) -> None:
    looked = page.post(f"{BASE}-/file", NEW | files() | {"do": "look"})
    said = looked.content.decode()
    assert (looked.status_code, "<h1>" in said, "Choose the files again" in said) == (200, True, True)


def test_every_form_of_a_queue_is_downloaded_from_its_page(project: Project, by: Actor, page: Client) -> None:
    exchanging.queue(project, by)
    said = page.get(f"{BASE}answers/").content.decode()
    assert f"{BASE}answers/training" in said
    for name, form in queue_exports.FORMS.items():
        assert form.counted or f'name="format" value="{name}"' in said
        sent = page.post(f"{BASE}answers/export", {"format": name})
        assert sent["Content-Disposition"] == f'attachment; filename="answers-{form.file}"'
        assert sent.getvalue() == exchanging.exported(Queue.objects.get(), name)


def test_the_page_of_fine_tuning_files_says_what_they_would_leave_out(
    project: Project, by: Actor, page: Client
) -> None:
    queue = labeling.queue(project, by, questions=[labeling.GOOD])
    assert page.get(f"{BASE}answers/training").content.decode().count("Nothing is settled yet.") == 2
    for item, good in zip(labeling.fill(queue, by, 3), ("pass", "pass", "fail"), strict=True):
        settling.settle(item=item, answers={"good": good}, by=by, now=NOW)
    said = page.get(f"{BASE}answers/training").content.decode()
    assert ("2 lines" in said, "0 lines" in said) == (True, True)
    assert "No correction, and not every verdict is a pass" in said
    assert "Nothing says which of two answers is better" in said
    sent = page.post(f"{BASE}answers/export", {"format": "openai_chat"})
    assert (sent["X-Lines"], sent["X-Left-Out"], sent.getvalue().count(b"\n")) == ("2", "not_accepted=1", 2)


def test_what_went_out_comes_into_another_queue_by_the_form(project: Project, by: Actor, page: Client) -> None:
    first = exchanging.queue(project, by)
    second = labeling.queue(project, by, questions=exchanging.QUESTIONS, slug="second")
    sent = {"format": "argilla", "file": file(exchanging.exported(first, "argilla").decode())}
    assert "5 items with 5 answers" in page.post(f"{BASE}second/file", sent, follow=True).content.decode()
    assert exchanging.content(second) == exchanging.content(first)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"file": "not JSON"}, "The body is not JSON"),
        ({"file": '{"a": 1}'}, "Send a list of tasks."),
        ({"file": '[{"data": 1}]'}, "Task 1: must be an object."),
        ({"file": '["\\u0000"]'}, "NUL"),
        ({"settings": "<View>"}, "Line 1: not XML"),
        ({"people": "8"}, "write such as 7 = Ann"),
        ({"slug": "answers"}, "There is a queue “answers” already."),
        ({"format": "csv"}, "not one of the available choices"),
    ],
)
def test_a_file_that_makes_no_queue_is_said_at_its_field_and_keeps_what_was_typed(
    project: Project, by: Actor, page: Client, changed: dict[str, str], said: str
) -> None:
    labeling.queue(project, by)
    sent: dict[str, Any] = NEW | files() | {"name": "Kept name"}
    sent |= {name: file(text) if name in {"file", "settings"} else text for name, text in changed.items()}
    refused = page.post(f"{BASE}-/file", sent)
    shown = unescape(refused.content.decode())
    assert (refused.status_code, said in shown, "Kept name" in shown) == (400, True, True), shown
    assert Queue.objects.count() == 1
