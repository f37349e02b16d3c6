"""The crawl: every address of the platform, as everybody who should not get in.

Nothing here names a page. What a page demands is what it declares (llmops.common.access_check stops a start with a page
that declares nothing); who holds which permission is docs/permissions.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.test.utils import override_settings

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Membership, Project
from llmops.projects.permissions import PUBLISHABLE_SCOPES, ROLES, SECRET_SCOPES, Permission
from llmops.projects.services import api_keys
from tests import fleet
from tests.conftest import ApiClient
from tests.fleet import Place, World

PLACES = fleet.places()
PAGES = [place for place in PLACES if place.is_of_a_project]
OPERATIONS = [(place, method) for place in PLACES if place.is_api for method in place.methods]
METHODS = ["GET", "POST"]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]
# What an API view outside the framework demands; inside, the view's `permissions` say it.
PLAIN: dict[tuple[str, str], Permission | None] = {
    ("api-prompt", "GET"): Permission.PROMPT_READ,
    ("api-calls", "POST"): Permission.CALL_SEND,
    ("api-feedback", "POST"): Permission.FEEDBACK_SEND,
    ("api-traces", "POST"): Permission.CALL_SEND,
    ("otlp-traces", "POST"): Permission.CALL_SEND,
    ("langfuse-traces", "POST"): Permission.CALL_SEND,
    ("langfuse-scores", "POST"): Permission.FEEDBACK_SEND,
    ("langfuse-ingestion", "POST"): Permission.FEEDBACK_SEND,
    ("langfuse-projects", "GET"): Permission.PROJECT_VIEW,
    ("api-schema", "GET"): None,
    ("api-docs", "GET"): None,
}
# Views outside the framework declare no methods: other verbs there are 405, or 401 before that.
NO_SUCH = {
    "api-prompt": ["POST"],
    "api-calls": ["GET"],
    "api-feedback": ["GET"],
    "api-traces": ["GET"],
    "otlp-traces": ["GET"],
    "langfuse-traces": ["GET"],
    "langfuse-scores": ["GET"],
    "langfuse-ingestion": ["GET"],
    "langfuse-projects": ["POST"],
    "api-schema": ["POST"],
    "api-docs": ["POST"],
}
REDIRECTING = {"projects:leave"}  # succeeds by ending the member's own access


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """Signed in; a crash is an answer of 500, so that the crawl goes on and names every one."""

    def make(user: User) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        return client

    return make


def needed(place: Place, method: str) -> Permission | None:
    """The permission of an API operation; None for public ones."""
    if isinstance(place.access, dict):
        return place.access[method]  # type: ignore[no-any-return]
    return PLAIN[(place.name, method)]


def operations() -> list[tuple[Place, str]]:
    return [(place, method) for place, method in OPERATIONS if method not in NO_SUCH.get(place.name, [])]


def send(client: Client, method: str, path: str, **options: Any) -> Any:
    body = (
        {"data": "{}", "content_type": "application/json"}
        if path.startswith(("/api/", "/v1/")) and method != "GET"
        else {}
    )
    return getattr(client, method.lower())(path, **body, **options)


def comparable(response: Any) -> tuple[int, str]:
    """The answer without what differs from request to request."""
    text = response.content.decode(errors="replace")
    return response.status_code, re.sub(r"[0-9a-f]{32}|\w{64}", "", text)


# --- pages


def test_every_parameter_of_every_address_is_filled(world: World) -> None:
    unfilled = []
    for place in PLACES:
        try:
            place.path(world.values)
        except KeyError as error:
            unfilled.append(str(error))
    assert unfilled == []


def test_the_crawl_finds_something_behind_every_address(world: World, client_of: Callable[[User], Client]) -> None:
    """Otherwise a 404 for a stranger would prove nothing."""
    admin = client_of(world.people["admin"])
    missing = [place.route for place in PAGES if admin.get(place.path(world.values)).status_code == 404]
    assert missing == []


def test_nobody_gets_in_without_signing_in(world: World) -> None:
    wrong = []
    for place in PLACES:
        if place.is_api or str(place.access).startswith("public"):
            continue
        for method in METHODS:
            response = send(Client(), method, place.path(world.values))
            if response.status_code == 405:  # the wrong method: says nothing about what is there
                continue
            if not (response.status_code == 302 and response["Location"].startswith("/accounts/login/")):
                wrong.append((place.route, method, response.status_code))
            fragment = send(Client(), method, place.path(world.values), headers={"HX-Request": "true"})
            if fragment.status_code != 401 or fragment.content:
                wrong.append((place.route, method, fragment.status_code))
    assert wrong == []


def test_a_member_of_another_project_finds_nothing(
    world: World, other_project: Project, client_of: Callable[[User], Client]
) -> None:
    """404, and the same 404 as for a project that does not exist."""
    eve = client_of(User.objects.get(email="eve@example.com"))
    nowhere = world.values | {"project": "no-such-project"}
    wrong = []
    before = fleet.rows()
    for place in PAGES:
        for method in METHODS:
            ours = comparable(send(eve, method, place.path(world.values)))
            if ours == (405, ""):
                continue
            if ours[0] != 404 or ours != comparable(send(eve, method, place.path(nowhere))):
                wrong.append((place.route, method, ours[0]))
    assert wrong == []
    assert fleet.rows() == before


# Parameters that name no row: the form of a file.
NO_IDS = {"form"}


def test_the_ids_of_one_project_open_nothing_in_another(
    world: World, other_project: Project, client_of: Callable[[User], Client]
) -> None:
    """Eve is admin of an empty project with equal names: our ids below her own address are 404, whatever they name."""
    eve = client_of(User.objects.get(email="eve@example.com"))
    mixed = world.values | {"project": other_project.slug}
    wrong = []
    before = fleet.rows()
    for place in PAGES:
        if set(place.names) <= {"project_slug", *NO_IDS}:
            continue
        for method in METHODS:
            response = send(eve, method, place.path(mixed))
            if response.status_code not in {404, 405}:
                wrong.append((place.route, method, response.status_code))
    assert wrong == []
    assert fleet.rows() == before


def test_unknown_ids_and_ids_of_other_projects_look_the_same(
    world: World, other_project: Project, client_of: Callable[[User], Client]
) -> None:
    eve = client_of(User.objects.get(email="eve@example.com"))
    mixed = world.values | {"project": other_project.slug}
    wrong = []
    for place in PAGES:
        for parameter in set(place.names) - {"project_slug"}:
            value = place.value(parameter)
            unknown = mixed | {value: unknown_like(mixed[value])}
            ours, none = eve.get(place.path(mixed)), eve.get(place.path(unknown))
            if mixed[value].isdigit():
                assert ours.status_code == none.status_code
                continue
            text = comparable(ours)[1].replace(mixed[value], "ID"), comparable(none)[1].replace(unknown[value], "ID")
            if ours.status_code != none.status_code or text[0] != text[1]:
                wrong.append((place.route, parameter, ours.status_code, none.status_code))
    assert wrong == []


def unknown_like(value: str) -> str:
    """An id of the same form that nobody has."""
    if value.isdigit():
        return "987654"
    return re.sub(r"[0-9a-f]{12}$", "0123456789ab", value) if re.search(r"[0-9a-f]{12}$", value) else f"{value}-x"


@pytest.mark.parametrize("role", list(ROLES))
def test_a_role_gets_exactly_what_it_has(world: World, client_of: Callable[[User], Client], role: str) -> None:
    """403 with the permission's name where the role lacks it, and nowhere else."""
    browser = client_of(world.people[role])
    wrong, cells = [], 0
    before = fleet.rows()
    for place in PAGES:
        lacks = place.access not in ROLES[role]
        if not lacks:
            continue
        for method in METHODS:
            cells += 1
            response = send(browser, method, place.path(world.values))
            # A page that takes only one method may say so before it looks at the role.
            if response.status_code == 405:
                continue
            if response.status_code != 403 or str(place.access) not in response.content.decode():
                wrong.append((place.route, method, response.status_code))
    assert wrong == []
    assert fleet.rows() == before
    for place in PAGES:
        if place.access in ROLES[role]:
            cells += 1
            status = browser.get(place.path(world.values)).status_code
            if status not in {200, 204, 286, 302, 405}:
                wrong.append((place.route, "GET", status))
    assert wrong == []
    assert cells >= len(PAGES)


def test_a_member_who_was_shut_out_is_a_stranger(world: World, client_of: Callable[[User], Client]) -> None:
    browser = client_of(world.people["admin"])
    User.objects.filter(pk=world.people["admin"].pk).update(is_active=False)
    for place in PAGES:
        assert browser.get(place.path(world.values)).status_code in {302, 405}, place.route


def test_a_deleted_project_is_gone_for_its_members(world: World, client_of: Callable[[User], Client]) -> None:
    browser = client_of(world.people["admin"])
    Project.objects.filter(pk=world.project.pk).update(deleted_at=fleet.NOW)
    for place in PAGES:
        assert browser.get(place.path(world.values)).status_code in {404, 405}, place.route


# --- the safe methods and the token


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_changes_nothing(world: World, client_of: Callable[[User], Client], method: str) -> None:
    browser = client_of(world.people["admin"])
    api = ApiClient(world.secrets["secret"])
    api.get("/api/v1/prompts")

    def look(place: Place) -> None:
        who = api if place.is_api else browser
        response = getattr(who, method.lower())(place.path(world.values))
        assert response.status_code < 500, place.route

    assert changing(PLACES, look) == []


def changing(places: list[Place], look: Callable[[Place], None]) -> list[tuple[str, list[str]]]:
    """The places where a look changes rows, with the tables: all at once, and only what changed any in halves."""
    before = fleet.rows()
    with transaction.atomic():
        for place in places:
            look(place)
        after = fleet.rows()
        transaction.set_rollback(True)
    changed = [name for name in after if after[name] != before.get(name)]
    if not changed or len(places) == 1:
        return [(place.route, changed) for place in places if changed]
    half = len(places) // 2
    return changing(places[:half], look) + changing(places[half:], look) or [("only together", changed)]


def test_no_change_without_the_token_of_the_form(world: World) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    token = browser.get("/projects/new/").cookies[settings.CSRF_COOKIE_NAME].value
    attacks: list[dict[str, Any]] = [
        {},
        {"headers": {"X-CSRFToken": "x" * 32}},
        {"headers": {"X-CSRFToken": token, "Origin": "https://evil.example"}},
        {"headers": {"X-CSRFToken": token, "Origin": "null"}},
        {"data": '{"a": 1}', "content_type": "text/plain"},
        {"data": '{"a": 1}', "content_type": "application/json"},
    ]
    before = fleet.rows()
    wrong = []
    for place in PLACES:
        if place.is_api or place.route.startswith("git/"):
            continue
        for method in UNSAFE:
            for attack in attacks if method == "POST" else attacks[:1]:  # all unsafe methods meet the same check
                response = getattr(browser, method.lower())(place.path(world.values), **attack)
                if response.status_code not in {403, 405}:
                    wrong.append((place.route, method, response.status_code))
    assert wrong == []
    assert fleet.rows() == before


# --- the API


def test_every_operation_outside_the_framework_is_in_the_table() -> None:
    plain = {place.name for place in PLACES if place.is_api and not isinstance(place.access, dict)}
    assert plain == {name for name, _ in PLAIN}


def test_no_operation_without_a_key(world: World, client_of: Callable[[User], Client]) -> None:
    """A signed-in browser is nobody to the API: a cookie alone opens nothing, so the API needs no form token."""
    wrong = []
    before = fleet.rows()
    for who in [
        Client(),
        client_of(world.people["admin"]),
        ApiClient("sk-" + "A" * 32),
        ApiClient(world.secrets["invitation"]),
    ]:
        for place, method in operations():
            response = send(who, method, place.path(world.values))
            if needed(place, method) is None:
                assert response.status_code == 200
            elif response.status_code != 401 or response.json()["error"]["code"] != "unauthorized":
                wrong.append((place.route, method, response.status_code))
    assert wrong == []
    assert fleet.rows() == before


def scoped(project: Project, by: Actor, *scopes: Permission) -> ApiClient:
    return ApiClient(api_keys.issue(project=project, kind="secret", name="one scope", scopes=scopes, by=by).text)


@pytest.mark.parametrize("scope", sorted(SECRET_SCOPES))
def test_a_key_with_one_scope_does_that_alone(world: World, by: Actor, scope: Permission) -> None:
    client = scoped(world.project, by, scope)
    wrong = []
    for place, method in operations():
        wants = needed(place, method)
        if wants is None or wants == scope:
            continue
        response = send(client, method, place.path(world.values))
        if response.status_code != 403 or str(wants) not in response.content.decode():
            wrong.append((place.route, method, response.status_code))
    assert wrong == []


def test_a_publishable_key_may_only_send_feedback(world: World) -> None:
    client = ApiClient(world.secrets["publishable"])
    open_to_it = set()
    before = fleet.rows()
    for place, method in operations():
        response = send(client, method, place.path(world.values))
        if needed(place, method) is None:
            continue
        if response.status_code != 403:
            open_to_it.add((place.name, method))
    assert open_to_it == {("api-feedback", "POST")}
    assert {Permission.FEEDBACK_SEND} == PUBLISHABLE_SCOPES
    assert fleet.rows() == before


def test_a_publishable_key_is_no_way_into_pages_or_git(world: World) -> None:
    client = ApiClient(world.secrets["publishable"])
    for place in PAGES:
        assert client.get(place.path(world.values)).status_code in {302, 405}, place.route


def test_a_key_of_another_project_reaches_nothing_of_ours(world: World, other_project: Project, by: Actor) -> None:
    """With our ids in the path: 404, the same as for ids that do not exist; lists hold nothing of ours."""
    client = ApiClient(api_keys.issue(project=other_project, kind="secret", name="theirs", by=by).text)
    wrong = []
    before = fleet.tenant_rows(world.project)
    for place, method in operations():
        if needed(place, method) not in SECRET_SCOPES:
            continue
        response = send(client, method, place.path(world.values))
        if (place.names and response.status_code not in {404, 400}) or response.status_code >= 500:
            wrong.append((place.route, method, response.status_code))
        if place.names and method == "GET" and response.status_code != 404:
            wrong.append((place.route, method, response.status_code))
        if any(value in response.content.decode() for value in ours(world) - {path_text(place, world)}):
            wrong.append((place.route, method, response.content[:200]))
    assert wrong == []
    assert fleet.tenant_rows(world.project) == before


def ours(world: World) -> set[str]:
    """Values that name rows of ours and are nobody else's."""
    return {value for value in world.values.values() if re.search(r"[0-9a-f]{12}", value)}


def path_text(place: Place, world: World) -> str:
    return next((world.values[place.value(name)] for name in place.names), "")


def test_a_personal_key_stops_with_the_membership(world: World) -> None:
    client = ApiClient(world.secrets["personal"])
    assert client.send("GET", "/prompts").status_code == 200
    Membership.objects.filter(user=world.people["admin"]).delete()
    from llmops.projects import keys

    keys.forget()
    for place, method in operations():
        if needed(place, method) is not None:
            assert send(client, method, place.path(world.values)).status_code == 401, place.route


# --- mass assignment


EXTRA = {
    "project": "rival", "project_id": "{rival}", "id": "1", "pk": "1", "uid": "00000000-0000-0000-0000-000000000000",
    "role": "admin", "is_staff": "true", "is_superuser": "true", "is_active": "false", "owner": "1", "user": "{eve}",
    "user_id": "{eve}", "created_by": "mallory", "deleted_at": "2020-01-01", "archived_at": "2020-01-01",
    "created_at": "2001-01-01", "scopes": "key:manage", "permissions": "admin", "kind": "personal",
}  # fmt: skip


def test_fields_that_are_not_on_the_form_have_no_effect(
    world: World, other_project: Project, client_of: Callable[[User], Client]
) -> None:
    eve = User.objects.get(email="eve@example.com")
    extra = {name: value.format(rival=other_project.pk, eve=eve.pk) for name, value in EXTRA.items()}
    browser, api = client_of(world.people["editor"]), ApiClient(world.secrets["secret"])
    theirs = fleet.tenant_rows(other_project)
    people = list(User.objects.order_by("pk").values_list("pk", "is_active"))
    roles = list(Membership.objects.order_by("pk").values_list("user_id", "project_id", "role"))
    for place in PLACES:
        if place.name in REDIRECTING:
            continue
        if place.is_api:
            for method in place.methods:
                if method != "GET":
                    send_json(api, method, place.path(world.values), extra)
                    send_json(api, method, place.path(world.values), {"batch": [extra]})
        elif place.is_of_a_project:
            assert browser.post(place.path(world.values), extra).status_code < 500, place.route
    assert fleet.tenant_rows(other_project) == theirs
    assert list(User.objects.order_by("pk").values_list("pk", "is_active")) == people
    assert list(Membership.objects.order_by("pk").values_list("user_id", "project_id", "role")) == roles
    world.project.refresh_from_db()
    assert (world.project.deleted_at, world.project.slug) == (None, "garden")


def send_json(client: Client, method: str, path: str, body: Any) -> None:
    response = getattr(client, method.lower())(path, body, content_type="application/json")
    assert response.status_code < 500, (path, response.content[:300])


# --- secrets


def everything_shown(world: World, client_of: Callable[[User], Client]) -> Iterator[tuple[str, bytes]]:
    for role, person in world.people.items():
        browser = client_of(person)
        for place in PAGES:
            response = browser.get(place.path(world.values))
            yield f"{role} {place.route}", b"".join(response) if response.streaming else response.content
    api = ApiClient(world.secrets["secret"])
    for place, method in operations():
        if method == "GET":
            response = api.get(place.path(world.values))
            yield place.route, b"".join(response) if response.streaming else response.content


def test_no_secret_stands_on_any_page_or_answer(world: World, client_of: Callable[[User], Client]) -> None:
    shown = [
        (where, name)
        for where, content in everything_shown(world, client_of)
        for name, secret in world.secrets.items()
        if secret.encode() in content
    ]
    assert shown == []


def test_no_secret_stands_in_the_database_in_the_clear(world: World) -> None:
    from django.apps import apps

    for model in apps.get_models():
        for row in model._base_manager.values():
            text = repr({name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()})
            found = [name for name, secret in world.secrets.items() if secret in text]
            assert found == [], model._meta.label


@override_settings(DEBUG=False)
def test_no_secret_stands_in_the_log_of_a_crash(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page and the API crash with every secret at hand: the answer is generic, the log redacted."""
    import logging

    from llmops.common import logs
    from llmops.projects import keys, queries

    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logs.JsonFormatter().format(record))

    handler = Kept()
    logging.getLogger().addHandler(handler)

    def crash(*_: object, **__: object) -> None:
        at_hand = dict(world.secrets)
        raise RuntimeError(f"crashed with {at_hand}")

    monkeypatch.setattr(queries, "projects_of", crash)
    monkeypatch.setattr(keys, "grant_for", crash)
    browser = Client(raise_request_exception=False)
    browser.force_login(world.people["admin"], backend=settings.AUTHENTICATION_BACKENDS[0])
    page = browser.get("/projects/")
    api = ApiClient(world.secrets["secret"])
    api.raise_request_exception = False
    answer = api.send("GET", "/prompts")
    logging.getLogger().removeHandler(handler)
    assert (page.status_code, answer.status_code) == (500, 500)
    assert len(lines) >= 2
    for name, secret in world.secrets.items():
        assert secret not in page.content.decode() + answer.content.decode(), name
        assert not [line for line in lines if secret in line], name
