"""A real Chromium, signed in, that writes down everything that goes wrong on a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from llmops.accounts.models import User
from tests import fleet, running
from tests.conftest import CHROMIUM

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Violations of the policy are told to the page only; this keeps them where the test can read them.
WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # Playwright's synchronous face runs an event loop in this thread, and Django would refuse to touch the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what went wrong on it so far."""

    page: Page
    errors: list[str] = field(default_factory=list)

    def wrong(self) -> list[str]:
        """Console errors, uncaught exceptions, policy violations and foreign requests."""
        return self.errors + list(self.page.evaluate("window.__violations || []"))


@pytest.fixture
def watched(chromium: Browser, live_server: Any) -> Iterator[Callable[..., Watched]]:
    """Opens a page: `watched(user)` signed in, `watched()` as a stranger; width, height and theme as wanted."""
    contexts: list[BrowserContext] = []

    def open_page(user: User | None = None, *, width: int = 1440, height: int = 900, theme: str = "light") -> Watched:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type]
            base_url=live_server.url,
        )
        contexts.append(context)
        context.add_init_script(WATCH)
        if user is not None:
            client = Client()
            client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        watched = Watched(page)
        page.on("console", lambda message: message.type == "error" and watched.errors.append(message.text))
        page.on("pageerror", lambda error: watched.errors.append(f"uncaught: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((live_server.url, "data:", "blob:", "about:"))
                else watched.errors.append(f"foreign request: {request.url}")
            ),
        )
        return watched

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def world(transactional_db: None) -> fleet.World:
    return running.demo_world()
