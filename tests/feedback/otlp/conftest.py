"""Spans as exporters write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

START = 1_772_625_600 * 10**9  # 2026-03-04, 12:00 UTC
TRACE = "0af7651916cd43dd8448eb211c80319c"


def attribute(name: str, value: Any) -> dict[str, Any]:
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    if isinstance(value, list):
        return {"key": name, "value": {"arrayValue": {"values": [attribute("", one)["value"] for one in value]}}}
    return {"key": name, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}


def span(number: int, parent: int | None = None, *, at_ms: int = 0, took_ms: int = 100, **more: Any) -> dict[str, Any]:
    """`more`: name, attributes (a plain object), events, status, traceId."""
    plain = more.pop("attributes", {})
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent is not None else {}),
        "name": f"span {number}",
        "startTimeUnixNano": str(START + at_ms * 10**6),
        "endTimeUnixNano": str(START + (at_ms + took_ms) * 10**6),
        "attributes": [attribute(name, value) for name, value in plain.items()],
        **more,
    }


def request_of(*spans: dict[str, Any], scope: str = "tests", **resource: Any) -> dict[str, Any]:
    attributes = [attribute(name.replace("__", "."), value) for name, value in resource.items()]
    scopes = [{"scope": {"name": scope}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scopes}]}


@pytest.fixture
def export(api: Any) -> Callable[..., Any]:
    """Sends spans as JSON and returns the answer's body; the request must be taken."""

    def post(*spans: dict[str, Any], **resource: Any) -> Any:
        response = api.send("POST", "/traces", request_of(*spans, **resource))
        assert response.status_code == 200, response.content
        return response.json()

    return post
