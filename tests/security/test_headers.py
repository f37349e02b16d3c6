"""What every answer carries: a strict content policy, no sniffing, no framing; error pages that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from llmops.accounts.models import User
from llmops.projects.models import Project
from tests import fleet
from tests.conftest import ApiClient
from tests.fleet import World

STRICT = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "connect-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "img-src": ["'self'", "data:"],
}
# The closed list of pages that may have styles injected by a script of ours: plotly draws, Swagger lays out.
INLINE_STYLE = {"dashboards:monitor", "evals:run-group", "feedback:theme", "api-docs"}


def policy(response: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split(";") if part.strip()]
    return {part[0]: part[1:] for part in parts}


def faults(response: Any, may_inject_styles: bool) -> list[str]:
    found = []
    wanted = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"}
    wanted |= {"Cross-Origin-Opener-Policy": "same-origin"}
    found += [name for name, value in wanted.items() if response.get(name) != value]
    if "X-Request-Id" not in response:
        found.append("X-Request-Id")
    if "Access-Control-Allow-Origin" in response:
        found.append("Access-Control-Allow-Origin")
    if "Content-Security-Policy" not in response:
        return [*found, "Content-Security-Policy"]
    directives = policy(response)
    found += [name for name, value in STRICT.items() if directives.get(name) != value]
    styles = {"'self'", "'unsafe-inline'"} if may_inject_styles else {"'self'"}
    if not set(directives.get("style-src", [])) <= styles:
        found.append("style-src")
    return found


def test_every_page_carries_the_policy(world: World) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    wrong = {}
    for place in fleet.places():
        # No pages: tests/common/test_lane.py holds the API's own.
        if place.route.startswith(("git/", "api/v1/", "api/public/", "v1/")):
            continue
        response = browser.get(place.path(world.values))
        if found := faults(response, place.name in INLINE_STYLE):
            wrong[place.route] = found
    assert wrong == {}


def test_sign_in_and_error_pages_carry_it_too(world: World, client: Client, page: Client) -> None:
    for path in ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nowhere", "/p/nowhere/"]:
        assert faults(client.get(path), False) == [], path
    refused = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "x"})
    assert (refused.status_code, faults(refused, False)) == (403, [])
    viewer = Client()
    viewer.force_login(world.people["viewer"], backend=settings.AUTHENTICATION_BACKENDS[0])
    forbidden = viewer.get("/p/garden/settings/audit/")
    assert (forbidden.status_code, faults(forbidden, False)) == (403, [])


def test_no_page_brings_its_own_script_or_style(world: World, client_of: Callable[[User], Client]) -> None:
    """The policy would block them; better that none is there."""
    import re

    browser = Client(raise_request_exception=False)
    browser.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    wrong = []
    for place in fleet.places():
        if place.is_api or place.route.startswith("git/"):
            continue
        answer = browser.get(place.path(world.values))
        text = b"".join(answer if answer.streaming else [answer.content]).decode(errors="replace")  # type: ignore[arg-type]
        inline = re.findall(
            r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|<style\b|\son\w+=\"|\sstyle=\"", text
        )
        outside = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]*", text)
        if inline or outside:
            wrong.append((place.route, sorted(set(inline))[:3], outside[:3]))
    assert wrong == []


@pytest.mark.parametrize("path", ["/projects/", "/p/garden/"])
def test_a_crash_shows_a_generic_page_with_an_id(world: World, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    from llmops.projects import queries

    def crash(*_: object) -> None:
        password = "hunter2-in-a-local"
        raise RuntimeError(password)

    monkeypatch.setattr(queries, "projects_of", crash)
    browser = Client(raise_request_exception=False)
    browser.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    response = browser.get(path)
    assert response.status_code == 500
    text = response.content.decode()
    assert "hunter2" not in text
    assert "Traceback" not in text
    assert "RuntimeError" not in text
    assert len(response["X-Request-Id"]) == 32
    assert faults(response, False) == []


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(project: Project, client: Client) -> None:
    client.post("/accounts/login/", {"login": "ada@example.com", "password": "correct horse battery"})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"], cookie["path"]) == (True, "Lax", "", "/")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:80@evil.example", "a\r\nb"])
def test_a_foreign_host_is_refused(client: Client, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    response = client.get("/accounts/login/", headers={"Host": host})
    assert response.status_code == 400
    assert "evil" not in response.content.decode()


def test_forwarded_headers_are_not_believed_without_a_proxy(client: Client, db: None) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    response = client.get("/accounts/login/", headers=headers)
    assert response.status_code == 200
    assert "evil.example" not in response.content.decode()
    assert not response.wsgi_request.is_secure()  # type: ignore[attr-defined]


def test_a_reset_mail_names_our_own_host(project: Project, client: Client, settings: Any) -> None:
    from django.core import mail

    settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
    client.post("/accounts/password/reset/", {"email": "ada@example.com"}, headers={"X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in mail.outbox[0].body


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil.example"])
def test_no_other_site_may_read_pages_or_the_api(world: World, page: Client, origin: str) -> None:
    for client, path in [(page, "/projects/"), (ApiClient(world.secrets["secret"]), "/api/v1/prompts")]:
        response = client.get(path, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response
        preflight = client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert "Access-Control-Allow-Origin" not in preflight
