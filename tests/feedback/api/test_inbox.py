"""REST: the inbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from evals.models import Example
from evals.services import datasets
from feedback.models import InboxItem
from feedback.services import describing
from llmops.accounts.models import User
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys


@pytest.fixture
def ref(send: Callable[..., Any]) -> str:
    send("/calls", {"id": "a", "inputs": {"q": "silk?"}, "output": "Paris", "model": "small", "tags": ["geo"]})
    send("/feedback", {"call": "a", "thumbs": "down", "correction": "Lyon"}, {"call": "b", "thumbs": "down"})
    describing.run(now=timezone.now())
    return ids.public("item", InboxItem.objects.get(call_client_id="a").uid)


def test_items_are_listed_by_filter(api: Any, ref: str) -> None:
    (item,) = api.send("GET", "/inbox?tag=geo&verdict=correction").json()["results"]
    assert (item["id"], item["call"], item["state"], item["model"], item["tags"], item["assignee"]) == (
        ref, "a", "open", "small", ["geo"], None,
    )  # fmt: skip
    assert [row["call"] for row in api.send("GET", "/inbox?limit=1").json()["results"]] == ["b"]


@pytest.mark.parametrize("query", ["verdict=x", "theme=theme_1", "version=x", "since=x", "state=gone", "version=-1"])
def test_a_filter_that_is_not_acceptable_is_named(api: Any, ref: str, query: str) -> None:
    response = api.send("GET", f"/inbox?{query}")
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, [query.partition("=")[0]])


def test_one_item_holds_its_call_and_what_was_said(api: Any, ref: str) -> None:
    found = api.send("GET", f"/inbox/{ref}").json()
    assert (found["item"]["id"], found["call"]["output"], found["feedback"][0]["correction"]) == (ref, "Paris", "Lyon")
    assert found["examples"] == []


def test_triage_changes_what_is_sent_and_undo_takes_it_back(api: Any, ref: str, admin: User) -> None:
    change = {"assignee": "ada@example.com", "needs_label": True, "add_tags": ["hard"]}
    item = api.send("PATCH", f"/inbox/{ref}", change).json()["item"]
    assert (item["state"], item["assignee"], item["needs_label"], item["tags"]) == (
        "done", "ada@example.com", True, ["geo", "hard"],
    )  # fmt: skip
    assert api.send("POST", "/inbox/undo").json() == {"kind": "needs_label", "items": 1, "kept": 0}
    item = api.send("GET", f"/inbox/{ref}").json()["item"]
    assert (item["state"], item["assignee"], item["needs_label"], item["tags"]) == ("open", None, False, ["geo"])
    assert api.send("POST", "/inbox/undo").json()["error"]["code"] == "nothing_to_undo"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"state": "gone"}, "state"), ({"assignee": "eve@example.com"}, "assignee"), ({"add_tags": ["a|b"]}, "tag"),
     ({"add_tags": "x"}, "add_tags"), ({"needs_label": "perhaps"}, "needs_label"),
     ({"add_tags": ["\x00"]}, "add_tags[0]")],
    ids=str,
)  # fmt: skip
def test_a_change_that_is_not_acceptable_is_named(
    api: Any, ref: str, other_project: Project, change: dict[str, Any], field: str
) -> None:
    response = api.send("PATCH", f"/inbox/{ref}", change)
    assert (response.status_code, list(response.json()["error"]["fields"])) == (400, [field])
    assert not InboxItem.objects.exclude(state="open").exists()


def test_many_items_change_at_once(api: Any, ref: str) -> None:
    other = ids.public("item", InboxItem.objects.get(call_client_id="b").uid)
    answer = api.send("POST", "/inbox/actions", {"items": [ref, other, "item_0"], "state": "done"})
    assert answer.json() == {"changed": 2, "unknown": ["item_0"]}
    assert set(InboxItem.objects.values_list("state", flat=True)) == {"done"}
    assert api.send("POST", "/inbox/undo").json()["items"] == 2
    assert set(InboxItem.objects.values_list("state", flat=True)) == {"open"}


def test_an_example_is_made_with_the_correction_and_names_its_call(
    api: Any, ref: str, project: Project, by: Actor
) -> None:
    datasets.create(project=project, slug="hard", by=by)
    made = api.send("POST", f"/inbox/{ref}/examples", {"dataset": "hard"})
    assert made.status_code == 201
    assert Example.objects.get().expected == "Lyon"
    found = api.send("GET", f"/inbox/{ref}").json()
    assert found["examples"] == [made.json()]
    example = api.send("GET", f"/datasets/hard/examples/{made.json()['example']}").json()
    assert example["call"] == found["call"]["id"]
    unknown = api.send("POST", f"/inbox/{ref}/examples", {"dataset": "none"})
    assert list(unknown.json()["error"]["fields"]) == ["dataset"]


def test_views_are_saved_shared_and_removed(
    api: Any, ref: str, api_with: Any, project: Project, by: Actor, member: Callable[[str], User]
) -> None:
    person = member("editor")
    mine = api_with(api_keys.issue(project=project, kind="personal", user=person, name="mine", by=by).text)
    view = mine.send("POST", "/inbox/views", {"name": "Geography", "query": {"tag": "geo"}}).json()
    assert (view["query"], view["is_shared"], view["owner"]) == ({"tag": "geo"}, False, person.email)
    assert api.send("GET", f"/inbox/views/{view['id']}").status_code == 404
    mine.send("PATCH", f"/inbox/views/{view['id']}", {"is_shared": True})
    assert [one["name"] for one in api.send("GET", "/inbox/views").json()["results"]] == ["Geography"]
    assert api.send("DELETE", f"/inbox/views/{view['id']}").status_code == 403
    assert mine.send("DELETE", f"/inbox/views/{view['id']}").status_code == 204
    ours = api.send("POST", "/inbox/views", {"name": "Servers"}).json()
    assert (ours["is_shared"], ours["owner"]) == (True, None)
    wrong = api.send("POST", "/inbox/views", {"name": "x", "query": {"project_id": "1"}})
    assert list(wrong.json()["error"]["fields"]) == ["query.project_id"]
