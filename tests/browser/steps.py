"""What people do in the browser in more than one walk, in the project `shop`."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def sign_in(page: Page, password: str) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/p/shop/$"))


def make_evaluator(page: Page) -> None:
    page.goto("/p/shop/evaluators/-/new/?metric=exact_match")
    page.get_by_label("Name").first.fill("Right category")
    page.get_by_label(re.compile("normali", re.I)).first.select_option("casefold")
    page.locator("main form#evaluator button.is-primary, main form button.is-primary").first.click()
    expect(page).to_have_url(re.compile("/evaluators/right-category/"))


def run(page: Page, version: str) -> str:
    page.goto("/p/shop/runs/-/new/?prompt=mail/sort")
    page.locator("input[name=version]").fill(version)
    page.get_by_role("button", name="Start run").click()
    expect(page.get_by_text("Results, worst first")).to_be_visible(timeout=60_000)
    return page.url.rstrip("/").rpartition("/")[2]
