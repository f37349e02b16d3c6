"""Many items at once, undo, saved views, and the link between a call and its examples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from evals.models import Dataset, Example
from evals.services import datasets
from feedback.models import Call, InboxItem, ItemTag, SavedView, TriageAction
from feedback.services import describing
from llmops.accounts.models import User
from llmops.audit.models import Event
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.projects.models import Project

INBOX = "/p/garden/feedback/"


@pytest.fixture
def refs(send: Callable[..., Any]) -> dict[str, str]:
    """Three thumbs-down, the second without a call, as the inbox names them."""
    send(
        "/calls", {"id": "a", "inputs": {"q": "silk?"}, "output": "Paris", "tags": ["geo"]}, {"id": "c", "output": "x"}
    )
    send(
        "/feedback",
        {"call": "a", "thumbs": "down", "correction": "Lyon", "end_user": "u1"},
        {"call": "b", "thumbs": "down", "end_user": "u1"},
        {"call": "c", "thumbs": "down", "tags": ["slow"], "end_user": "u1"},
    )
    describing.run(now=timezone.now())
    return {item.call_client_id: ids.public("item", item.uid) for item in InboxItem.objects.all()}


def states() -> dict[str, str]:
    return dict(InboxItem.objects.values_list("call_client_id", "state"))


def act(page: Client, *chosen: str, query: str = "", **data: Any) -> Any:
    return page.post(f"{INBOX}-/bulk{query}", {"item": chosen, **data}, follow=True)


def test_the_chosen_items_change_and_the_others_stay(page: Client, refs: dict[str, str]) -> None:
    shown = act(page, refs["a"], refs["b"], do="ignored", query="?verdict=down")
    assert states() == {"a": "ignored", "b": "ignored", "c": "open"}
    assert shown.redirect_chain[-1][0] == f"{INBOX}?verdict=down"
    assert "2 of 2 changed" in shown.content.decode()
    assert Event.objects.get(name="feedback.items_triaged").data == {"state": "ignored", "items": 2}


def test_everything_that_matches_means_the_filter_and_not_the_page(page: Client, refs: dict[str, str]) -> None:
    act(page, do="done", everything="on", query="?tag=slow")
    assert states() == {"a": "open", "b": "open", "c": "done"}


def test_items_that_need_a_label_leave_the_open_list_and_are_found_again(page: Client, refs: dict[str, str]) -> None:
    act(page, refs["a"], do="needs_label")
    item = InboxItem.objects.get(call_client_id="a")
    assert (item.state, item.needs_label) == ("done", True)
    rows = page.get(INBOX, {"state": "all", "needs_label": "on"}).context["page"].rows
    assert [row.ref for row in rows] == [refs["a"]]


def test_the_team_tags_and_assigns(page: Client, refs: dict[str, str], admin: User) -> None:
    act(page, refs["a"], refs["c"], do="tag", add_tag="slow")
    act(page, refs["a"], do="assign", assignee=admin.pk)
    tags = set(ItemTag.objects.values_list("item__call_client_id", "tag", "source"))
    assert tags == {("a", "geo", "call"), ("a", "slow", "team"), ("c", "slow", "user")}
    assert InboxItem.objects.get(call_client_id="a").assignee == admin
    page.post(f"{INBOX}{refs['a']}/triage", {"remove_tag": "slow"})
    page.post(f"{INBOX}{refs['c']}/triage", {"remove_tag": "slow"})  # the user said it; it stays
    assert set(ItemTag.objects.filter(tag="slow").values_list("item__call_client_id", flat=True)) == {"c"}


@pytest.mark.parametrize(
    "data", [{"do": "gone"}, {"do": "tag"}, {"do": "tag", "add_tag": "x" * 61}, {"do": "tag", "add_tag": "a|b"},
             {"do": "dataset"}, {"do": "dataset", "dataset": "none"}, {"do": "assign", "assignee": "999999"}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_done_changes_nothing(page: Client, refs: dict[str, str], data: dict[str, str]) -> None:
    assert act(page, refs["a"], **data).status_code == 400
    assert not TriageAction.objects.exists()


def test_items_of_another_project_are_no_items(page: Client, refs: dict[str, str], other_project: Project) -> None:
    InboxItem.objects.filter(call_client_id="b").update(project=other_project)
    act(page, *refs.values(), "item_0", "\x00", do="done")
    assert states() == {"a": "done", "b": "open", "c": "done"}


def test_undo_takes_back_one_action_after_the_other(page: Client, refs: dict[str, str]) -> None:
    act(page, refs["a"], refs["b"], do="done")
    act(page, refs["b"], do="ignored")
    act(page, refs["c"], do="tag", add_tag="mine")
    for expected in [
        {"a": "done", "b": "ignored", "c": "open"},
        {"a": "done", "b": "done", "c": "open"},
        {"a": "open", "b": "open", "c": "open"},
    ]:
        shown = page.post(f"{INBOX}-/undo", follow=True)
        assert "Taken back" in shown.content.decode()
        assert states() == expected
    assert not ItemTag.objects.filter(source="team").exists()
    assert page.post(f"{INBOX}-/undo").status_code == 409


def test_undo_leaves_what_somebody_changed_since(
    page: Client, refs: dict[str, str], client_of: Callable[[User], Client], member: Callable[[str], User]
) -> None:
    other = client_of(member("editor"))
    act(page, refs["a"], refs["b"], do="done")
    act(other, refs["b"], do="ignored")
    shown = page.post(f"{INBOX}-/undo", follow=True)
    assert "1 had changed since" in shown.content.decode()
    assert states() == {"a": "open", "b": "ignored", "c": "open"}


def test_undo_is_ones_own_and_ends_after_a_day(
    page: Client, refs: dict[str, str], client_of: Callable[[User], Client], member: Callable[[str], User]
) -> None:
    other = client_of(member("editor"))
    act(page, refs["a"], do="done")
    assert other.get(INBOX).context["undoable"] is None
    assert other.post(f"{INBOX}-/undo").status_code == 409
    assert "1 item marked done" in page.get(INBOX).content.decode()
    TriageAction.objects.update(done_at=timezone.now() - timedelta(days=2))
    assert page.post(f"{INBOX}-/undo").status_code == 409


def test_calls_become_examples_with_their_corrections_and_undo_takes_them_out(
    page: Client, refs: dict[str, str], project: Project, by: Actor
) -> None:
    dataset = datasets.create(project=project, slug="hard", by=by)
    shown = act(page, *refs.values(), do="dataset", dataset="hard")
    assert "2 added to hard, 1 have no call" in shown.content.decode()
    expected = dict(Example.objects.filter(dataset=dataset).values_list("source_uid", "expected"))
    assert expected == {Call.objects.get(client_id="a").uid: "Lyon", Call.objects.get(client_id="c").uid: None}
    assert states() == {"a": "done", "b": "open", "c": "done"}
    again = act(page, *refs.values(), do="dataset", dataset="hard")
    assert "0 added to hard, 2 were there already" in again.content.decode()
    page.post(f"{INBOX}-/undo")
    assert not Example.objects.filter(dataset=dataset, removed_in=None).exists()
    assert set(states().values()) == {"open"}


def test_a_call_shows_its_examples_and_an_example_its_call(page: Client, refs: dict[str, str]) -> None:
    page.post(f"{INBOX}{refs['a']}/example", {"new_dataset": "hard", "expected": "Lyon"})
    example, call = Example.objects.get(), Call.objects.get(client_id="a")
    edit = f"/p/garden/datasets/hard/examples/{example.uid}/"
    assert edit in page.get(f"{INBOX}{refs['a']}/").content.decode()
    shown = page.get(edit, follow=True).content.decode()
    assert f"{INBOX}{ids.public('call', call.uid)}/" in shown


def test_the_page_shows_what_the_correction_changes(page: Client, refs: dict[str, str]) -> None:
    shown = page.get(f"{INBOX}{refs['a']}/").content.decode()
    assert "<del>Paris</del>" in shown
    assert "<ins>Lyon</ins>" in shown


def test_a_viewer_neither_triages_nor_writes_a_dataset(
    client_of: Callable[[User], Client],
    member: Callable[[str], User],
    refs: dict[str, str],
    project: Project,
    by: Actor,
) -> None:
    datasets.create(project=project, slug="hard", by=by)
    viewer = client_of(member("viewer"))
    assert act(viewer, refs["a"], do="dataset", dataset="hard").status_code == 403
    assert act(viewer, refs["a"], do="done").status_code == 403
    assert set(states().values()) == {"open"}
    assert not Example.objects.exists()
    assert Dataset.objects.count() == 1


def test_a_view_keeps_the_filter_for_its_owner(
    page: Client, refs: dict[str, str], client_of: Callable[[User], Client], member: Callable[[str], User]
) -> None:
    viewer = client_of(member("viewer"))
    address = f"{INBOX}-/views?verdict=down&tag=geo&state=all&cursor=x&until=nonsense"
    assert page.post(address, {"name": "Geography"}).status_code == 302
    view = SavedView.objects.get()
    assert view.filters == {"v": 1, "query": {"verdict": "down", "tag": "geo", "state": "all"}}
    (shown,) = page.get(INBOX).context["views"]
    assert [row.ref for row in page.get(shown.address).context["page"].rows] == [refs["a"]]
    assert viewer.get(INBOX).context["views"] == []
    assert page.post(address, {"name": "geography"}).status_code == 409
    assert page.post(address, {"name": " "}).status_code == 400


def test_a_shared_view_is_everybodys_to_use_and_its_owners_to_change(
    page: Client, refs: dict[str, str], client_of: Callable[[User], Client], member: Callable[[str], User]
) -> None:
    viewer, other = client_of(member("viewer")), client_of(member("editor"))
    assert other.post(f"{INBOX}-/views?tag=geo", {"name": "Geography", "is_shared": "on"}).status_code == 302
    change = f"{INBOX}-/views/{ids.public('view', SavedView.objects.get().uid)}"
    assert [view.name for view in viewer.get(INBOX).context["views"]] == ["Geography"]
    assert viewer.post(change, {"do": "remove"}).status_code == 403
    assert viewer.post(f"{INBOX}-/views", {"name": "Mine", "is_shared": "on"}).status_code == 403
    assert page.post(change, {"do": "keep"}).status_code == 403  # an admin may remove it, not hide it
    assert other.post(change, {"do": "keep"}).status_code == 302
    assert viewer.get(INBOX).context["views"] == []
    assert page.post(change, {"do": "remove"}).status_code == 404
    assert other.post(change, {"do": "remove"}).status_code == 302
    assert not SavedView.objects.exists()
