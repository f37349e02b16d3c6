"""A log line is JSON, carries the request's id, and never a key."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.common import logs
from llmops.projects.models import Project
from llmops.projects.services import api_keys, invitations

KEY = "A" * 32


def line(message: str, *args: object, **extra: object) -> dict[str, Any]:
    record = logging.LogRecord("tests", logging.WARNING, __file__, 1, message, args, None)
    vars(record).update(extra)
    logs.RequestIdFilter().filter(record)
    return json.loads(logs.JsonFormatter().format(record))  # type: ignore[no-any-return]


def test_a_line_has_time_level_logger_message_and_extras() -> None:
    token = logs.current_request_id.set("0123456789")
    try:
        found = line("job %s", "late", job="evals.work")
    finally:
        logs.current_request_id.reset(token)
    assert found.pop("at").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "tests",
        "message": "job late",
        "request_id": "0123456789",
        "job": "evals.work",
    }


@pytest.mark.parametrize(
    "secret",
    [
        *[f"{mark}-{KEY}" for mark in api_keys.MARKS.values()],
        invitations.MARK + KEY,
        f"sk-ant-api03-{KEY}",
        f"sk-proj-{KEY}",
        f"AIza{KEY}",
        f"Bearer {KEY}",
        f"basic {KEY}==",
        f"https://user:{KEY}@db.example/x",
        f"postgres://llmops:{KEY}@db.example/x",
    ],
)
def test_what_looks_like_a_key_is_blanked_wherever_it_stands(secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError:
        record = logging.LogRecord("tests", logging.ERROR, __file__, 1, "got %s", (secret,), sys.exc_info())
    record.payload = {"header": secret}  # type: ignore[attr-defined]
    written = logs.JsonFormatter().format(record)
    assert KEY not in written
    assert "[secret]" in written


@pytest.mark.parametrize("text", ["a task-force of many-words", "skating-championships-2026", "pk-12", "basic things"])
def test_other_words_are_kept(text: str) -> None:
    assert logs.redacted(text) == text


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.binary() | st.floats()))
def test_any_text_can_be_written(message: str, payload: dict[str, object]) -> None:
    record = logging.LogRecord("tests", logging.WARNING, __file__, 1, "%s", (message,), None)
    record.payload = payload
    logs.JsonFormatter().format(record).encode()


def test_an_object_that_json_does_not_know_is_shown_as_text() -> None:
    assert line("x", project=Project(name="Garden"))["project"] == "Garden"
    assert line("x", raw=b"\xff")["raw"] == "\\xff"
