"""Traffic of a garden shop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from feedback.services import hours


@pytest.fixture
def send(api: Any) -> Callable[..., Any]:
    """Posts events in one batch, demands that each is stored, and brings the rollups up to date."""

    def post(path: str, *events: Any) -> None:
        response = api.send("POST", path, {"batch": list(events)})
        assert response.status_code == 201, response.content
        hours.compute_dirty(now=timezone.now())

    return post


@pytest.fixture
def traffic(send: Callable[..., Any]) -> None:
    """A day's calls of two models with votes of many people."""
    send(
        "/calls",
        *[
            {
                "id": f"c{n}",
                "prompt": "reply/draft",
                "model": "small" if n % 3 else "large",
                "environment": "production",
                "tags": ["eu"] if n % 2 else [],
                "latency_ms": 100 + n,
                "cost_usd": 0.01,
                "tokens_in": 10,
                "tokens_out": 5,
                "output": "x",
                "error": "timeout" if n == 7 else "",
            }
            for n in range(120)
        ],
    )
    send(
        "/feedback",
        *[{"call": f"c{n}", "thumbs": "down" if n % 10 == 0 else "up", "end_user": f"u{n}"} for n in range(120)],
    )
