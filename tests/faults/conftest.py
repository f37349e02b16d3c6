"""What faults are done to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.systems import Platform
from tests.faults.web import Server
from tests.installation import fresh_services


@pytest.fixture(scope="session")
def on_sqlite() -> Iterator[Platform]:
    """One installation for all tests that break it; every fault waits until the last one's damage is repaired."""
    with Platform.installation() as it:
        yield Platform(it)


@pytest.fixture
def server_services() -> Iterator[dict[str, str]]:
    """A database and a Redis number that belong to one test."""
    with fresh_services() as services:
        yield services


ON_SERVERS = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.xdist_group("faults")]


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=ON_SERVERS)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A project `shop` and a web process that is not started yet."""
    services = request.getfixturevalue("server_services") if request.param == "PostgreSQL" else {}
    found = Server(tmp_path, services)
    found.manage("createcachetable")
    found.manage("create_project", "shop", "--admin", "a@b.example")
    yield found
    found.kill()
