"""What faults are done to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.systems import Platform
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
