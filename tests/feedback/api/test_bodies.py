"""The quick reader of bodies agrees with the strict one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.api import bodies
from llmops.common.errors import Invalid

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6) | st.sampled_from([":", "a:b", '":'])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_has_no_key_twice_is_read_as_it_is(value: Any, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert bodies.parsed(body.encode()) == (value, False)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.data())
def test_a_key_that_is_there_twice_is_always_found(value: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    again = "".join(f"\\u{ord(letter):04x}" if ord(letter) < 65_536 else letter for letter in name)
    for key in [json.dumps(name), f'"{again}"']:
        body = f"{json.dumps(value)[:-1]}, {key}: {json.dumps(data.draw(VALUES))}}}"
        with pytest.raises(Invalid):
            bodies.parsed(body.encode())
