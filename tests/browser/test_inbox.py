"""The inbox by keyboard alone, and as it looks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from evals.models import Example
from evals.services import datasets
from feedback.models import InboxItem, ItemTag
from feedback.services import describing, views
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.services import api_keys, projects
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]

SCREENS = settings.BASE_DIR / "artifacts" / "screens"
HISTORY = [
    {"role": "user", "content": "Where is my parcel?"},
    {"role": "assistant", "content": [{"type": "text", "text": "It is on its way."}]},
    {"role": "user", "content": "That is what you said on Monday. Where do silk scarves come from, by the way?"},
]


@pytest.fixture
def ada(transactional_db: None) -> User:
    """Ada, with five complaints in her inbox; the newest has a conversation, passages, steps and a correction."""
    keys.forget()
    ada = User.objects.create_user("ada@example.com", "correct horse battery", name="Ada")
    by = Actor(kind="user", id=ada.pk, text=ada.email, user_id=ada.pk)
    project = projects.create(slug="garden", name="Garden shop", admin=ada, by=by)
    datasets.create(project=project, slug="hard-cases", by=by)
    views.save(project=project, name="Silk", query={"tag": "silk"}, is_shared=True, by=by)
    key = api_keys.issue(project=project, kind="secret", name="tests", by=by).text
    client = Client(headers={"Authorization": f"Bearer {key}"})
    calls = [
        {
            "id": f"c{n}",
            "inputs": {"question": f"Question {n}"},
            "output": f"Answer {n}",
            "model": "small",
            "session": "s",
        }
        for n in range(4)
    ]
    calls.append(
        {
            "id": "c4", "inputs": {"messages": HISTORY}, "output": "Most silk scarves are made in Paris.",
            "contexts": [{"text": "Lyon is known for silk.", "source": "almanac", "score": 0.83}, "Paris has fashion."],
            "trace": [{"name": "retrieve", "latency_ms": 20}, {"name": "answer", "latency_ms": 80, "error": "retried"}],
            "session": "s", "model": "small", "tags": ["silk"], "latency_ms": 100, "cost_usd": 0.0004,
        }
    )  # fmt: skip
    said = [{"call": f"c{n}", "thumbs": "down", "comment": f"Complaint {n}", "tags": ["slow"]} for n in range(4)]
    said.append(
        {"call": "c4", "thumbs": "down", "comment": "Wrong city", "correction": "Most silk scarves are made in Lyon."}
    )
    for path, events in [("calls", calls), ("feedback", said)]:
        for event in events:  # one by one, so that they have an order
            assert client.post(f"/api/v1/{path}", json.dumps(event), "application/json").status_code == 201
    describing.run(now=timezone.now())
    return ada


def states() -> str:
    return "".join(InboxItem.objects.order_by("id").values_list("state", flat=True)[n][0] for n in range(5))


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_an_inbox_is_triaged_by_keyboard_alone(ada: User, watched: Callable[..., Watched]) -> None:
    browser = watched(ada)
    page = browser.page
    page.goto("/p/garden/feedback/")
    press(page, "j", "j")
    with page.expect_navigation():
        press(page, "d")  # nothing is chosen: the row that one is on
    assert states() == "ooodo"
    press(page, "j", "x", "j", "x")
    expect(page.locator("[data-chosen]")).to_have_text("2 chosen")
    with page.expect_navigation():
        press(page, "i")
    assert states() == "ooidi"
    with page.expect_navigation():
        press(page, "u")
    assert states() == "ooodo"
    press(page, "j")
    press(page, "t")
    page.keyboard.type("parcel")
    with page.expect_navigation():
        press(page, "Enter")
    assert ItemTag.objects.get(tag="parcel").item.call_client_id == "c4"
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Undo your last action")
    press(page, "Escape", "j")
    with page.expect_navigation():
        press(page, "Enter")
    expect(page.locator("ins")).to_have_text("Lyon")
    page.locator("#example select").select_option("hard-cases")
    page.locator("h2").first.click()
    with page.expect_navigation():
        press(page, "e")
    assert Example.objects.get().expected == "Most silk scarves are made in Lyon."
    expect(page.get_by_role("heading", name="In datasets")).to_be_visible()
    with page.expect_navigation():
        press(page, "l")
    item = InboxItem.objects.get(call_client_id="c4")
    assert (item.needs_label, item.state) == (True, "done")
    expect(page.locator("h2").first).to_have_text("Complaint 2")
    with page.expect_navigation():
        press(page, "m")
    assert InboxItem.objects.get(call_client_id="c2").assignee == ada
    assert browser.wrong() == []


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_the_inbox_is_accessible_at_both_widths(
    ada: User, watched: Callable[..., Watched], width: int, theme: str
) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    browser = watched(ada, width=width, theme=theme)
    page = browser.page
    page.goto("/p/garden/feedback/")
    page.locator(".inbox-box input").first.check()
    page.locator(".bulk details summary").click()
    for name in ["inbox-chosen", "inbox-call"]:
        assert Axe().run(page).response["violations"] == []
        page.screenshot(path=SCREENS / f"{name}-{width}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
        page.locator(".bulk details summary").click() if name == "inbox-chosen" else None
        page.locator("a.inbox-item").first.click() if name == "inbox-chosen" else None
    assert browser.wrong() == []
