"""One complaint's way in the browser: from an end user on another origin to an example that a run uses, and a theme."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import shop
from tests.browser.steps import make_evaluator, run, sign_in
from tests.installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PROMPT = (
    "---\nname: Sort\nmodel:\n  id: demo-small\ninputs:\n  mail:\n    type: string\n---\nsystem:\n"
    "Sort the mail into one of these categories:\n\n- delivery\n- refund\n- plant care\nuser:\n{{ mail }}\n"
)
CHARGED, FERN = "My card was charged twice, please pay my money back.", "How often should I water the fern?"
COMPLAINT = "Wrong category, this mail is about a refund"


@pytest.fixture(scope="module")
def platform() -> Iterator[Installation]:
    with Installation() as platform:
        yield platform


@pytest.fixture(autouse=True)
def _patient() -> Iterator[None]:
    """A busy machine may take its time between two pages."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def garden() -> Iterator[shop.Shop]:
    with shop.opened() as garden:
        yield garden


def test_a_complaint_becomes_an_example_and_a_theme(
    platform: Installation, garden: shop.Shop, chromium: Browser
) -> None:
    password = re.findall(r"once\): (\S+)", platform.manage("create_project", "shop", "--admin", "ada@example.com"))[0]
    platform.key = platform.manage("issue_key", "shop")
    publishable = platform.manage("issue_key", "shop", "--publishable", "--origin", garden.origin)
    log_traffic(platform)
    complain(chromium, platform, garden, publishable)
    lead = chromium.new_context(base_url=platform.url).new_page()
    sign_in(lead, password)
    labelers = [join(lead, chromium, name) for name in ("ann", "bob")]
    make_queue(lead)
    send_to_queue(lead)
    label_with_a_broken_connection(labelers[0])
    label(labelers[1], {CHARGED: "1", FERN: "1"})
    decide(lead)
    keep_settled(lead)
    make_evaluator(lead)
    run(lead, "1")
    expect(lead.locator("main")).to_contain_text(CHARGED)
    themes(lead)
    for page in (lead, *labelers):
        page.context.close()


def log_traffic(platform: Installation) -> None:
    """A month of calls in which nobody complained, a week in which some did, and the prompt that answered them."""
    platform.api("POST", "/prompts/mail/sort/versions", {"content": PROMPT, "message": "First"})
    now = datetime.now(UTC)
    old = [
        {"id": f"old-{n}", "inputs": {"mail": FERN}, "output": "plant care", "started_at": at.isoformat()}
        for n in range(40)
        for at in [now - timedelta(days=9 + n % 25)]
    ]
    asked = [("c-charged", CHARGED, "delivery"), ("c-fern", FERN, "plant care")]
    asked += [(f"c-{n}", f"Refund {n}, please.", "delivery") for n in range(5)]
    new = [
        {"id": name, "prompt": "mail/sort", "version": 1, "inputs": {"mail": mail}, "output": output}
        for name, mail, output in asked
    ]
    platform.api("POST", "/calls", {"batch": old + new})
    said = [
        {"id": f"f-{call}", "call": call, "thumbs": "down", "comment": COMPLAINT + "!" * n}
        for n, call in enumerate(["c-0", "c-1", "c-2", "c-3", "c-4", "c-fern"])
    ]
    platform.api("POST", "/feedback", {"batch": said})


def complain(chromium: Browser, platform: Installation, garden: shop.Shop, key: str) -> None:
    """An end user of the shop presses thumbs down, ticks a reason and types why."""
    garden.show(platform=platform.url, key=key, attributes='call="c-charged" user="u1"')
    context = chromium.new_context()
    page = context.new_page()
    page.goto(garden.origin)
    page.get_by_role("button", name="No, not helpful").click()
    page.get_by_role("checkbox", name="Wrong").check()
    page.get_by_label("In your words").fill(f"{COMPLAINT} of mine")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    context.close()


def join(lead: Page, chromium: Browser, name: str) -> Page:
    """Invite somebody as a labeler; their own browser, joined."""
    lead.goto("/p/shop/settings/members/")
    invitation = lead.locator("form[action$='invite/']")
    invitation.get_by_label("E-mail").fill(f"{name}@example.com")
    invitation.get_by_label("Role").select_option("labeler")
    invitation.get_by_role("button").click()
    link = lead.locator(".notice").get_by_text(re.compile("/join/")).inner_text().strip()
    page = chromium.new_context(base_url=lead.url.partition("/p/")[0]).new_page()
    page.goto(link)
    page.get_by_label("Name").fill(name.title())
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Make my account and join").click()
    expect(page).to_have_url(re.compile("/p/shop/labeling/$"))
    return page


def make_queue(lead: Page) -> None:
    """With the two questions that the editor of rubrics begins with, and one more that is taken out again."""
    lead.goto("/p/shop/labeling/-/rubric")
    lead.get_by_label("Name in addresses").fill("category")
    lead.get_by_role("button", name="Add a question").click()
    third = lead.get_by_role("group", name="Question 3")
    expect(third.get_by_label("Choices")).to_be_hidden()
    third.get_by_label("Kind of answer").select_option("category")
    expect(third.get_by_label("Choices")).to_be_visible()
    third.get_by_role("button", name="Remove").click()
    expect(third).to_have_count(0)
    lead.get_by_role("button", name="Save").click()
    lead.get_by_label("Name in addresses").fill("refunds")
    lead.get_by_label("Rubric").select_option("category")
    lead.get_by_label("Labelers").fill("ann@example.com\nbob@example.com")
    lead.get_by_role("button", name="Make the queue").click()
    expect(lead).to_have_url(re.compile("/labeling/refunds/$"))


def send_to_queue(lead: Page) -> None:
    """In the inbox by keyboard, then from the queue's page."""
    lead.goto("/p/shop/feedback/")
    mine = lead.locator("a.inbox-item", has_text="of mine")
    expect(mine).to_contain_text("Wrong")
    for row in (mine, lead.locator("a.inbox-item", has_text="!" * 5)):
        row.focus()
        lead.keyboard.press("l")
        expect(lead.locator("#toasts")).to_contain_text("1 of 1 changed")
        expect(row).to_have_count(0)
    lead.goto("/p/shop/labeling/refunds/")
    lead.get_by_label("Items from").select_option("needs_label")
    lead.get_by_role("button", name="Add items").click()
    expect(lead.locator("#toasts")).to_contain_text("2 new.")


def label_with_a_broken_connection(page: Page) -> None:
    """By keyboard: what is typed outlives a reload, and an answer given offline is sent when the connection is back."""
    take_first(page)
    expect(page.locator("#item")).to_have_text(CHARGED)
    page.keyboard.press("2")
    page.keyboard.press("a")
    page.keyboard.type("refund")
    page.reload()
    expect(page.get_by_label("Fail")).to_be_checked()
    expect(page.get_by_label("What would be right?")).to_have_value("refund")
    page.context.set_offline(True)
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#work-status")).to_have_text("No connection: kept here, sent when it is back")
    page.context.set_offline(False)
    expect(page.locator("#item")).to_have_text(FERN)
    expect(page.get_by_label("Fail")).not_to_be_checked()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All done").or_(page.get_by_text("Ready when you are"))).to_be_visible()


def label(page: Page, answers: dict[str, str]) -> None:
    take_first(page)
    for title, key in answers.items():
        expect(page.locator("#item")).to_have_text(title)
        page.keyboard.press(key)
        page.keyboard.press("Enter")
    expect(page.get_by_text("All done")).to_be_visible()


def take_first(page: Page) -> None:
    page.goto("/p/shop/labeling/")
    page.get_by_role("link", name="Label in").click()
    expect(page.get_by_text("Ready when you are")).to_be_visible()
    page.keyboard.press("Enter")


def decide(lead: Page) -> None:
    lead.goto("/p/shop/labeling/refunds/")
    lead.get_by_role("region", name="To decide").get_by_role("link", name=CHARGED).click()
    expect(lead.get_by_text("they differ").first).to_be_visible()
    lead.get_by_label("Fail").check()
    lead.get_by_label("What would be right?").fill("refund")
    lead.get_by_label("Reason for the decision").fill("Charged twice is a refund.")
    lead.get_by_role("button", name="Settle").click()
    expect(lead.locator("main")).to_contain_text("2 settled")


def keep_settled(lead: Page) -> None:
    """Both settled answers become examples; the example leads to its item, and the item to its example."""
    lead.get_by_label("Name of the new dataset").fill("golden")
    lead.get_by_role("button", name="Add to the dataset").click()
    expect(lead.locator("#toasts")).to_contain_text("2 added to golden.")
    lead.goto("/p/shop/datasets/golden/")
    row = lead.locator("tr, li", has_text=CHARGED).first
    expect(row).to_contain_text("refund")
    row.get_by_role("link").first.click()
    lead.get_by_role("link", name="The labeled item that settled its expected output").click()
    expect(lead.locator("main")).to_contain_text("Charged twice is a refund.")
    expect(lead.get_by_role("link", name=re.compile("golden #"))).to_be_visible()
    lead.goto("/p/shop/feedback/?state=all&needs_label=on")
    expect(lead.locator("a.inbox-item")).to_have_count(0)


def themes(lead: Page) -> None:
    lead.goto("/p/shop/themes/")
    lead.get_by_role("button", name="Sort what is new").click()
    theme = lead.locator("tbody tr").first
    expect(theme).to_be_visible(timeout=60_000)
    expect(theme).to_contain_text("growing")
    theme.get_by_role("link").first.click()
    expect(lead.locator("main")).to_contain_text("of mine")
    expect(lead.locator("main")).to_contain_text("mail/sort v1")
