"""The API's short way answers like the long one, with the headers that matter."""

from __future__ import annotations

from typing import Any

from django.test import Client, override_settings


def test_answers_of_the_api_carry_the_safe_headers_and_a_request_id(api: Any) -> None:
    response = api.send("POST", "/calls", {})
    assert response.status_code == 201
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert len(response["X-Request-Id"]) >= 8
    assert "Set-Cookie" not in response


def test_an_address_that_is_not_there_is_a_json_404(api: Any) -> None:
    for path in ["/nothing", "/calls/", "//"]:
        response = api.send("GET", path)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_an_address_with_a_nul_is_a_json_400(api: Any) -> None:
    for path in ["/%00", "/datasets?cursor=%00"]:
        response = api.send("GET", path)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid")


def test_a_host_that_is_not_ours_is_refused(db: None) -> None:
    with override_settings(ALLOWED_HOSTS=["shop.example"]):
        assert Client().post("/api/v1/calls", headers={"Host": "evil.example"}).status_code == 400
        assert Client().post("/api/v1/calls", headers={"Host": "shop.example"}).status_code == 401


def test_views_of_the_rest_framework_are_rendered(api: Any) -> None:
    response = api.send("GET", "/datasets")
    assert response["Content-Type"] == "application/json"
    assert response.status_code in {200, 404, 405}
    assert response.json()


def test_a_bearer_is_asked_for(db: None) -> None:
    response = Client().get("/api/v1/datasets")
    assert response.status_code in {401, 404, 405}
