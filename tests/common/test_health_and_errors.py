"""Health checks, request ids, and errors in each face's own form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from llmops.common import errors, health, middleware
from llmops.projects import keys
from tests.conftest import ApiClient


def test_the_process_is_alive_without_a_look_at_the_database(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"  # no database mark: a query would fail


def test_a_migrated_database_is_ready(client: Client, db: None) -> None:
    assert client.get("/readyz").json() == {"ready": True, "database": "ok", "migrations": "ok"}


def test_a_database_that_is_down_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DatabaseError("password=secret")

    monkeypatch.setattr(health, "MigrationExecutor", fail)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["database"]) == (503, "DatabaseError")
    assert b"secret" not in response.content


@pytest.mark.parametrize("offered", ["x", "a" * 41, "line\r\nbreak", "<script>aaaa", "ünicode-id"])
def test_a_strange_request_id_is_replaced(client: Client, offered: str) -> None:
    answered = client.get("/healthz", headers={"X-Request-Id": offered})["X-Request-Id"]
    assert answered != offered
    assert len(answered) == 32


def answer(path: str, error: Exception, **headers: str) -> Any:
    request = RequestFactory().get(path, headers=headers)
    request.user = None  # type: ignore[assignment]
    return middleware.DomainErrorMiddleware(lambda _: None).process_exception(request, error)  # type: ignore[arg-type,return-value]


def test_a_domain_error_is_json_text_or_a_page() -> None:
    error = errors.Conflict("Somebody was quicker.", fields={"base_version": "is 3"})
    api = answer("/api/v1/x", error)
    assert (api.status_code, json.loads(api.content)) == (
        409,
        {"error": {"code": "conflict", "message": "Somebody was quicker.", "fields": {"base_version": "is 3"}}},
    )
    fragment = answer("/p/x/", error, **{"HX-Request": "true"})
    assert (fragment.status_code, fragment.content.decode()) == (409, "Somebody was quicker.")
    assert fragment["Content-Type"].startswith("text/plain")
    page = answer("/p/x/", errors.Invalid("<b>bold</b>"))
    assert page.status_code == 400
    assert "&lt;b&gt;bold&lt;/b&gt;" in page.content.decode()


def test_other_exceptions_are_left_to_be_500() -> None:
    assert answer("/p/x/", RuntimeError("a bug")) is None


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/prompts/%00", "/api/nothing"])
def test_an_unknown_api_address_is_answered_in_json(db: None, path: str) -> None:
    response = Client().get(path)
    assert response.status_code in {400, 401, 404}
    assert set(response.json()["error"]) == {"code", "message", "fields"}


def test_a_bug_in_the_api_is_answered_in_json_with_its_id_and_nothing_else(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("sk-" + "A" * 32)

    monkeypatch.setattr(keys, "grant_for", fail)
    api.raise_request_exception = False
    response = api.send("GET", "/prompts")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "server_error"
    assert response["X-Request-Id"] in response.json()["error"]["message"]
    assert "AAAA" not in response.content.decode()


def test_pages_of_unknown_projects_cost_one_query(client: Client, page: Client) -> None:
    page.get("/p/garden/")
    with CaptureQueriesContext(
        connection,
    ) as seen:
        page.get("/p/nowhere/")
    assert len(seen) <= 4


@pytest.mark.parametrize("error", [OperationalError("server closed the connection"), InterfaceError("closed")])
def test_while_the_database_is_away_the_api_says_when_to_try_again(api: ApiClient, error: Exception) -> None:
    def away(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        raise error

    keys.forget()
    api.raise_request_exception = False
    with connection.execute_wrapper(away):
        answer = api.send("GET", "/runs")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["error"]["code"] == "unavailable"
    assert "server closed" not in answer.content.decode()
