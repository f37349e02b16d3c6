"""Connections by REST."""

from __future__ import annotations

import pytest

from llmops.accounts.models import User
from llmops.common.actors import Actor
from llmops.gateway.models import Connection
from llmops.projects.models import Project
from llmops.projects.services import api_keys
from tests.conftest import ApiClient

KEY = "sk-very-secret-key-0123456789"


@pytest.fixture
def manager(project: Project, admin: User, by: Actor) -> ApiClient:
    """A script with an admin's personal key."""
    return ApiClient(api_keys.issue(project=project, kind="personal", user=admin, name="mine", by=by).text)


def test_a_connection_goes_in_and_its_key_never_comes_out(manager: ApiClient) -> None:
    made = manager.send("POST", "/connections", {"name": "Main", "kind": "openai", "key": KEY})
    assert made.status_code == 201
    one = manager.send("GET", f"/connections/{made.json()['id']}")
    several = manager.send("GET", "/connections")
    assert one.json() in several.json()["results"]
    assert one.json()["key_hint"] == "6789"
    for answer in (made, one, several):
        assert KEY not in answer.content.decode()


def test_an_address_is_checked_here_too_and_a_new_one_needs_the_key(manager: ApiClient) -> None:
    body = {"name": "Main", "kind": "openai-compatible", "key": KEY, "base_url": "https://10.0.0.1/v1"}
    refused = manager.send("POST", "/connections", body)
    assert refused.status_code == 400
    assert "base_url" in refused.json()["error"]["fields"]
    path = "/connections/" + manager.send("POST", "/connections", body | {"base_url": "https://a.example"}).json()["id"]
    assert manager.send("PATCH", path, {"base_url": "https://127.0.0.1/"}).status_code == 400
    moved = manager.send("PATCH", path, {"base_url": "https://b.example"})
    assert (moved.json()["base_url"], moved.json()["key_hint"]) == ("https://b.example", "")
    assert Connection.objects.get(name="Main").sealed_key == ""


def test_a_test_is_asked_for_and_a_deleted_connection_is_gone(manager: ApiClient) -> None:
    made = manager.send("POST", "/connections", {"name": "Offline", "kind": "demo"}).json()
    asked = manager.send("POST", f"/connections/{made['id']}/test")
    assert (asked.status_code, asked.json()["test_outcome"]) == (202, "waiting")
    assert manager.send("DELETE", f"/connections/{made['id']}").status_code == 204
    assert manager.send("GET", f"/connections/{made['id']}").status_code == 404


def test_a_server_key_reads_and_changes_nothing(api: ApiClient) -> None:
    assert api.send("GET", "/connections").status_code == 200
    assert api.send("POST", "/connections", {"name": "x", "kind": "demo"}).status_code == 403
