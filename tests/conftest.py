"""Rows and clients that many tests start from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects import keys
from llmops.projects.models import Membership, Project
from llmops.projects.services import api_keys, projects

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DEMANDED = os.environ.get("LLMOPS_TEST_REQUIRE", "")
SKIPPED = os.environ.get("LLMOPS_TEST_SKIP", "").split(",")
ONLY = os.environ.get("LLMOPS_TEST_ONLY", "")
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
DATABASE_MARKS = ("django_db", "postgres", "redis")
CHROMIUM = os.environ.get("LLMOPS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SERVICES: dict[str, tuple[Callable[[], bool], str]] = {
    "postgres": (lambda: not settings.ON_SQLITE, "PostgreSQL: set DATABASE_URL"),
    "redis": (lambda: bool(settings.REDIS_URL), "Redis: set REDIS_URL"),
    "browser": (lambda: CHROMIUM is not None, "Chromium: install it, or set LLMOPS_CHROMIUM to its path"),
}


def pytest_unconfigure() -> None:
    if settings.configured and settings.DATA_DIR.name.startswith("llmops-tests-"):
        shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`LLMOPS_TEST_ONLY=database`: on another database, only the tests that can find something else there."""
    if ONLY != "database":
        return
    config.hook.pytest_deselected(items=[item for item in items if not touches_database(item)])
    items[:] = [item for item in items if touches_database(item)]


def touches_database(item: pytest.Item) -> bool:
    """Whether a test sees DATABASE_URL or REDIS_URL. Formulas and parsers do not, nor do installations of a test's own,
    which are on the embedded default unless the test is marked."""
    fixtures = DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    return bool(fixtures) or any(item.get_closest_marker(mark) is not None for mark in DATABASE_MARKS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs a service skips with the reason where it is absent; `make test-all` demands every service."""
    for service, (is_there, reason) in SERVICES.items():
        if item.get_closest_marker(service) is None:
            continue
        if service in SKIPPED:
            pytest.skip(f"{service} tests are switched off by LLMOPS_TEST_SKIP")
        if not is_there():
            (pytest.fail if DEMANDED in {"all", service} else pytest.skip)(f"needs {reason}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs beside the checkout; tests that want them skip where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of shared data is absent")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _no_cached_grants() -> Iterator[None]:
    keys.forget()
    yield
    keys.forget()


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery", name="Ada")


@pytest.fixture
def by(admin: User) -> Actor:
    """Ada, as the actor of services."""
    return Actor(kind="user", id=admin.pk, text=admin.email, user_id=admin.pk)


@pytest.fixture
def project(admin: User, by: Actor) -> Project:
    return projects.create(slug="garden", name="Garden shop", admin=admin, by=by)


@pytest.fixture
def other_project(by: Actor) -> Project:
    """Another tenant, with equal names inside and none of our people."""
    eve = User.objects.create_user("eve@example.com", "correct horse battery", name="Eve")
    return projects.create(slug="rival", name="Garden shop", admin=eve, by=by)


@pytest.fixture
def member(project: Project) -> Callable[[str], User]:
    """Makes a person with the given role in `project`."""

    def make(role: str) -> User:
        user = User.objects.create_user(f"{role}@example.com", "correct horse battery", name=role.title())
        Membership.objects.create(project=project, user=user, role=role)
        return user

    return make


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """A browser signed in as the person."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        return client

    return make


@pytest.fixture
def page(admin: User, project: Project, client_of: Callable[[User], Client]) -> Client:
    """Ada's browser; she is admin of `project`."""
    return client_of(admin)


class ApiClient(Client):
    """Sends and reads JSON with a key."""

    def __init__(self, key: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {key}"})

    def send(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        data = "" if body is None else json.dumps(body)
        return self.generic(method, f"/api/v1{path}", data, content_type="application/json", **extra)


@pytest.fixture
def api(project: Project, by: Actor) -> ApiClient:
    """A client with a secret key of `project`."""
    return ApiClient(api_keys.issue(project=project, kind="secret", name="tests", by=by).text)


@pytest.fixture
def api_with() -> type[ApiClient]:
    """The client class, for tests that bring their own key."""
    return ApiClient
