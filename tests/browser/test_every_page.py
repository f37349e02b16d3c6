"""Every page that the URL resolver knows, with real rows, at two widths in two themes: no finding, no violation.

Pictures go to artifacts/screens/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.http import HttpResponseBase
from django.test import Client

from llmops.accounts.models import User
from tests import fleet
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCREENS = settings.BASE_DIR / "artifacts" / "screens"
SIZES = [(1440, 900), (390, 844)]
THEMES = ["light", "dark"]
# allauth's pages, which a person can reach; the rest of its addresses redirect or need a token.
STRANGER_PAGES = ["/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/"]
STRANGER_PAGES += ["/accounts/confirm-email/", "/accounts/3rdparty/login/cancelled/"]
PERSON_PAGES = ["/accounts/logout/", "/accounts/password/set/", "/accounts/email/", "/accounts/3rdparty/"]


# What answers a GET with no page of its own. Addresses that only take POST say 405 and need no line here.
NO_PAGE = {
    "healthz": "for the supervisor",
    "readyz": "for a load balancer",
    "evals:example-picker": "a part of the prompt editor",
    "evals:run-estimate": "a part of the new run's page",
    "evals:run-matrix-estimate": "a part of the new matrix's page",
    "evals:run-report": "a file to take away",
    "gateway:connection-outcome": "a part of the connections page",
    "feedback:prompt-thumbs": "a panel of the prompt's versions",
}


# Pages that look different with other rows, and what fills their address then; each value names one of the world's.
ALSO = {"evals:run-detail": {"run": "measured run"}}


def pages(world: fleet.World, person: User) -> list[tuple[str, str]]:
    """(name, address) of every page that a signed-in GET leads to, redirects followed."""
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    found, others = [], set()
    for place in fleet.places():
        if place.is_api or place.route.startswith("git/"):
            continue
        address = place.path(world.values)
        if place.name == "evals:run-compare":
            address = address.partition("?")[0] + f"?a={world.values['run']}&b={world.values['other_run']}"
        answer: Any = client.get(address, follow=True)
        if is_page(answer):
            found.append((place.name, answer.redirect_chain[-1][0] if answer.redirect_chain else address))
            if place.name in ALSO:
                found.append(
                    (
                        f"{place.name}-again",
                        place.path(
                            {**world.values, **{name: world.values[other] for name, other in ALSO[place.name].items()}}
                        ),
                    )
                )
        elif answer.status_code != 405:
            others.add(place.name)
    assert others == set(NO_PAGE)
    return found


def is_page(answer: HttpResponseBase) -> bool:
    is_html = answer.status_code == 200 and answer.get("Content-Type", "").startswith("text/html")
    return is_html and b"<!doctype html" in getattr(answer, "content", b"")[:200].lower()


def findings(watched: Watched) -> list[str]:
    """What axe says, one line each."""
    result = Axe().run(watched.page)
    return [
        f"{violation['id']}: {violation['help']} at {[node['target'] for node in violation['nodes']][:3]}"
        for violation in result.response["violations"]
    ]


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_is_accessible_and_breaks_no_policy(
    world: fleet.World, watched: Callable[..., Watched], theme: str
) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    person = world.people["admin"]
    addresses = pages(world, person)
    assert len(addresses) > 25
    wrong: list[str] = []
    signed_in, stranger = (watched(user, theme=theme) for user in (person, None))
    visits = [(signed_in, name, address) for name, address in addresses]
    visits += [(stranger, address.strip("/"), address) for address in STRANGER_PAGES]
    visits += [(signed_in, address.strip("/"), address) for address in PERSON_PAGES]
    for browser, name, address in visits:
        browser.errors.clear()
        for width, height in SIZES:
            browser.page.set_viewport_size({"width": width, "height": height})
            if (width, height) == SIZES[0]:
                browser.page.goto(address, wait_until="load")
            wrong += [f"{name} {width} {theme}: {text}" for text in look(browser, f"{name}-{width}-{theme}")]
        wrong += [f"{name} {theme}: {text}" for text in browser.wrong()]
    assert not wrong, "\n".join(wrong)


def look(browser: Watched, name: str) -> list[str]:
    """Take a picture and say what axe finds, and whether the page is wider than the window."""
    browser.page.wait_for_timeout(150)  # charts and panels; a page that polls is never idle
    picture = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    browser.page.screenshot(path=SCREENS / f"{picture}.png", full_page=True)
    too_wide: Any = browser.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    sideways = [f"scrolls sideways by {too_wide} px"] if too_wide > 1 else []
    return findings(browser) + sideways
