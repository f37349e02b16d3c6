"""One world for all tests of a module that only look at it, or whose changes go with the test.

A folder's conftest imports these fixtures in place of the ones that make a new project for every test.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import projects
from tests import fleet
from tests.fleet import World


@pytest.fixture(scope="module")
def standing(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[World, User]]:
    """Built once, inside a transaction that ends with the module; each test runs in a savepoint of its own."""
    with django_db_blocker.unblock(), transaction.atomic():
        ada = User.objects.create_user("ada@example.com", "correct horse battery", name="Ada")
        by = Actor(kind="user", id=ada.pk, text=ada.email, user_id=ada.pk)
        yield fleet.build(projects.create(slug="garden", name="Garden shop", admin=ada, by=by), by), ada
        transaction.set_rollback(True)


@pytest.fixture
def world(db: None, standing: tuple[World, User]) -> World:
    return deepcopy(standing[0])


@pytest.fixture
def admin(db: None, standing: tuple[World, User]) -> User:
    return deepcopy(standing[1])


@pytest.fixture
def project(world: World) -> Project:
    return world.project
