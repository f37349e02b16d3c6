from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from feedback.models import Queue, QueueItem
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from tests.feedback import labeling

QUESTIONS = [{"key": "good", "kind": "pass_fail", "text": "Right?"}]


@pytest.fixture
def of(project: Project, api_with: Any) -> Callable[[User], Any]:
    """A client with the person's own key."""

    def make(user: User) -> Any:
        own = Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)
        return api_with(api_keys.issue(project=project, kind="personal", user=user, name="own", by=own).text)

    return make


def test_a_queue_is_made_filled_labeled_and_settled_over_the_api(
    project: Project, api: Any, send: Callable[..., Any], of: Callable[[User], Any]
) -> None:
    ann, bob = labeling.people(project, 2)
    made = api.send("POST", "/rubrics", {"slug": "right", "questions": QUESTIONS})
    assert (made.status_code, made.json()["version"]["number"]) == (201, 1)
    queue = {"slug": "mails", "rubric": "right", "labelers": [ann.email, bob.email]}
    assert api.send("POST", "/queues", queue).status_code == 201
    send("/calls", {"id": "c1", "inputs": {"q": "Hello"}, "output": "Yes"})
    assert api.send("POST", "/queues/mails/items", {"way": "calls", "calls": ["c1"]}).json() == {"added": 1}
    for person, good in ((ann, "pass"), (bob, "fail")):
        taken = of(person).send("POST", "/queues/mails/next").json()
        assert taken["snapshot"]["output"] == "Yes"
        answer = of(person).send("POST", f"/queues/mails/items/{taken['id']}/answer", {"answers": {"good": good}})
        assert answer.status_code == 204
    assert of(ann).send("POST", "/queues/mails/next").status_code == 204
    [own] = of(ann).send("GET", "/queues/mails/history").json()["results"]
    assert own["answers"] == {"good": "pass"}
    [open_item] = api.send("GET", "/queues/mails/items?state=done").json()["results"]
    settle = api.send("POST", f"/queues/mails/items/{open_item['id']}/settle", {"answers": {"good": "pass"}})
    assert settle.status_code == 204
    whole = api.send("GET", "/queues/mails").json()
    assert (whole["progress"]["settled"], whole["progress"]["answers"]) == (1, 2)


def test_an_answer_is_somebodys_and_a_wrong_one_names_the_question(
    project: Project, by: Actor, api: Any, of: Callable[[User], Any]
) -> None:
    [ann] = labeling.people(project, 1)
    queue = labeling.queue(project, by, labelers=[ann.email])
    labeling.fill(queue, by, 1)
    assert api.send("POST", "/queues/answers/next").status_code == 403
    uid = of(ann).send("POST", "/queues/answers/next").json()["id"]
    wrong = of(ann).send("POST", f"/queues/answers/items/{uid}/answer", {"answers": {"good": "so so"}})
    assert (wrong.status_code, list(wrong.json()["error"]["fields"])) == (400, ["good"])
    for what in ("skip", "flag"):
        assert of(ann).send("POST", f"/queues/answers/items/{uid}/{what}", {"reason": "Latin"}).status_code == 204
    assert of(ann).send("POST", "/queues/answers/undo").json()["id"] == uid
    assert QueueItem.objects.get().flag == "Latin"


def test_a_labeler_finds_only_the_queues_that_name_them(project: Project, by: Actor, of: Callable[[User], Any]) -> None:
    ann, bob = labeling.people(project, 2)
    labeling.queue(project, by, slug="hers", labelers=[ann.email])
    labeling.queue(project, by, slug="his", labelers=[bob.email])
    assert [one["slug"] for one in of(ann).send("GET", "/queues").json()["results"]] == ["hers"]
    assert of(ann).send("POST", "/queues/his/next").status_code == 404
    assert of(ann).send("GET", "/queues/hers/items").status_code == 403


def test_settings_and_labelers_change_and_the_list_of_queues_takes_few_queries(
    project: Project, by: Actor, api: Any, django_assert_max_num_queries: Any
) -> None:
    ann, bob = labeling.people(project, 2)
    for n in range(4):
        labeling.queue(project, by, slug=f"q{n}", labelers=[ann.email])
    changed = api.send("PATCH", "/queues/q1", {"state": "paused", "daily": 5, "labelers": [bob.email]})
    assert (changed.status_code, changed.json()["state"]) == (200, "paused")
    assert list(Queue.objects.get(slug="q1").people.values_list("user", flat=True)) == [bob.pk]
    api.send("GET", "/queues")
    with django_assert_max_num_queries(2):
        assert len(api.send("GET", "/queues").json()["results"]) == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rows": {}, "mapping": {}}, "rows"),
        ({"rows": [], "mapping": []}, "mapping"),
        ({"rows": [], "mapping": {"item": "id", "question": "gone", "annotators": ["x"]}}, "mapping.question"),
        ({"rows": [{}], "mapping": {"item": "id", "question": "good", "annotators": ["x"]}}, "mapping.item"),
        ({"rows": [3], "mapping": {"item": "id", "question": "good", "annotators": ["x"]}}, "mapping.item"),
        ({"rows": [{"id": 1, "x": 5}], "mapping": {"item": "id", "question": "good", "annotators": ["x"]}}, "good"),
    ],
    ids=str,
)  # fmt: skip
def test_labels_that_cannot_come_in_are_refused_by_name(
    project: Project, by: Actor, api: Any, body: dict[str, Any], field: str
) -> None:
    labeling.queue(project, by)
    refused = api.send("POST", "/queues/answers/labels", body)
    assert (refused.status_code, next(iter(refused.json()["error"]["fields"]))) == (400, field)


def test_a_queue_gives_agreement_majorities_and_examples(project: Project, by: Actor, api: Any) -> None:
    queue = labeling.queue(project, by, annotators_per_item=3, settle_by="person")
    rows = [{"id": n, "x": "pass", "y": "pass", "z": "fail" if n < 4 else "pass"} for n in range(12)]
    mapping = {"item": "id", "question": "good", "annotators": ["x", "y", "z"]}
    made = api.send("POST", "/queues/answers/labels", {"rows": rows, "mapping": mapping})
    assert (made.status_code, made.json()["answers"]) == (201, 36)
    found = api.send("GET", "/queues/answers/agreement").json()
    [good] = found["questions"]
    assert (good["question"], good["percent"]["n"], len(found["people"])) == ("good", 12, 3)
    assert good["percent"]["low"] < good["percent"]["value"] < good["percent"]["high"]
    assert api.send("POST", "/queues/answers/majority").json() == {"settled": 12}
    body = {"dataset": "golden", "question": "good"}
    missing = api.send("POST", "/queues/answers/examples", body)
    assert (missing.status_code, list(missing.json()["error"]["fields"])) == (400, ["dataset"])
    api.send("POST", "/datasets", {"slug": "golden"})
    kept = {"added": 12, "renewed": 0, "known": 0, "unusable": 0, "has_more": False}
    assert api.send("POST", "/queues/answers/examples", body).json() == kept
    listed = api.send("GET", "/datasets/golden/examples").json()["results"]
    items = QueueItem.objects.filter(queue=queue)
    assert {one["item"] for one in listed} == {ids.public("qi", item.uid) for item in items}
    assert {one["expected"] for one in listed} == {"pass"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"way": "run", "run": "run_0"}, "run"),
        ({"way": "calls", "calls": ["none"]}, "calls"),
        ({"way": "guess"}, "way"),
        ({"way": "inbox", "inbox": {"since": "yesterday"}}, "inbox.since"),
    ],
)
def test_what_cannot_fill_a_queue_is_refused_by_name(
    project: Project, by: Actor, api: Any, body: dict[str, Any], field: str
) -> None:
    labeling.queue(project, by)
    refused = api.send("POST", "/queues/answers/items", body)
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, [field])


def test_settings_are_changed_over_the_api_and_a_late_change_is_a_conflict(
    project: Project, by: Actor, api: Any, of: Callable[[User], Any]
) -> None:
    [ann] = labeling.people(project, 1)
    labeling.queue(project, by, labelers=[ann.email])
    shown = api.send("GET", "/queues/answers").json()["settings"]
    assert (shown["edits"], shown["order"], shown["labelers"]) == (0, "priority", [ann.email])
    change = {"annotators_per_item": 3, "order": "newest", "rubric_version": 1, "base_edits": 0}
    assert api.send("PATCH", "/queues/answers", change).json()["annotators_per_item"] == 3
    late = api.send("PATCH", "/queues/answers", {"order": "oldest", "base_edits": 0})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "stale_settings")
    assert late.json()["error"]["fields"] == {"order": "is “The newest first” now"}
    missing = api.send("PATCH", "/queues/answers", {"rubric_version": 9})
    assert (missing.status_code, missing.json()["error"]["fields"]) == (400, {"rubric_version": "no such version"})
    assert of(ann).send("GET", "/queues/answers").json()["settings"] is None
