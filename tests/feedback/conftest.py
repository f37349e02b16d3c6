"""Keys and events of feedback tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from feedback.api import origins
from feedback.queries import definitions, resolving
from feedback.services import refusals
from llmops.common.actors import Actor
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from tests.evals.conftest import bench, fake, tone

__all__ = ["bench", "fake", "tone"]  # fixtures of evaluation that themes lead to

SHOP = "https://shop.example"


@pytest.fixture(autouse=True)
def _no_cached_answers() -> Iterator[None]:
    caches = (resolving, origins, definitions, refusals)
    for cache in caches:
        cache.forget()
    yield
    for cache in caches:
        cache.forget()


@pytest.fixture
def browser_key(project: Project, by: Actor) -> str:
    """A publishable key of `project` for https://shop.example."""
    return api_keys.issue(project=project, kind="publishable", name="shop", origins=[SHOP], by=by).text


@pytest.fixture
def send(api: Any) -> Callable[..., Any]:
    """Posts events and returns the decoded answer's results, whatever the status."""

    def post(path: str, *events: Any) -> list[dict[str, Any]]:
        response = api.send("POST", path, {"batch": list(events)})
        assert response.status_code in {201, 207}, response.content
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    return post
