"""A newcomer walks the whole loop in the browser, on a real server with real workers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import make_evaluator, run, sign_in
from tests.installation import Installation, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

MAILS = "mail,expected\n" + "".join(
    f"{mail},{category}\n"
    for mail, category in [
        ("Where is my parcel? The courier is late.", "delivery"),
        ("Please pay my money back.", "refund"),
        ("The leaves of my fern are yellow.", "plant care"),
        ("The driver left the box with a neighbour.", "delivery"),
        ("My card was charged twice. I want a refund.", "refund"),
        ("How often should I water the orchid?", "plant care"),
    ]
)
VAGUE = "You work for a garden shop. Say in one or two words what the mail is about."
BETTER = "Sort the mail into one of these categories:\n\n- delivery\n- refund\n- plant care\n"


@pytest.fixture(scope="module")
def platform() -> Iterator[Installation]:
    with Installation() as platform:
        yield platform


def test_a_newcomer_closes_the_loop(platform: Installation, chromium: Browser) -> None:
    password = re.findall(r"once\): (\S+)", platform.manage("create_project", "shop", "--admin", "ada@example.com"))[0]
    platform.key = platform.manage("issue_key", "shop")
    context = chromium.new_context(base_url=platform.url)
    page = context.new_page()
    sign_in(page, password)
    new_prompt(page)
    import_dataset(page, platform.folder)
    make_evaluator(page)
    first = run(page, "1")
    improve_prompt(page)
    second = run(page, "2")
    page.goto(f"/p/shop/runs/-/compare/?a={first}&b={second}")
    expect(page.locator("#verdict")).to_contain_text("on right-category")
    release(page)
    before = calls_on_monitor(page)
    call = {
        "id": "c1",
        "prompt": "mail/sort",
        "label": "production",
        "inputs": {"mail": "My hose leaks."},
        "output": "delivery",
    }
    platform.api("POST", "/calls", call)
    thumb = {"id": "f1", "call": "c1", "thumbs": "down", "correction": "refund", "comment": "Not about delivery"}
    platform.api("POST", "/feedback", thumb)
    keep_correction(page)
    run(page, "2")
    wait_for(lambda: calls_on_monitor(page) == before + 1, 90, "the hour was not computed")
    context.close()


def new_prompt(page: Page) -> None:
    page.goto("/p/shop/prompts/")
    page.get_by_role("link", name="New prompt").first.click()
    page.get_by_label("Name").fill("mail/sort")
    page.locator("#content-0").fill(VAGUE)
    page.locator("#content-1").fill("{{ mail }}")
    expect(page.locator("#checked .tag")).to_have_text("mail")
    page.locator("#input-mail").fill("Where is my parcel?")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#tryout pre")).to_be_visible(timeout=30_000)
    page.get_by_label("What changed").fill("First words")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("Version 1 is saved.")).to_be_visible()


def import_dataset(page: Page, folder: Path) -> None:
    file = folder / "mails.csv"
    file.write_text(MAILS)
    page.goto("/p/shop/datasets/-/new/")
    page.get_by_label("Name").first.fill("Mails")
    page.locator("main form button.is-primary").first.click()
    page.goto("/p/shop/datasets/mails/import/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload and preview").click()
    page.get_by_role("button", name=re.compile("^Import 6 rows")).click()
    expect(page.locator("main")).to_contain_text(re.compile("6 of 6|6 rows|Done|Finished"), timeout=60_000)
    page.goto("/p/shop/datasets/mails/")
    expect(page.get_by_text("The leaves of my fern are yellow.").first).to_be_visible(timeout=30_000)


def improve_prompt(page: Page) -> None:
    page.goto("/p/shop/prompts/mail/sort/")
    page.locator("#content-0").fill(BETTER)
    page.get_by_label("What changed").fill("Name the categories")
    page.get_by_role("button", name="Save as v2").click()
    expect(page.get_by_text("Version 2 is saved.")).to_be_visible()


def release(page: Page) -> None:
    page.goto("/p/shop/prompts/mail/sort/-/versions/")
    page.locator("#version").select_option("2")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text("production is on version 2 now.")).to_be_visible()


def keep_correction(page: Page) -> None:
    page.goto("/p/shop/feedback/")
    page.locator("a.inbox-item").first.click()
    expect(page.get_by_text("Not about delivery").first).to_be_visible()
    choice = page.locator("#example select")
    choice.select_option(choice.locator("option", has_text=re.compile("mails", re.I)).first.get_attribute("value"))
    with page.expect_navigation():
        page.get_by_role("button", name="Add as an example").click()
    page.goto("/p/shop/datasets/mails/")
    expect(page.get_by_text("My hose leaks.").first).to_be_visible()


def calls_on_monitor(page: Page) -> int:
    page.goto("/p/shop/monitor/")
    found = re.search(r"(\d+) in all", page.locator("main").inner_text())
    return int(found.group(1)) if found else 0
