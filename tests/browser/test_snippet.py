"""The browser snippet on a page of another origin, under a policy that allows no inline script and no inline style."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from feedback import tokens
from feedback.api import origins
from feedback.models import FeedbackEvent, Vote
from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import ApiKey, Membership, Project
from llmops.projects.services import api_keys, projects
from tests.browser.conftest import WATCH, Watched
from tests.browser.shop import Shop, opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("browser")]


@pytest.fixture
def garden(transactional_db: None) -> Project:
    origins.forget()
    keys.forget()
    admin = User.objects.create_user("ada@example.com", "correct horse battery", name="Ada")
    by = Actor(kind="user", id=admin.pk, text=admin.email, user_id=admin.pk)
    return projects.create(slug="garden", name="Garden shop", admin=admin, by=by)


@pytest.fixture
def by(garden: Project) -> Actor:
    user = Membership.objects.get(project=garden).user
    return Actor(kind="user", id=user.pk, text=user.email, user_id=user.pk)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with opened() as shop:
        yield shop


@pytest.fixture
def visit(chromium: Browser, live_server: Any, shop: Shop) -> Iterator[Callable[[str, str], Page]]:
    """Opens the shop's page with a key and the element's attributes, under a strict policy."""
    context = chromium.new_context()
    context.add_init_script(WATCH)

    def open_page(key: str, attributes: str) -> Page:
        shop.show(platform=live_server.url, key=key, attributes=attributes)
        page = context.new_page()
        page.goto(shop.origin)
        return page

    yield open_page
    context.close()


def publishable(garden: Project, by: Actor, shop: Shop) -> str:
    return api_keys.issue(project=garden, kind="publishable", name="shop", origins=[shop.origin], by=by).text


def votes() -> list[float]:
    return list(Vote.objects.values_list("value", flat=True))


def eventually(check: Callable[[], bool]) -> None:
    for _ in range(200):
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_a_thumbs_down_with_a_reason_reaches_the_inbox(
    garden: Project, by: Actor, shop: Shop, visit: Callable[[str, str], Page], watched: Callable[..., Watched]
) -> None:
    page = visit(publishable(garden, by, shop), 'call="c1" user="u1"')
    page.get_by_role("button", name="No, not helpful").press("Enter")
    expect(page.get_by_role("checkbox", name="Wrong")).to_be_focused()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("checkbox", name="Wrong").press("Space")
    page.get_by_label("In your words").fill("It is Lyon <img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Send").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    assert (votes(), FeedbackEvent.objects.count()) == ([-1], 2)
    assert page.evaluate("window.__violations") == []

    inbox = watched(Membership.objects.get(project=garden).user)
    inbox.page.goto("/p/garden/feedback/")
    row = inbox.page.locator("a.inbox-item")
    expect(row).to_contain_text("It is Lyon <img src=x")
    row.click()
    expect(inbox.page.locator("aside")).to_contain_text("Wrong")
    assert inbox.wrong() == []


def test_a_changed_mind_replaces_the_vote_and_is_remembered(
    garden: Project, by: Actor, shop: Shop, visit: Callable[[str, str], Page]
) -> None:
    page = visit(publishable(garden, by, shop), 'call="c1"')
    up, down = (page.get_by_role("button", name=name) for name in ["Yes, helpful", "No, not helpful"])
    down.click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    page.keyboard.press("Escape")
    expect(down).to_be_focused()
    up.click()
    expect(up).to_have_attribute("aria-pressed", "true")
    eventually(lambda: votes() == [1])
    up.click()  # the same opinion again is nothing new
    page.reload()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(down).to_have_attribute("aria-pressed", "false")
    down.click()
    eventually(lambda: votes() == [-1])
    assert FeedbackEvent.objects.count() == 3


def test_what_is_said_offline_is_sent_once_when_the_connection_is_back(
    garden: Project, by: Actor, shop: Shop, visit: Callable[[str, str], Page]
) -> None:
    page = visit(publishable(garden, by, shop), 'call="c1" user="u1"')
    page.context.set_offline(True)
    page.get_by_role("button", name="No, not helpful").click()
    expect(page.get_by_role("status")).to_contain_text("You are offline")
    assert votes() == []
    page.context.set_offline(False)
    eventually(lambda: votes() == [-1])
    eventually(lambda: page.evaluate("localStorage.getItem('llmops-feedback:queue')") == "[]")
    assert FeedbackEvent.objects.count() == 1


def test_a_page_whose_origin_is_not_listed_sends_nothing(
    garden: Project, by: Actor, visit: Callable[[str, str], Page]
) -> None:
    key = api_keys.issue(project=garden, kind="publishable", name="x", origins=["https://other.example"], by=by).text
    page = visit(key, 'call="c1" user="u1"')
    page.get_by_role("button", name="Yes, helpful").click()
    expect(page.get_by_role("status")).to_contain_text("offline")  # a browser cannot tell a refused origin from that
    assert not FeedbackEvent.objects.exists()


def test_a_signed_token_votes_for_its_person_alone(
    garden: Project, by: Actor, shop: Shop, visit: Callable[[str, str], Page]
) -> None:
    publishable(garden, by, shop)
    issued = api_keys.issue(project=garden, kind="secret", name="app", by=by)
    digest = bytes(ApiKey.objects.get(pk=issued.key.pk).digest)
    claim = tokens.Claim("c9", "u9", int(time.time()) + 600)
    token = tokens.sign(claim, prefix=issued.text[:10], key_digest=digest)
    page = visit("", f'token="{token}"')
    page.get_by_role("button", name="Yes, helpful").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    assert (votes(), FeedbackEvent.objects.get().call_client_id) == ([1], "c9")
