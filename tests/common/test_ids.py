"""Identifiers are RFC 9562 version 7, ordered by time, and read back only in their own form."""

from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.common import ids
from llmops.common.errors import NotFound


def test_an_id_is_a_version_7_uuid_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_ids_of_later_milliseconds_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for moment in range(5):
        monkeypatch.setattr(ids.time, "time_ns", lambda moment=moment: (1_700_000_000_000 + moment) * 1_000_000)
        made.append(ids.uuid7())
    assert made == sorted(made)


def test_ids_are_not_repeated() -> None:
    assert len({ids.uuid7() for _ in range(20_000)}) == 20_000


@given(st.uuids())
def test_what_is_shown_is_read_back(uid: uuid.UUID) -> None:
    assert ids.parse("run", ids.public("run", uid)) == uid
    assert ids.parse("run", str(uid)) == uid


@given(st.text())
def test_anything_else_is_not_found(text: str) -> None:
    try:
        ids.parse("run", text)
    except NotFound:
        return
    assert uuid.UUID(text.removeprefix("run_"))


def test_another_kinds_id_is_not_found() -> None:
    with pytest.raises(NotFound):
        ids.parse("run", ids.public("result", ids.uuid7()))
