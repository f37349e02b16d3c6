from __future__ import annotations

import json
from typing import Any

import pytest

from feedback.models import Queue
from llmops.common.actors import Actor
from llmops.projects.models import Project
from tests.feedback import exchanging, labeling

FILES = {
    "label_studio": (exchanging.LABEL_STUDIO_TASKS, exchanging.LABEL_STUDIO_CONFIG),
    "argilla": (exchanging.ARGILLA_RECORDS, exchanging.ARGILLA_SETTINGS),
}


def body(form: str, **more: Any) -> dict[str, Any]:
    records, settings = FILES[form]
    return {"format": form, "records": records, "settings": settings, **more}


@pytest.mark.parametrize("form", list(FILES))
def test_a_file_becomes_a_queue_goes_out_and_comes_into_another(
    project: Project, by: Actor, api: Any, form: str
) -> None:
    made = api.send("POST", "/queues/-/import", body(form, slug="there", annotators_per_item=1))
    assert (made.status_code, made.json()["queue"], made.json()["items"]) == (201, "there", 2)
    assert {"what", "count", "first"} == set(made.json()["left_out"][0])
    out = api.send("POST", "/queues/there/export", {"format": form})
    assert (out.status_code, out["Content-Type"]) == (200, "application/json")
    labeling.queue(project, by, questions=Queue.objects.get().rubric_version.questions, slug="other")
    back = api.send("POST", "/queues/other/import", {"format": form, "records": json.loads(out.getvalue())})
    assert (back.status_code, back.json()["answers"], back.json()["left_out"]) == (201, made.json()["answers"], [])
    first, second = (exchanging.content(queue) for queue in Queue.objects.order_by("id"))
    assert first == second


def test_the_settings_are_files_of_their_own(project: Project, by: Actor, api: Any) -> None:
    labeling.queue(project, by, questions=exchanging.QUESTIONS)
    xml = api.send("POST", "/queues/answers/export", {"format": "label_studio_config"})
    assert (xml["Content-Type"], xml.getvalue()[:6]) == ("application/xml", b"<View>")
    settings = json.loads(api.send("POST", "/queues/answers/export", {"format": "argilla_settings"}).getvalue())
    assert [one["settings"]["type"] for one in settings["questions"]] == [
        "label_selection", "label_selection", "multi_label_selection", "rating", "label_selection", "text", "span",
        "text", "label_selection", "ranking",
    ]  # fmt: skip


def test_looking_says_the_same_and_keeps_nothing(api: Any) -> None:
    looked = api.send("POST", "/queues/-/import", body("argilla", slug="there", only_look=True))
    assert (looked.status_code, looked.json()["items"], Queue.objects.count()) == (200, 2, 0)


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"format": "csv"}, 400, "format"),
        ({"records": None}, 400, "records"),
        ({"records": {"a": 1}}, 400, "records"),
        ({"records": [{"data": 1}]}, 400, "task 1"),
        ({"settings": None}, 400, "settings"),
        ({"settings": "<View>"}, 400, "settings"),
        ({"slug": "Not a slug"}, 400, "slug"),
        ({"people": []}, 400, "people"),
        ({"labelers": ["nobody@example.com"]}, 400, "labelers"),
    ],
)
def test_what_makes_no_queue_is_refused_by_field(api: Any, changed: dict[str, Any], status: int, field: str) -> None:
    refused = api.send("POST", "/queues/-/import", body("label_studio", slug="there") | changed)
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (status, [field])
    assert not Queue.objects.exists()


def test_a_body_that_is_no_json_or_holds_nul_is_refused(project: Project, by: Actor, api: Any) -> None:
    labeling.queue(project, by)
    nul = api.send("POST", "/queues/answers/import", {"format": "argilla", "records": [{"id": "a\x00"}]})
    assert (nul.status_code, "NUL" in nul.json()["error"]["message"]) == (400, True)
    assert api.send("POST", "/queues/answers/export", {"format": "parquet"}).status_code == 400


def test_fine_tuning_files_say_in_headers_how_many_items_made_no_line(project: Project, by: Actor, api: Any) -> None:
    exchanging.queue(project, by)
    chat = api.send("POST", "/queues/answers/export", {"format": "openai_chat"})
    assert (chat["Content-Type"], chat["X-Lines"], chat["X-Left-Out"]) == ("application/jsonl", "0", "no_messages=2")
    assert chat.getvalue() == b""
