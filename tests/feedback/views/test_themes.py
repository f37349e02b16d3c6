"""Pages and operations of themes."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evals.forms import as_text
from evals.models import Example, Proposal
from evals.services import datasets
from feedback.models import Clustering, InboxItem, Theme, ThemeDraft
from feedback.queries import themes as queries
from feedback.services import themes
from llmops.common import ids
from llmops.common.actors import Actor
from llmops.gateway.services import connections
from llmops.projects.models import Project
from prompts.models import Draft, Version
from tests.evals.conftest import PROMPT, Bench
from tests.feedback.complaining import LATE, REFUND, complain

pytestmark = pytest.mark.django_db
BASE = "/p/garden/themes/"


@pytest.fixture
def theme(project: Project) -> Theme:
    found = Theme.objects.create(project=project, slug="late-parcel", name="Late, parcel", terms=["late", "parcel"])
    complain(project, LATE, theme=found, correction="delivery")
    return found


def address(theme: Theme, more: str = "") -> str:
    return f"{BASE}{queries.ref(theme)}/{more}"


def test_before_any_feedback_the_page_says_what_a_theme_is(page: Client) -> None:
    shown = page.get(BASE).content.decode()
    assert "A theme is what several complaints have in common" in shown


def test_complaints_that_wait_are_sorted_by_a_button_and_progress_is_told(page: Client, project: Project) -> None:
    complain(project, LATE)
    assert "6 complaints wait to be sorted" in page.get(BASE).content.decode()
    assert page.post(f"{BASE}-/sort").status_code == 302
    turn = Clustering.objects.get()
    Clustering.objects.update(state="running", done=3, total=6, phase="joining")
    part = page.get(BASE, headers={"HX-Request": "true"})
    assert "<b>3</b> of 6 looked at" in part.content.decode()
    assert "<html" not in part.content.decode()
    assert page.post(f"{BASE}-/sort/{ids.public('sort', turn.uid)}/cancel").status_code == 302
    assert page.get(BASE, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "was cancelled" in page.get(BASE).content.decode()


def test_sorting_nothing_says_so(page: Client) -> None:
    answer = page.post(f"{BASE}-/sort")
    assert answer.status_code == 400
    assert "There are no complaints to sort yet." in answer.content.decode()


def test_the_list_shows_size_trend_and_versions(page: Client, bench: Bench, project: Project) -> None:
    version = bench.prompt(path="mail/answer")
    theme = Theme.objects.create(project=project, slug="late", name="Late <b>")
    month_ago = timezone.now() - timedelta(days=20)
    complain(project, REFUND[:2], prefix="old", at=month_ago, theme=theme, version=version)
    complain(project, ["fine"] * 300, prefix="fine", at=month_ago, thumbs=1)
    complain(project, ["late"] * 30, prefix="new", theme=theme, version=version)
    shown = page.get(BASE).content.decode()
    assert "Late &lt;b&gt;" in shown
    assert "mail/answer v1" in shown
    assert "growing" in shown
    row = queries.row(theme, now=timezone.now())
    assert (row.size, row.trend.now.complaints, row.trend.now.calls) == (32, 30, 30)
    assert (row.trend.before.complaints, row.trend.before.calls) == (2, 302)


def test_the_list_takes_as_many_queries_for_many_themes_as_for_one(page: Client, project: Project) -> None:
    def ran() -> int:
        with CaptureQueriesContext(connection) as found:
            assert page.get(BASE).status_code == 200
        return len(found)

    complain(project, LATE, theme=Theme.objects.create(project=project, slug="first", name="First"))
    one = ran()
    for number in range(8):
        theme = Theme.objects.create(project=project, slug=f"t{number}", name=f"Theme {number}")
        complain(project, LATE, prefix=f"t{number}", theme=theme)
    assert ran() == one <= 18


def test_the_page_of_a_theme_shows_complaints_the_rate_and_the_versions(page: Client, theme: Theme) -> None:
    with CaptureQueriesContext(connection) as ran:
        shown = page.get(address(theme)).content.decode()
    assert len(ran) <= 32
    assert all(text in shown for text in LATE)
    assert "about: Question c-5" in shown
    assert "theme:late-parcel" in shown
    assert "100.0 %" in shown or "100 %" in shown  # six complaints on six calls
    assert "there is no rate to compare with" in shown  # nothing was logged in the weeks before


def test_a_theme_is_renamed_merged_and_split_on_its_page(page: Client, project: Project, theme: Theme) -> None:
    other = Theme.objects.create(project=project, slug="refund", name="Refund")
    assert page.post(address(theme, "rename"), {"name": ""}).status_code == 400
    assert page.post(address(theme, "rename"), {"name": "Slow delivery"}).status_code == 302
    items = list(InboxItem.objects.filter(theme=theme)[:2])
    refs = [ids.public("item", item.uid) for item in items]
    made = page.post(address(theme, "split"), {"item": refs, "name": "Two of them", "action": "split"})
    new = Theme.objects.get(name="Two of them")
    assert made.url == address(new)
    assert (
        "Choose complaints of this theme." in page.post(address(theme, "split"), {"action": "split"}).content.decode()
    )
    assert page.post(address(theme, "split"), {"item": refs, "action": "remove"}).status_code == 400  # they are gone
    wrong = page.post(address(theme, "merge"), {"into": "theme_0"})
    assert wrong.status_code == 400
    merged = page.post(address(theme, "merge"), {"into": queries.ref(other)})
    assert merged.url == address(other)
    assert page.get(address(theme)).status_code == 200  # an old link shows where it went
    assert queries.row(other, now=timezone.now()).size == 4


def test_its_calls_become_proposed_rows(page: Client, project: Project, by: Actor, theme: Theme) -> None:
    assert "There is no dataset yet" in page.get(address(theme)).content.decode()
    datasets.create(project=project, slug="mails", by=by)
    assert page.post(address(theme, "slice"), {"dataset": "mails", "count": 0}).status_code == 400
    answer = page.post(address(theme, "slice"), {"dataset": "mails", "count": 4})
    assert Proposal.objects.count() == 4
    shown = page.get(answer.url).content.decode()
    assert "no model wrote them" in shown
    [first] = Proposal.objects.filter(position=1)
    as_shown = {
        "then": "accept", "inputs.mail": "Question c-5", "expected": "delivery", "tags": "theme:late-parcel",
        "metadata": as_text(first.content["metadata"]),
    }  # fmt: skip
    assert as_shown["metadata"] in unescape(shown)
    assert page.post(f"{answer.url}rows/1/", as_shown).status_code == 302
    example = Example.objects.get()
    assert (example.inputs, example.metadata["call"]) == ({"mail": "Question c-5"}, "c-5")
    assert example.metadata["proposed_by"]["edited"] is False  # opening and keeping the row changes nothing


def test_a_proposed_name_is_marked_and_accepted_by_a_person(page: Client, project: Project, theme: Theme) -> None:
    connections.ensure_demo(project=project)
    assert page.post(address(theme, "name"), {"model": "demo-1"}).status_code == 302
    draft = ThemeDraft.objects.get()
    assert "thinks about a name" in page.get(address(theme)).content.decode()
    ThemeDraft.objects.update(state="done", content="Late parcels")
    shown = page.get(address(theme)).content.decode()
    assert "A model proposes the name “Late parcels”" in shown
    assert "<h1>Late, parcel</h1>" in shown
    page.post(address(theme, f"name/{ids.public('draft', draft.uid)}"), {"then": "accept"})
    assert "<h1>Late parcels</h1>" in page.get(address(theme)).content.decode()


def test_a_drafted_prompt_is_shown_as_a_change_and_saved_edited_or_refused(
    page: Client, bench: Bench, theme: Theme
) -> None:
    base = bench.prompt()
    content = PROMPT.replace("{{ text }}", "{{ text }}\nName the day.")

    def drafted() -> str:
        made = ThemeDraft.objects.create(
            project=bench.project, theme=theme, kind="prompt", state="done", content=content, artifact=base.artifact,
            base=Version.objects.latest("id"), model="model-1", connection_name="Local", why="Days <i>",
        )  # fmt: skip
        return f"/p/garden/theme-drafts/{ids.public('draft', made.uid)}/"

    first = drafted()
    shown = page.get(first).content.decode()
    assert "Name the day." in shown
    assert "Days &lt;i&gt;" in shown
    broken = page.post(first + "decide", {"then": "save", "content": "user:\n{{ x", "message": ""})
    assert broken.status_code == 400
    assert page.post(first + "decide", {"then": "edit", "content": content}).url.endswith("/repeat/")
    assert Draft.objects.get().content == content
    assert page.post(first + "decide", {"then": "save", "content": content, "message": "Say days"}).status_code == 302
    shown = page.get(first).content.decode()
    assert "Saved as v2" in shown
    assert "No label moved" in shown
    assert page.post(first + "decide", {"then": "save", "content": content}).status_code == 409
    second = drafted()
    assert page.post(second + "decide", {"then": "refuse"}).status_code == 302
    assert "Refused by" in page.get(second).content.decode()


def test_the_api_does_what_the_pages_do(api: Any, project: Project, by: Actor, theme: Theme) -> None:
    [listed] = api.send("GET", "/themes").json()
    assert (listed["name"], listed["complaints"], listed["trend"]["word"]) == ("Late, parcel", 6, "unknown")
    assert len(listed["trend"]["weeks"]) == 12
    one = f"/themes/{listed['id']}"
    assert api.send("PATCH", one, {"name": "Slow"}).json()["named_by"] == "hand"
    assert api.send("PATCH", one, {"name": "x" * 200}).json()["error"]["fields"].keys() == {"name"}
    said = api.send("GET", f"{one}/complaints").json()
    assert [row["text"] for row in said["results"]] == LATE[::-1]
    made = api.send("POST", f"{one}/split", {"items": [said["results"][0]["item"]], "name": "Why"}).json()
    assert (made["name"], made["complaints"]) == ("Why", 1)
    assert api.send("POST", f"{one}/merge", {"into": "theme_1"}).json()["error"]["fields"].keys() == {"into"}
    assert api.send("POST", f"/themes/{made['id']}/merge", {"into": listed["id"]}).json()["complaints"] == 6
    missing = api.send("POST", f"{one}/slice", {"dataset": "none"})
    assert (missing.status_code, missing.json()["error"]["fields"].keys()) == (400, {"dataset"})
    datasets.create(project=project, slug="mails", by=by)
    assert api.send("POST", f"{one}/slice", {"dataset": "mails", "count": 2}).json()["proposals"].startswith("ask_")
    assert api.send("GET", "/themes/-/sort").status_code == 404
    assert api.send("POST", "/themes/-/sort").json()["state"] == "waiting"
    assert api.send("DELETE", "/themes/-/sort").json()["state"] == "cancelled"


def test_the_inbox_shows_a_theme_with_those_merged_into_it(
    project: Project, by: Actor, page: Client, other_project: Project
) -> None:
    late, slow = (
        Theme.objects.create(project=project, slug=slug, name=name)
        for slug, name in (("late", "Late"), ("slow", "Slow"))
    )
    complain(project, ["late one"], prefix="l", theme=late)
    complain(project, ["slow one"], prefix="s", theme=slow)
    complain(project, ["slow no more"], prefix="u", theme=slow, thumbs=1)
    complain(project, ["neither"], prefix="n")

    def shown(theme: Theme, **more: str) -> list[str]:
        answer = page.get("/p/garden/feedback/", {"theme": queries.ref(theme)} | more)
        return sorted(row.title for row in answer.context["page"].rows)

    assert shown(slow) == ["slow one"]
    themes.merge(theme=slow, into=late, by=by)
    assert shown(late) == shown(slow) == ["late one", "slow one"]
    assert shown(late, state="done") == []
    everything = page.get("/p/garden/feedback/", {"theme": "theme_1"})
    assert len(everything.context["page"].rows) == 4
    foreign = Theme.objects.create(project=other_project, slug="late", name="Theirs")
    assert shown(foreign) == []
    assert "Late" in everything.content.decode()
    assert "Theirs" not in everything.content.decode()
